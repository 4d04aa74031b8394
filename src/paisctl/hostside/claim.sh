# Hold a claim, as on a rollout, for as long as whoever asked for it is there.
#
# Variables set in front of this text:
#   ROOT   the managed directory, absolute; or another one that is there
#   FOLDER the directory below it for such claims
#   NAME   what is claimed, such as the rollout
#   RUN    names this run
#   HOLDER who it is, and with what: a JSON string
#
# Answers `@paisctl held`, or `@paisctl taken ` and who has it. Then reads lines, one at least every
# PATIENCE seconds, until there are no more, and gives the claim back. A claim without a sign of life for
# so long is nobody's. Only this host's clock is asked, so it may be wrong.

BEAT=5
PATIENCE=60

now() { date +%s; }

write_claim() {
  printf '{"run":"%s","holder":%s,"heartbeat":%s}\n' "$RUN" "$HOLDER" "$(now)" >"$own" || exit 1
}

# field NAME FILE
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2" 2>/dev/null; }

is_ours() { [ "$(field run "$claim")" = "$RUN" ]; }

is_abandoned() {
  heartbeat=$(field heartbeat "$1")
  [ $(($(now) - ${heartbeat:-0})) -gt "$PATIENCE" ]
}

# Whole from its first moment, and by one of us only: link(2) does not replace.
take() {
  ln "$own" "$claim" 2>/dev/null && return
  [ -e "$claim" ] && is_abandoned "$claim" || return 1
  # Another may have found it abandoned as well, and have taken it meanwhile.
  mv -f "$claim" "$own.old" || return 1
  if is_abandoned "$own.old"; then
    rm -f "$own.old"
    ln "$own" "$claim"
  else
    ln "$own.old" "$claim"
    rm -f "$own.old"
    return 1
  fi
} 2>/dev/null

# Renamed into place: who looks in the middle of it would read nothing.
listen() {
  now >"$own.now" && mv -f "$own.now" "$own.heard"
}

remove() {
  is_ours && rm -f "$claim"
  rm -f "$own" "$own.heard" "$own.now"
}

give_back() {
  trap - EXIT HUP INT TERM
  [ "$beat" ] && kill "$beat" 2>/dev/null
  remove
  exit
}

# A laptop that was closed says nothing any more, and its connection may stand for hours.
watch() {
  while sleep "$BEAT" && kill -0 "$$" 2>/dev/null && is_ours; do
    [ $(($(now) - $(cat "$own.heard"))) -le "$PATIENCE" ] || break
    write_claim && mv -f "$own" "$claim"
  done
  remove
  kill -KILL "$$" 2>/dev/null # it reads, and some shells would let a trap wait for a line
}

main() {
  LC_ALL=C
  export LC_ALL
  umask 022
  beat=''
  claim=$ROOT/$FOLDER/$NAME.claim
  own=$claim.$RUN
  mkdir -p "$ROOT/$FOLDER" || exit 1
  trap give_back EXIT HUP INT TERM
  write_claim
  if ! take; then
    # Nobody has it, and yet it cannot be had: the file system may know no hard links.
    [ -e "$claim" ] || { ln "$own" "$claim"; exit 1; }
    printf '@paisctl taken %s\n' "$(sed -n 's/.*"holder":"\(.*\)","heartbeat.*/\1/p' "$claim")"
    exit 0
  fi
  listen
  watch </dev/null >/dev/null 2>&1 &
  beat=$!
  echo '@paisctl held'
  while read -r _; do listen; done
}

main
