# The lock of a host, for apply.sh: who changes it, and whether they still live.
#
# A lock is a lease: it holds as long as its process lives. Where that cannot be judged, a sign of
# life that is older than LEASE ends it. Only this host's clock is asked, so it may be wrong.

# shellcheck disable=SC2034,SC2153,SC2154 # variables and functions of apply.sh and run.sh

HEARTBEAT=5 # seconds between two signs of life
LEASE=60    # seconds without one, after which nobody is thought to be there

# take_lock: wait for it up to WAIT seconds; `problem` says who has it.
take_lock() {
  deadline=$(($(date +%s) + WAIT)) told='' tries=0
  until claim_lock; do
    if [ -d "$ROOT/lock" ]; then
      problem="$ROOT/lock is a directory"
      return 1
    fi
    if [ ! -e "$ROOT/lock" ]; then # given back just now, or never to be had
      tries=$((tries + 1)) problem="$ROOT/lock cannot be written"
      [ "$tries" -lt 5 ] || return 1
      continue
    fi
    if is_abandoned "$ROOT/lock"; then
      take_away && continue
      problem="$ROOT/lock is of a run that is no more, but cannot be removed"
      return 1
    fi
    problem="it is being changed by $(holder "$ROOT/lock")"
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    [ "$told" ] || emit lock-awaited '' "$(holder "$ROOT/lock")"
    told=yes
    sleep 1
  done
}

# Whole from its first moment, and by one of us only: link(2) does not replace.
claim_lock() {
  [ ! -d "$ROOT/lock" ] && describe_lock >"$STAGING/lock" &&
    ln "$STAGING/lock" "$ROOT/lock" 2>/dev/null
}

describe_lock() {
  printf '{"run":"%s","who":%s,"machine":%s,"command":%s,"process":%s,"started":%s,"heartbeat":%s}\n' \
    "$RUN" "$(json_string "$WHO")" "$(json_string "$MACHINE")" "$(json_string "$COMMAND")" \
    "$$" "$started" "$(date +%s)"
}

# Who has looked at a lock and found it abandoned may be late: another has taken it meanwhile.
take_away() {
  rm -f "$STAGING/abandoned" # two links to one file: some mv do nothing then
  mv -f "$ROOT/lock" "$STAGING/abandoned" || {
    [ ! -e "$ROOT/lock" ]
    return
  }
  is_abandoned "$STAGING/abandoned" || ln "$STAGING/abandoned" "$ROOT/lock" || return 0
} 2>/dev/null

# field NAME FILE: a number or plain text of a lock.
field() {
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2" 2>/dev/null
}

holder() {
  echo "$(field who "$1")@$(field machine "$1") ($(field command "$1"))"
}

is_abandoned() {
  process=$(field process "$1")
  case $process in
    '' | *[!0-9]*) return 0 ;; # torn by a power cut
  esac
  is_applying "$process" "$(field run "$1")"
  case $? in
    0) return 1 ;;
    1) return 0 ;;
  esac
  heartbeat=$(field heartbeat "$1")
  [ $(($(date +%s) - ${heartbeat:-0})) -gt "$LEASE" ]
}

# is_applying PROCESS RUN: 0: it is that run; 1: it is not, or not any more; 2: nobody knows. Its number
# may be another's after a restart of the host, so its command is looked at.
is_applying() {
  running=$(command_of "$1")
  [ $? -ne 2 ] || return 2
  case $running in
    */"$2"/run.sh*) ;;
    *) return 1 ;;
  esac
}

# Where /proc does not show the first process, it shows us only our own.
command_of() {
  if [ -r "/proc/$1/cmdline" ]; then
    tr '\000' ' ' <"/proc/$1/cmdline"
  elif [ -r /proc/1/cmdline ]; then
    return 1
  elif [ ! -r /proc/self/cmdline ] && command -v ps >/dev/null; then
    ps -p "$1" -o command= || return 1
  else
    return 2
  fi
} 2>/dev/null

# Whether the lock is still ours: somebody may have taken it away by `paisctl unlock`.
holds_lock() {
  read -r lock_line <"$ROOT/lock" || return 1
  case $lock_line in
    *"\"run\":\"$RUN\""*) ;;
    *) return 1 ;;
  esac
} 2>/dev/null

# Signs of life, and an eye on whoever gives the word: a laptop that was closed says nothing any
# more, and its connection may stand for hours.
start_heartbeat() {
  started=$(date +%s)
  beat >/dev/null 2>&1 3>&- 4<&- </dev/null &
  heart=$!
}

beat() {
  while sleep "$HEARTBEAT" && kill -0 "$$"; do
    holds_lock && describe_lock >"$STAGING/beat" && holds_lock && mv -f "$STAGING/beat" "$ROOT/lock"
    if [ -f "$STAGING/asking" ] && is_silent; then
      kill "$(cat "$STAGING/relay")"
    fi
  done
}

# The relay notes when it last heard of the controller, which says something every ten seconds.
is_silent() {
  read -r heard <"$STAGING/heard" && [ $(($(date +%s) - heard)) -gt "$LEASE" ]
}
