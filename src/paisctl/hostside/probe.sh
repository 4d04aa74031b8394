# Read a host, change nothing, print one JSON document. Sent behind memory.sh.
#
# For any POSIX sh (dash, BusyBox ash, macOS, DSM): no Python, no jq, no GNU options, and no
# temporary files, since to plan is to leave a host as it is.
#
# Variables set in front of this text:
#   ROOT    the managed directory; may begin with ~/
#   IMAGES  image references to look up, separated by spaces
#   DOCKER  absolute path of docker, or empty: look for it
#   SUDO    yes or no: whether docker needs `sudo -n`; empty: find out
#   TEXTS   yes: also what is in the files that everybody may read
#   HISTORY yes: also the generations that are kept, and all of audit.log

# shellcheck disable=SC2086,SC2046 # lists of words, split on purpose (no globbing: set -f)
# shellcheck disable=SC2153 # upper case comes from outside, lower case is ours

newline='
'
tab='	'

# A text on stdin as the inside of a JSON string, its line ends as \n.
json_lines() {
  tr -d '\000-\010\013-\037' | json_escape | awk '{ printf "%s\\n", $0 }'
}

# Each line on stdin as the inside of a JSON string.
json_escape() {
  sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g"
}

# "NAME":"VALUE", with the last line end of the value left out.
text_member() {
  printf '"%s":"%s"' "$1" "$(printf '%s' "$2" | json_lines | sed 's/\\n$//')"
}

# Where ROOT is, and how it can be written: sets root, root_state, files_sudo, existing.
find_root() {
  case $ROOT in
    '~'/*) root=$HOME/${ROOT#??} ;;
    *) root=$ROOT ;;
  esac
  existing=$root
  while [ ! -e "$existing" ]; do
    existing=$(dirname "$existing")
  done
  files_sudo=''
  if [ -w "$existing" ] && [ -x "$existing" ]; then
    root_state=writable
  elif sudo -n true 2>/dev/null; then
    root_state=sudo files_sudo='sudo -n'
  else
    root_state=denied
  fi
  # Asked again with all rights: a directory on the way may be closed to us.
  if [ "$root_state" != denied ] && ! $files_sudo test -e "$root"; then
    root_state=absent
  elif [ "$root_state" = sudo ] && ! [ -x "$root" ]; then
    root_state=closed # its files could not be told from missing ones
  fi
}

# What is free where ROOT is, in KiB.
disk_free() {
  df -Pk "$existing" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9]*%.*/\1/p'
}

# Where docker is: sets docker, empty when it is nowhere. sshd's PATH rarely names every place.
find_docker() {
  docker=$DOCKER
  [ -z "$docker" ] || return 0
  docker=$(command -v docker) && return 0
  for directory in /usr/local/bin /usr/bin /opt/homebrew/bin "$HOME/.orbstack/bin" \
    /Applications/Docker.app/Contents/Resources/bin \
    /var/packages/ContainerManager/target/usr/bin; do
    if [ -x "$directory/docker" ]; then
      docker=$directory/docker
      return 0
    fi
  done
}

# Find out how docker answers, by the question that is asked anyway: which containers are there?
# Sets docker_sudo, docker_error, ids.
try_docker() {
  docker_sudo='' docker_error='' ids=''
  find_docker
  if [ -z "$docker" ]; then
    docker_error='docker: not found'
    return 0
  fi
  PATH=$PATH:$(dirname "$docker") # for credential helpers beside it
  case $SUDO:$root_state in
    yes:* | :sudo | :closed) attempts='sudo plain' ;;
    *) attempts='plain sudo' ;;
  esac
  for attempt in $attempts; do
    case $attempt:$SUDO in
      plain:yes | sudo:no) continue ;;
      plain:*) docker_sudo='' ;;
      sudo:*) docker_sudo='sudo -n' ;;
    esac
    if answer=$(list_containers); then
      ids=$(printf '%s\n' "$answer" | sed -n '/^[0-9a-f]\{64\}$/p') # and no warnings
      docker_error=''
      return 0
    fi
    docker_error="$docker_error${docker_error:+$newline}$answer"
    case $answer in
      *'permission denied'* | sudo:*) ;;
      *) return 0 ;;
    esac
  done
}

# The ids of all containers of Compose projects; or why docker does not say.
list_containers() {
  $docker_sudo "$docker" ps --all --quiet --no-trunc \
    --filter label=com.docker.compose.project </dev/null 2>&1
}

# The JSON array that `docker TYPE inspect` gives for those of the names that exist.
inspect() {
  type=$1
  shift
  if [ $# -eq 0 ]; then
    printf '[]'
  else
    $docker_sudo "$docker" "$type" inspect "$@" </dev/null 2>/dev/null
  fi
}

# The images that containers of an inspect answer were made from, by id.
images_of() {
  printf '%s\n' "$1" | sed -n 's/^ *"Image": "\(sha256:[0-9a-f]*\)",*$/\1/p' | sort -u
}

engine_info() {
  if [ -n "$docker_error" ]; then
    printf 'null'
  else
    $docker_sudo "$docker" info --format '{{json .}}' </dev/null 2>/dev/null || printf 'null'
  fi
}

# SHA-256 of files, by whichever program there is: "<digest>  <path>" lines.
sha256_of() {
  if command -v sha256sum >/dev/null; then
    find_files -exec sha256sum {} +
  elif command -v shasum >/dev/null; then
    find_files -exec shasum -a 256 {} +
  else
    find_files -exec openssl dgst -sha256 -r {} +
  fi
}

# Names with control characters are counted, not read: no stack of ours has any.
find_files() {
  $files_sudo find stacks -type f ! -path '*[[:cntrl:]]*' "$@" 2>/dev/null
}

# "<mode> <path>" lines of regular files. One ls for all plain names; some ls replace other
# characters by question marks, so that those names are asked for one by one.
modes_of() {
  find_files ! -path "$odd" -exec ls -ldn {} + | sed 's/^\([^ ]*\) .* stacks\//\1 stacks\//'
  # shellcheck disable=SC2016 # the inner shell expands it
  find_files -path "$odd" -exec sh -c '
    for file do
      line=$(ls -ldn "$file")
      printf "%s %s\n" "${line%% *}" "$file"
    done' sh {} +
}
odd='*[!A-Za-z0-9._/@+,=:-]*'

# ["PATH","MODE","DIGEST"] for every regular file below ROOT/stacks, links with an empty digest.
files() {
  [ -d "$root/stacks" ] && cd "$root" || return 0
  {
    # GNU and Perl mark a line whose name holds a backslash by a backslash in front, and double it.
    sha256_of | sed -e '/^\\/{' -e 's/^\\//' -e 's/\\\\/\\/g' -e '}' | json_escape
    printf 'modes\n'
    modes_of | json_escape
    $files_sudo find stacks -type l ! -path '*[[:cntrl:]]*' 2>/dev/null | json_escape |
      sed 's/^/lrwxrwxrwx /'
  } | awk '
    $0 == "modes" { modes = 1; next }
    { path = substr($0, index($0, " ") + 1) }
    !modes { sub(/^[ *]/, "", path); digest[path] = $1; next }
    { printf "%s[\"%s\",\"%s\",\"%s\"]", comma, path, substr($1, 1, 10), digest[path]; comma = "," }
  '
}

# ["PATH","TEXT"] for every file below ROOT/stacks that everybody may read, up to 64 KiB each; and
# for what is kept of such files.
texts() {
  [ "$TEXTS" = yes ] && [ -d "$root/stacks" ] && cd "$root" || return 0
  comma=''
  {
    find_files -perm -044 -size -129 -print
    [ "$HISTORY" != yes ] || $files_sudo find generations/kept -path '*/files/*' -type f \
      ! -path '*[[:cntrl:]]*' -perm -044 -size -129 -print 2>/dev/null
  } | while IFS= read -r file; do
    printf '%s["%s","' "$comma" "$(printf '%s\n' "$file" | json_escape)"
    $files_sudo cat "$file" | json_lines
    printf '"]'
    comma=,
  done
}

odd_files() {
  [ -d "$root/stacks" ] && cd "$root" || return 0
  $files_sudo find stacks ! -type d -path '*[[:cntrl:]]*' -exec sh -c 'echo $#' sh {} + 2>/dev/null
}

# Some of it may be for its owner alone, and what a power cut has left may be no file at all.
file_text() {
  { [ -f "$root/$1" ] || $files_sudo test -f "$root/$1"; } && $files_sudo cat "$root/$1"
} 2>/dev/null

# "NAME" of every rollout that has not ended (rollout/record.py), with commas.
open_rollouts() {
  [ -d "$root/rollouts" ] || return 0
  $files_sudo find "$root/rollouts" -name '*.json' -exec \
    grep -l -e '"progress": "running"' -e '"progress": "stopped"' {} + 2>/dev/null |
    sort | sed 's/.*\///; s/\.json$/"/; s/^/"/' | paste -s -d , -
}

print_host() {
  printf '"host":{'
  text_member os "$(uname -s)"
  printf ','
  text_member arch "$(uname -m)"
  printf ','
  text_member hostname "$(uname -n)"
  printf ','
  text_member user "$(id -un)"
  printf ','
  text_member home "$HOME"
  printf ','
  text_member root "$root"
  printf ',"root_state":"%s","files_sudo":%s' "$root_state" "$(boolean "$files_sudo")"
  disk=$(disk_free)
  printf ',"uid":%s,"disk_free_kib":%s,"epoch":%s}' "$(id -u)" "${disk:-0}" "$(date +%s)"
}

boolean() {
  if [ -n "$1" ]; then printf 'true'; else printf 'false'; fi
}

# stdin: the answer of engine_info, which runs beside this function; fd 3: that of files.
print_document() {
  containers=$(inspect container $ids)
  images=$(inspect image $(printf '%s\n' $IMAGES $(kept_images) | sort -u) $(images_of "$containers"))
  info=$(cat)
  odd_count=$(odd_files)
  printf '\n{"paisctl":1,'
  print_host
  printf ',"docker":{"sudo":%s,"info":%s,' "$(boolean "$docker_sudo")" "${info:-null}"
  text_member path "$docker"
  printf ','
  text_member error "$docker_error"
  printf '},"containers":%s,"images":%s' "${containers:-[]}" "${images:-[]}"
  printf ',"files":[%s],"odd_files":%s' "$(cat <&3)" "${odd_count:-0}"
  printf ',"texts":[%s]' "$(texts </dev/null)"
  printf ',"manifest":"%s"' "$(file_text manifest.json | json_lines)"
  printf ',"lock":"%s","lock_alive":%s' "$(file_text lock | json_lines)" "$(lock_alive)"
  printf ',"audit":[%s],"generations":[%s]' "$(audit)" "$(generations)"
  printf ',"open_rollouts":[%s]' "$(open_rollouts)"
  printf ',"kept_files":[%s]}\n' "$(kept_files)"
}

main() {
  set -f
  LC_ALL=C
  export LC_ALL
  unset CDPATH TIME_STYLE QUOTING_STYLE
  find_root
  try_docker
  files </dev/null | {
    exec 3<&0
    engine_info </dev/null | print_document
  }
}

main
