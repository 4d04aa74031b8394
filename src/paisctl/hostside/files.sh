# A stack's files, for apply.sh: put in place, removed, checked by the program that will read them.

# shellcheck disable=SC2034,SC2154 # variables and functions of apply.sh

# Whether a directory, as far as it exists, lies in ROOT when every link is followed. What does not
# exist yet must not go up: it would lead elsewhere once it does.
contained() {
  place=$1
  case $1/ in
    */../*)
      problem="$1 leads out of $ROOT"
      return 1
      ;;
  esac
  while [ ! -d "$place" ]; do
    if [ -e "$place" ] || [ -L "$place" ]; then
      problem="$place is in the way: it is no directory"
      return 1
    fi
    place=$(dirname "$place")
  done
  case $(cd -P "$place" && pwd -P)/ in
    "$real_root"/*) ;;
    *)
      problem="$place leads out of $ROOT"
      return 1
      ;;
  esac
}

# install_file PATH MODE: from the delivery to the stack's directory.
install_file() {
  new=$STAGING/files/stacks/$STACK/$1
  chmod "$2" "$new" && place "$new" "$DIRECTORY/$1"
}

# place NEW TARGET: whole or not at all; into a directory, mv would put it without a word.
place() {
  contained "$(dirname "$2")" || return 1
  if [ -d "$2" ]; then
    problem="$2 is a directory"
    return 1
  fi
  mkdir -p "$(dirname "$2")" && mv -f "$1" "$2"
}

# remove_file PATH: and the directories that it leaves empty.
remove_file() {
  contained "$(dirname "$DIRECTORY/$1")" || return 1
  rm -f "$DIRECTORY/$1" || return 1
  (cd "$ROOT/stacks" && rmdir -p "$(dirname "$STACK/$1")" 2>/dev/null)
  return 0
}

# check_file IMAGE MOUNTS PROGRAM ARGUMENT...: run a program over files as they will be. MOUNTS has
# one `path-in-stack:path-in-container` per line.
check_file() {
  image=$1 program=$3
  printf '%s\n' "$2" >"$STAGING/mounts"
  shift 3
  set -- "$image" "$@"
  while IFS= read -r mount; do
    preview "${mount%%:*}" || return 1
    set -- --volume "$STAGING/preview/$STACK/${mount%%:*}:${mount#*:}:ro" "$@"
  done <"$STAGING/mounts"
  # As root, since what a file's owner may read is not what is asked here.
  docker run --rm --network none --user 0:0 --entrypoint "$program" "$@"
}

# What a path of the stack's directory holds now, with what was delivered laid over it. No link that
# somebody has put there is written through.
preview() {
  shown=$STAGING/preview/$STACK/$1 live=$DIRECTORY/$1 new=$STAGING/files/stacks/$STACK/$1
  rm -rf "$shown"
  mkdir -p "$(dirname "$shown")" || return 1
  if [ -f "$new" ]; then
    cp "$new" "$shown"
    return
  fi
  if [ -f "$live" ]; then
    cp "$live" "$shown"
    return
  fi
  contained "$live" && mkdir -p "$shown" || return 1
  if [ -d "$live" ]; then
    cp -RP "$live/." "$shown/" || return 1
  fi
  if [ -d "$new" ]; then
    drop_links "$new" "$shown" && cp -R "$new/." "$shown/"
  fi
}

# drop_links NEW SHOWN: remove the links in SHOWN that are in the way of what is in NEW.
drop_links() {
  # shellcheck disable=SC2016 # the inner shell expands it
  (cd "$1" && find . ! -name . -exec sh -c '
    shown=$1
    shift
    for path do
      [ ! -L "$shown/$path" ] || rm -f "$shown/$path"
    done' sh "$2" {} +)
}
