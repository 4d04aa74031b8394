# The words that a run.sh is written in. It sources this file, files.sh and wait.sh, and then reads
# like its plan:
#
#   begin_run
#   begin_stack qdrant
#   step 'pull qdrant/qdrant:v1.18.3' pull qdrant/qdrant:v1.18.3
#   step 'install compose.yaml 0644' install_file compose.yaml 0644
#   step 'create qdrant' compose_up qdrant
#   step 'wait for qdrant up to 60 s' wait_healthy 60 qdrant
#   end_stack
#   end_run
#
# Variables that run.sh sets before: ROOT, STAGING, DOCKER (absolute path), DOCKER_SUDO (`sudo -n` or
# empty), WHO (who applies, from where), GENERATION, and those of probe.sh for the last look.
#
# Events go to stdout, one line each: `@paisctl ` and a JSON object. What programs print goes to a
# log in STAGING, and its end into the event of a step that fails.

# shellcheck disable=SC2034,SC2154 # variables of files.sh, wait.sh and run.sh
# shellcheck disable=SC2086 # DOCKER_SUDO is two words or none
# shellcheck disable=SC2317 # functions that only a run.sh calls

# ---- events ----------------------------------------------------------------------------------

escape_character=$(printf '\033')
tab=$(printf '\t')

# Each line on stdin as a JSON string, separated by commas; colours and control characters dropped.
json_strings() {
  tr '\r' '\n' | sed "s/$escape_character\[[0-9;]*[A-Za-z]//g" | tr -d '\000-\010\013-\037' |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g" |
    awk '{ printf "%s\"%s\"", comma, $0; comma = "," }'
}

json_string() {
  case $1 in
    *[!A-Za-z0-9\ ._/@+,:\;-]*) { printf '%s' "$1" | tr '\n\r' '  ' && echo; } | json_strings ;;
    *) printf '"%s"' "$1" ;;
  esac
}

# emit EVENT STEP DETAIL [LOG]: LOG is the inside of a JSON array.
emit() {
  printf '@paisctl {"event":"%s","stack":%s,"step":%s,"detail":%s,"log":[%s]}\n' \
    "$1" "$(json_string "$STACK")" "$(json_string "$2")" "$(json_string "$3")" "${4-}" >&3
} 2>/dev/null

# ---- a run -----------------------------------------------------------------------------------

begin_run() {
  # Whoever listens may go away; what was begun is still brought to its end.
  trap '' PIPE HUP
  exec 3>&1 4<&0
  PATH=$PATH:$(dirname "$DOCKER")
  unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_ENV_FILES COMPOSE_REMOVE_ORPHANS
  STACK='' outcomes='' stopped=''
  mkdir -p "$ROOT/stacks" || give_up "$ROOT/stacks cannot be made"
  real_root=$(cd -P "$ROOT" && pwd -P)
  take_lock || give_up "$(cannot_lock)"
}

give_up() {
  emit refused '' "$1"
  rm -rf "$STAGING"
  exit 1
}

# One apply at a time. The lock of a process that is no more is nobody's.
take_lock() {
  claim_lock && return 0
  # A power cut leaves an empty lock; and so does, for a moment, who is about to write it.
  [ -s "$ROOT/lock" ] || sleep 1
  holder=''
  read -r _ holder _ <"$ROOT/lock"
  ! is_applying "${holder%,}" || return 1
  rm -f "$ROOT/lock"
  claim_lock
} 2>/dev/null

# After a restart of the host a number may be another process's: where /proc tells, it is asked.
is_applying() {
  [ "$1" ] || return 1
  if [ -r "/proc/$1/cmdline" ]; then
    grep -q /run.sh "/proc/$1/cmdline"
  else
    kill -0 "$1" || [ -d "/proc/$1" ]
  fi
}

cannot_lock() {
  if [ -s "$ROOT/lock" ]; then
    echo "another apply is running on it: $(cat "$ROOT/lock")"
  else
    rm -f "$ROOT/lock"
    echo "$ROOT/lock cannot be written"
  fi
}

claim_lock() (
  set -C
  printf 'process %s, %s\n' "$$" "$WHO" >"$ROOT/lock"
)

end_run() {
  printf '%s %s apply generation %s:%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$WHO" "$GENERATION" \
    "$outcomes" >>"$ROOT/audit.log"
  look_again=$(cat "$STAGING/probe.sh")
  cd /
  rm -rf "$STAGING"
  find "$ROOT/staging"/* -type d -prune -mtime +0 -exec rm -rf {} + 2>/dev/null
  rmdir "$ROOT/staging" 2>/dev/null
  rm -f "$ROOT/lock"
  emit observation '' ''
  printf '%s\n' "$look_again" | sh -s
}

# ---- a stack ---------------------------------------------------------------------------------

# Wait for the word to begin; without anybody to give it, stop before this stack.
begin_stack() {
  STACK=$1 state=ok
  DIRECTORY=$ROOT/stacks/$STACK
  emit waiting '' ''
  word=''
  [ "$stopped" ] || read -r word _ <&4 || stopped=yes
  if [ "$word" != go ]; then
    state=skipped
    outcomes="$outcomes $STACK skipped"
    emit skipped '' ''
  fi
}

# step TEXT FUNCTION ARGUMENT...: do one thing, unless something before it failed.
step() {
  [ "$state" = ok ] || return 0
  STEP=$1
  shift
  problem=''
  emit step "$STEP" ''
  if "$@" >"$STAGING/log" 2>&1 </dev/null; then
    return 0
  fi
  state=failed
  outcomes="$outcomes $STACK failed"
  [ "$problem" ] || problem=$(tr '\r' '\n' <"$STAGING/log" | grep . | tail -n 1)
  emit failed "$STEP" "$problem" "$(tail -n 20 "$STAGING/log" | json_strings)"
}

end_stack() {
  [ "$state" = ok ] || return 0
  if [ -f "$STAGING/fragments/$STACK.new" ]; then
    mv -f "$STAGING/fragments/$STACK.new" "$STAGING/fragments/$STACK.line"
  else
    rm -f "$STAGING/fragments/$STACK.line"
  fi
  step 'write manifest.json' write_manifest
  [ "$state" = ok ] || return 0
  outcomes="$outcomes $STACK applied"
  emit applied '' ''
}

# One line per stack between a first and a last one, as JSON wants its commas.
write_manifest() {
  {
    cat "$STAGING/fragments/header" || return 1
    comma=''
    for line in "$STAGING"/fragments/*.line; do
      [ -f "$line" ] || continue
      printf '%s\n' "$comma"
      cat "$line" || return 1
      comma=,
    done
    printf '\n}}\n'
  } >"$STAGING/manifest.json" && mv -f "$STAGING/manifest.json" "$ROOT/manifest.json"
}

# ---- containers ------------------------------------------------------------------------------

docker() {
  $DOCKER_SUDO "$DOCKER" "$@"
}

pull() {
  docker pull "$1"
}

# Never with --yes, which would let Compose recreate a volume; nor with --volumes.
compose() {
  if [ -f "$DIRECTORY/compose.override.yaml" ]; then
    set -- --file "$DIRECTORY/compose.override.yaml" "$@"
  fi
  docker compose --ansi never --project-name "$STACK" --project-directory "$DIRECTORY" \
    --file "$DIRECTORY/compose.yaml" "$@"
}

# compose_up [--force-recreate] SERVICE...
compose_up() {
  compose up --detach --no-deps --no-build --pull never "$@"
}

compose_down() {
  # By the labels of what runs: a file may be gone, or know less than was once started.
  (cd / && docker compose --ansi never --project-name "$1" down)
}

# revive COMMAND SERVICE...: start, unpause or restart the containers of services.
revive() {
  command=$1
  shift
  find_containers "$@" && docker "$command" $containers
}

# signal_service SIGNAL SERVICE
signal_service() {
  find_containers "$2" && docker kill --signal "$1" $containers
}

remove_container() {
  docker rm --force "$1"
}

disconnect_network() {
  docker network disconnect --force "$1" "$2"
}

# The containers of services of this stack, in `containers`; each service must have one.
find_containers() {
  docker ps --all --no-trunc --filter "label=com.docker.compose.project=$STACK" \
    --filter label=com.docker.compose.oneoff=False \
    --format '{{.ID}} {{.Label "com.docker.compose.service"}}' >"$STAGING/containers" || return 1
  containers=''
  for service in "$@"; do
    ids=$(sed -n "s/ $service\$//p" "$STAGING/containers")
    if [ -z "$ids" ]; then
      problem="service $service has no container"
      return 1
    fi
    containers="$containers $ids"
  done
}
