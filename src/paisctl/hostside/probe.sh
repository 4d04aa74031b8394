# Read a host, change nothing. Sent behind document.sh and memory.sh.
#
# Prints one JSON document on a line of its own, then leads whoever listens to the Docker engine: after
# the word `engine` on stdin, what follows there goes to the Engine API and its answers come back, all
# through one process. Starting docker is what costs most here: 10 to 40 ms each time, more on a small
# board, and `docker info` alone starts every plugin besides. Last comes a line about that process.
#
# For any POSIX sh (dash, BusyBox ash, macOS, DSM): no Python, no jq, no GNU options, and no
# temporary files, since to plan is to leave a host as it is. Programs are started sparingly.
#
# Variables set in front of this text:
#   ROOT    the managed directory; may begin with ~/
#   DOCKER  absolute path of docker, or empty: look for it
#   SUDO    yes or no: whether docker needs `sudo -n`; empty: find out
#   TEXTS   yes: also what is in the files that everybody may read
#   HISTORY yes: also the generations that are kept, and all of audit.log

# shellcheck disable=SC2086,SC2046 # lists of words, split on purpose (no globbing: set -f)
# shellcheck disable=SC2153 # upper case comes from outside, lower case is ours

tab='	'

# A text on stdin as the inside of a JSON string, its line ends as \n.
json_lines() {
  tr -d '\000-\010\013-\037' | json_escape | awk '{ printf "%s\\n", $0 }'
}

# Each line on stdin as the inside of a JSON string.
json_escape() {
  sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g"
}

# A value as a JSON string, its last line end left out.
json_string() {
  case $1 in
    '') printf '""' ;;
    *) printf '"%s"' "$(printf '%s' "$1" | json_lines | sed 's/\\n$//')" ;;
  esac
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

# The files below ROOT/stacks: for each what `ls` and the program for SHA-256 say of it, in any order. Names
# with control characters are only counted: no stack of ours has any. One ls for all plain names; some ls
# replace other characters by question marks, so that those names are asked for one by one. No `-exec … +`
# is within parentheses: BusyBox would never come to it.
list_files() {
  [ -d "$root/stacks" ] && cd "$root" || return 0
  find_sha256
  # shellcheck disable=SC2016 # the inner shells expand it
  $files_sudo find stacks \
    ! -type d -path "$controls" -exec sh -c 'for file do echo control; done' sh {} + \
    -o -type f -path "$odd" -exec $sha256 {} + -exec sh -c '
      for file do
        line=$(ls -ldn "$file")
        printf "odd %s %s\n" "${line%% *}" "$file"
      done' sh {} + \
    -o -type f -exec $sha256 {} + -exec ls -ldn {} + \
    -o -type l -print 2>/dev/null
}
odd='*[!A-Za-z0-9._/@+,=:-]*'
controls='*[[:cntrl:]]*'

# What prints "<digest>  <path>" lines: sets sha256.
find_sha256() {
  if command -v sha256sum >/dev/null; then
    sha256=sha256sum
  elif command -v shasum >/dev/null; then
    sha256='shasum -a 256'
  else
    sha256='openssl dgst -sha256 -r'
  fi
}

# ["PATH","TEXT"] for every file below ROOT/stacks that everybody may read, up to 64 KiB each; and
# for what is kept of such files.
texts() {
  [ "$TEXTS" = yes ] && [ -d "$root/stacks" ] && cd "$root" || return 0
  comma=''
  {
    $files_sudo find stacks -type f ! -path "$controls" -perm -044 -size -129 -print 2>/dev/null
    [ "$HISTORY" != yes ] || $files_sudo find generations/kept -path '*/files/*' -type f \
      ! -path '*[[:cntrl:]]*' -perm -044 -size -129 -print 2>/dev/null
  } | while IFS= read -r file; do
    printf '%s["%s","' "$comma" "$(printf '%s\n' "$file" | json_escape)"
    $files_sudo cat "$file" | json_lines
    printf '"]'
    comma=,
  done
}

# Some of it may be for its owner alone, and what a power cut has left may be no file at all.
file_text() {
  has_file "$1" && $files_sudo cat "$root/$1"
} 2>/dev/null

has_file() {
  [ -f "$root/$1" ] || $files_sudo test -f "$root/$1"
} 2>/dev/null

# NAME of every rollout that has not ended (rollout/record.py).
open_rollouts() {
  [ -d "$root/rollouts" ] || return 0
  $files_sudo find "$root/rollouts" -name '*.json' -exec \
    grep -l -e '"progress": "running"' -e '"progress": "stopped"' {} + 2>/dev/null |
    sort | sed 's/.*\///; s/\.json$//'
}

# Whether the kernel counts memory, so that a limit means something: false on a Raspberry Pi that was not
# told to. The kernel's cgroup-v2.rst and cgroup-v1/cgroups.rst name these files; a Mac has neither.
memory_cgroup() {
  if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    case " $controllers " in
      *' memory '*) echo true ;;
      *) echo false ;;
    esac
    return
  fi
  counts=true
  while read -r name _ _ enabled; do
    [ "$name:$enabled" != memory:0 ] || counts=false
  done </proc/cgroups
  echo "$counts"
} 2>/dev/null

boolean() {
  if [ -n "$1" ]; then echo true; else echo false; fi
}

print_host() {
  value string user "$(id -un)"
  value string root "$root"
  value string root_state "$root_state"
  part word files_sudo && boolean "$files_sudo"
  part word memory_cgroup && memory_cgroup
  part string os && uname -s
  part free disk_free_kib && df -Pk "$existing" 2>/dev/null
  part word epoch && date +%s
}

# All parts but those that are JSON already.
print_parts() {
  part object host
  print_host
  part end
  value string docker "$docker"
  part text manifest && file_text manifest.json
  part text lock && file_text lock
  part word lock_alive && lock_alive
  audit
  part list open_rollouts && open_rollouts
  part list remembered && records fleet
  part list holds && records holds
  part list kept_files && kept_files
  part list kept_images && kept_images
  part files files && list_files
}

print_document() {
  print_parts | tr -d '\000\002-\010\013-\037' | encode
  printf ',"texts":['
  texts
  printf '],"generations":['
  generations
  printf ']}\n'
}

# Lead to the engine whoever listens, once they say so; then tell how that went.
reach_engine() {
  docker_sudo='' docker_error='docker: not found'
  if [ -n "$docker" ]; then
    until [ "$word" = engine ]; do
      read -r word _ || return 0
    done
    PATH=$PATH:${docker%/*} # for credential helpers beside it
    try_docker
  fi
  printf '{"sudo":%s,"compose":"%s","error":%s}\n' \
    "$(boolean "$docker_sudo")" "$(compose_version)" "$(json_string "$docker_error")"
}
word=''

# Find out how docker answers, by talking to it. It reads nothing before it has reached the engine, so
# that what does not succeed leaves everything to the next attempt. Sets docker_sudo, docker_error.
try_docker() {
  attempts='plain sudo'
  case $SUDO in
    yes) attempts=sudo ;;
    no) attempts=plain ;;
    *) [ ! -S "$socket" ] || [ -w "$socket" ] || attempts='sudo plain' ;;
  esac
  docker_error=''
  exec 5>&1
  for attempt in $attempts; do
    docker_sudo=''
    [ "$attempt" = plain ] || docker_sudo='sudo -n'
    if said=$($docker_sudo "$docker" system dial-stdio 2>&1 >&5); then
      docker_error=''
      return 0
    fi
    docker_error="$docker_error${docker_error:+; }$said"
    case $attempt:$said in
      plain:*'permission denied'* | sudo:*) ;;
      *) return 0 ;;
    esac
  done
}
socket=/var/run/docker.sock

# The version of Compose. Not asked for where it has been at work before: it takes longer than the rest.
compose_version() {
  if [ -n "$docker_error" ] || has_file manifest.json; then
    return 0
  fi
  $docker_sudo "$docker" compose version --short </dev/null 2>/dev/null
}

main() {
  set -f
  LC_ALL=C
  export LC_ALL
  unset CDPATH TIME_STYLE QUOTING_STYLE
  find_root
  find_docker
  print_document </dev/null
  reach_engine
}

main
