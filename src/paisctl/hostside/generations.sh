# What a host keeps of each apply, for apply.sh, and going back to it.
#
#   generations/8/                       what generation 8 was: record.json, manifest.json, stacks
#   generations/kept/STACK/REVISION/     the files of a stack as applied, and the images it ran

# shellcheck disable=SC2034,SC2154 # variables and functions of apply.sh

# The number of the generation to come. Numbers only go up: where somebody has moved the manifest
# away, older generations are still there.
number_generation() {
  GENERATION=$BEFORE
  for folder in "$ROOT"/generations/[0-9]*; do
    number=${folder##*/}
    case $number in
      *[!0-9]*) continue ;;
    esac
    [ "$number" -le "$GENERATION" ] || GENERATION=$number
  done
  GENERATION=$((GENERATION + 1))
}

# keep_stack: a copy of the stack's files, under the name of what the manifest says of it.
keep_stack() {
  [ -f "$STAGING/fragments/$STACK.line" ] || return 0
  read -r revision <"$STAGING/fragments/$STACK.revision"
  kept=$ROOT/generations/kept/$STACK/$revision
  if ! is_whole "$kept"; then
    rm -rf "$kept.new" "$kept"
    private mkdir -p "$kept.new/files" &&
      copy_files "$DIRECTORY" "$kept.new/files" <"$STAGING/new/$STACK.files" &&
      sums_of "$kept.new" >"$kept.new/sums" && mv "$kept.new" "$kept" || return 1
  fi
  keep_images >"$STAGING/images" && private cp "$STAGING/images" "$kept/images"
}

# Whether a copy is as it was made: somebody may have tidied up there, or the power has failed before
# it was on the disk.
is_whole() {
  [ -s "$1/sums" ] && [ "$(sums_of "$1")" = "$(cat "$1/sums")" ]
}

sums_of() {
  (cd "$1/files" && find_sha256 | sort)
}

# copy_files FROM TO: the paths on stdin, such as ./config/x.cfg, with their modes. As many at once
# as lie in one directory.
copy_files() {
  from=$1 to=$2 previous=''
  set --
  while IFS= read -r path; do
    if [ "${path%/*}" != "$previous" ] || [ $# -ge 100 ]; then
      [ $# -eq 0 ] || (cd "$from" && cp -p "$@" "$to/$previous/") || return 1
      previous=${path%/*}
      mkdir -p "$to/$previous" || return 1
      set --
    fi
    set -- "$@" "$path"
  done
  [ $# -eq 0 ] || (cd "$from" && cp -p "$@" "$to/$previous/")
}

# "<id> <reference>" lines: a tag may point elsewhere one day.
keep_images() {
  ids=$(list_containers '{{.ID}}') || return 1
  # shellcheck disable=SC2086 # a list of words
  [ -z "$ids" ] || docker inspect --type container --format '{{.Image}} {{.Config.Image}}' $ids
}

private() (
  umask 077
  "$@"
)

# What the host is now, under the number that the manifest is about to get.
keep_generation() {
  kept=$ROOT/generations/$GENERATION
  private mkdir -p "$kept" || return 1
  # shellcheck disable=SC2086 # a list of words
  printf '%s, "generation": %s, "changed": [%s]}\n' "$(cat "$STAGING/fragments/record")" \
    "$GENERATION" "$(printf '%s\n' $changed | json_strings)" >"$STAGING/record" || return 1
  for line in "$STAGING"/fragments/*.line; do
    [ -f "$line" ] || continue
    name=${line##*/}
    printf '%s %s\n' "${name%.line}" "$(cat "${line%.line}.revision")"
  done >"$STAGING/stacks" || return 1
  private cp "$STAGING/manifest.json" "$kept/manifest.json" &&
    private cp "$STAGING/stacks" "$kept/stacks" && private cp "$STAGING/record" "$kept/record.json"
}

# Generations beyond KEEP, and copies of stacks that none refers to.
prune_generations() {
  [ -d "$ROOT/generations/kept" ] && cd "$ROOT/generations" || return 0
  for number in [0-9]*; do
    if [ "$number" -le $((GENERATION - KEEP)) ] || [ "$number" -gt "$GENERATION" ]; then
      rm -rf "./$number"
    fi
  done
  for copy in kept/*/*; do
    stack=${copy#kept/}
    grep -q "^${stack%/*} ${stack#*/}\$" [0-9]*/stacks || rm -rf "./$copy"
  done
  rmdir kept/* 2>/dev/null
  cd /
} 2>/dev/null

# ---- going back ------------------------------------------------------------------------------

# A host's first generation has none before it: what fails is left for somebody to look at.
can_go_back() {
  [ "$ROLLBACK" = yes ] && [ "$BEFORE" -gt 0 ] && holds_lock
}

# Bring every stack that this run has changed to where the generation before had it, the last one
# first.
go_back() {
  rm -f "$STAGING/reserve"
  emit going-back '' "$BEFORE"
  obstacle="the host went back to generation $BEFORE"
  for STACK in $touched; do
    DIRECTORY=$ROOT/stacks/$STACK state=ok
    . "$STAGING/back/$STACK.sh"
    [ "$state" = ok ] || stranded="$stranded $STACK"
  done
  holds_lock && cp "$STAGING/manifest.before" "$STAGING/manifest.json" &&
    mv -f "$STAGING/manifest.json" "$ROOT/manifest.json" &&
    rm -rf "$ROOT/generations/$GENERATION"
  for STACK in $touched; do
    case " $stranded " in
      *" $STACK "*) end_as stranded ;;
      *) end_as rolled-back ;;
    esac
  done
}

# restore_files REVISION: what is not as it was kept is replaced, whole or not at all.
restore_files() {
  kept=$ROOT/generations/kept/$STACK/$1
  is_kept "$kept" || return 1
  paths=$(cd "$kept/files" && find . -type f) || return 1
  while IFS= read -r path; do
    restore_file "$kept/files/$path" "$DIRECTORY/${path#./}" || return 1
  done <<END
$paths
END
  restore_images "$kept/images"
}

restore_file() {
  if cmp -s "$1" "$2" && [ "$(mode_of "$1")" = "$(mode_of "$2")" ]; then
    return 0
  fi
  # Docker makes a directory where a file that is to be mounted is missing.
  [ -L "$2" ] || rmdir "$2" 2>/dev/null
  cp -p "$1" "$STAGING/restored" && place "$STAGING/restored" "$2"
}

is_kept() {
  if [ ! -d "$1" ]; then
    problem="$1 is not there: nothing to go back to"
  elif ! is_whole "$1"; then
    problem="$1 is damaged: nothing to go back to"
  else
    return 0
  fi
  return 1
}

mode_of() {
  ls -ldn "$1" | cut -c 1-10
}

# A tag that points elsewhere by now is put back; an image that is gone has to be pulled.
restore_images() {
  [ -f "$1" ] || return 0
  while read -r id reference; do
    case $reference in
      *@* | sha256:*) continue ;;
    esac
    now=$(docker image inspect --format '{{.Id}}' "$reference" </dev/null 2>/dev/null)
    if [ "$now" != "$id" ]; then
      docker tag "$id" "$reference" </dev/null || pull "$reference" </dev/null || return 1
    fi
  done <"$1"
}

# take_kept REVISION PATH...: lay files out as if they had been sent.
take_kept() {
  kept=$ROOT/generations/kept/$STACK/$1
  is_kept "$kept" || return 1
  shift
  for path in "$@"; do
    new=$STAGING/files/stacks/$STACK/$path
    mkdir -p "$(dirname "$new")" && cp "$kept/files/$path" "$new" || return 1
  done
}
