# The words that a run.sh is written in. It sources this file and the others beside it, and then
# reads like its plan:
#
#   begin_run
#   begin_stack qdrant
#   step 'pull qdrant/qdrant:v1.18.3' pull qdrant/qdrant:v1.18.3
#   begin_changes
#   step 'install compose.yaml 0644' install_file compose.yaml 0644
#   step 'create qdrant' compose_up qdrant
#   step 'wait for qdrant up to 60 s' wait_healthy 60 qdrant
#   end_stack
#   end_run
#
# Variables that run.sh sets before: ROOT, STAGING, RUN (its name), DOCKER (absolute path),
# DOCKER_SUDO (`sudo -n` or empty), WHO, MACHINE, COMMAND, REVISION and PLAN (for lock and log),
# BEFORE (the generation there is), PLANNED (SHA-256 of the manifest that was planned on, or empty),
# ROLLBACK and HOLDS (yes or no), WAIT (seconds for somebody else's lock), KEEP (how many generations), and
# those of probe.sh for the last look.
#
# Events go to stdout, one line each: `@paisctl ` and a JSON object. What programs print goes to a
# log in STAGING, and its end into the event of a step that fails. What the controller says comes on
# stdin: `lock`, then `go` or `skip` for each stack; its end means that there is no controller.

# shellcheck disable=SC2034,SC2154 # variables of the other files and of run.sh
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
  trap '' PIPE HUP INT
  exec 3>&1 4<&0
  PATH=$PATH:$(dirname "$DOCKER")
  unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_ENV_FILES COMPOSE_REMOVE_ORPHANS
  STACK='' STEP='' stopped='' obstacle='' outcomes='' changed='' touched='' stranded=''
  echo "$$" >"$STAGING/process"
  start_heartbeat
  mkdir -p "$ROOT/stacks" "$ROOT/metrics" || give_up "$ROOT/stacks cannot be made"
  real_root=$(cd -P "$ROOT" && pwd -P)
  emit locking '' ''
  ask_for_word
  [ "$word" = lock ] || withdraw
  take_lock || give_up "$problem" held
  is_as_planned || give_up 'it was changed since the plan was made' moved
  drop_leftovers
  drop_ended_holds
  number_generation
  note began ''
  emit locked '' ''
}

# give_up WHY [EVENT]: before anything was changed.
give_up() {
  emit "${2-refused}" '' "$1"
  leave
  exit 1
}

withdraw() {
  emit withdrawn '' ''
  leave
  exit 1
}

# Last of all the lock: until then nobody else begins. Who writes into STAGING must end before it.
leave() {
  cd /
  { kill "$heart" "$(cat "$STAGING/relay")"; wait "$heart"; } 2>/dev/null
  rm -rf "$STAGING"
  rmdir "$ROOT/staging" 2>/dev/null
  ! holds_lock || rm -f "$ROOT/lock"
}

# The next word of the controller; none when it has gone.
ask_for_word() {
  word=''
  [ ! "$stopped" ] || return 0
  : >"$STAGING/asking"
  read -r word _ <&4 || stopped=yes
  rm -f "$STAGING/asking"
}

# Whether the manifest is the one that the plan was made from: there may have been an apply since.
is_as_planned() {
  rm -f "$STAGING/manifest.before"
  now=''
  if [ -s "$ROOT/manifest.json" ]; then
    cp "$ROOT/manifest.json" "$STAGING/manifest.before" || return 1
    now=$(tr -d '\000-\037' <"$STAGING/manifest.before" | sha256)
  fi
  [ "${now%% *}" = "$PLANNED" ]
}

# What runs that broke off have left: there are secrets in it. Others may wait, or still arrive.
drop_leftovers() {
  for left in "$ROOT"/staging/*; do
    [ "$left" != "$STAGING" ] || continue
    process=''
    read -r process 2>/dev/null <"$left/process"
    running=$(command_of "${process:-none}")
    case $?:$running in
      2:* | *:*/run.sh* | *:'sh -s'*) ;;
      *) rm -rf "$left" ;;
    esac
  done
}

# note EVENT MORE: a line of the audit log; MORE are further members of its object.
note() {
  # A power cut may have torn the last line.
  [ -z "$(tail -c 1 "$ROOT/audit.log" 2>/dev/null)" ] || echo >>"$ROOT/audit.log"
  printf '{"time":"%s","event":"%s","run":"%s","who":%s,"machine":%s,"command":%s,"generation":%s,"revision":%s,"plan":"%s"%s}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$RUN" "$(json_string "$WHO")" "$(json_string "$MACHINE")" \
    "$(json_string "$COMMAND")" "$BEFORE" "$(json_string "$REVISION")" "$PLAN" "$2" >>"$ROOT/audit.log"
}

end_run() {
  outcome=applied
  case $outcomes in
    *'"stranded"'*) outcome=stranded ;;
    *'"rolled-back"'*) outcome=rolled-back ;;
    *'"failed"'*) outcome=failed ;;
    *'"skipped"'*) outcome=stopped ;;
  esac
  if [ -f "$ROOT/generations/$GENERATION/record.json" ]; then
    BEFORE=$GENERATION
    ! holds_lock || prune_generations
  fi
  note ended ",\"stacks\":{${outcomes#,}},\"outcome\":\"$outcome\""
  leave
  emit observation '' ''
}

# ---- a stack ---------------------------------------------------------------------------------

# Wait for the word to begin; without anybody to give it, stop before this stack.
begin_stack() {
  STACK=$1 state=ok
  DIRECTORY=$ROOT/stacks/$STACK
  if [ "$obstacle" ]; then
    state=skipped
    end_as skipped "$obstacle"
    return
  fi
  emit waiting '' ''
  ask_for_word
  if [ "$word" != go ]; then
    state=skipped
    end_as skipped ''
  elif [ "$HOLDS" = yes ] && is_held "$STACK"; then # since it was planned
    state=skipped
    end_as skipped "$problem"
  fi
}

# From here on the stack is changed: what fails now has to be brought back.
begin_changes() {
  [ "$state" = ok ] || return 0
  touched="$STACK $touched"
}

# step TEXT FUNCTION ARGUMENT...: do one thing, unless something before it failed.
step() {
  [ "$state" = ok ] || return 0
  STEP=$1
  shift
  problem=''
  emit step "$STEP" ''
  if holds_lock; then
    attempt "$@" && return 0
    ! engine_was_away || ! attempt "$@" || return 0
    [ "$problem" ] || problem=$(tr '\r' '\n' <"$STAGING/log" | grep . | tail -n 1)
    has_room || problem="no space is left for $ROOT${problem:+: $problem}"
  else
    : >"$STAGING/log"
    problem='the lock of this run was taken away'
    obstacle=$problem
  fi
  state=failed
  emit broken "$STEP" "$problem" "$(tail -n 20 "$STAGING/log" | json_strings)"
}

has_room() {
  room=$(head -c 65536 /dev/zero >"$STAGING/room" && wc -c <"$STAGING/room")
  rm -f "$STAGING/room"
  [ "${room:-0}" -eq 65536 ]
} 2>/dev/null

attempt() {
  "$@" >"$STAGING/log" 2>&1 </dev/null
}

end_stack() {
  step "keep generation $GENERATION" record_stack
  case $state in
    ok) end_as applied ;;
    failed)
      case " $touched" in
        *" $STACK "*) if can_go_back; then go_back; else end_as failed; fi ;;
        *) end_as failed ;;
      esac
      ;;
  esac
}

# end_as OUTCOME [DETAIL]: a stack's last word; of several, the last one counts.
end_as() {
  outcomes="$outcomes,\"$STACK\":\"$1\""
  emit "$1" '' "${2-}"
}

# The manifest is written last: what it says is there.
record_stack() {
  set_fragments fragments old && set_fragments new fragments || return 1
  changed="$changed $STACK"
  write_manifest && keep_stack && keep_generation && holds_lock &&
    mv -f "$STAGING/manifest.json" "$ROOT/manifest.json" && return 0
  set_fragments old fragments # the next stack's manifest must not tell of this one
  changed=${changed% "$STACK"}
  return 1
}

# set_fragments FROM TO: what one folder of STAGING has or lacks about the stack, in the other, too.
set_fragments() {
  mkdir -p "$STAGING/$2" || return 1
  for part in line revision; do
    rm -f "$STAGING/$2/$STACK.$part"
    [ ! -f "$STAGING/$1/$STACK.$part" ] ||
      cp "$STAGING/$1/$STACK.$part" "$STAGING/$2/$STACK.$part" || return 1
  done
}

# One line per stack between a first and a last one, as JSON wants its commas.
write_manifest() {
  {
    cat "$STAGING/fragments/header" || return 1
    printf ', "generation": %s, "stacks": {' "$GENERATION"
    comma=''
    for line in "$STAGING"/fragments/*.line; do
      [ -f "$line" ] || continue
      printf '%s\n' "$comma"
      cat "$line" || return 1
      comma=,
    done
    printf '\n}}\n'
  } >"$STAGING/manifest.json"
}
