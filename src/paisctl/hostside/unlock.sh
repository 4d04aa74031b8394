# Take a lock away, if it is still the one that a person was shown. The run that holds it notices
# before its next step.
#
# Variables set in front of this text:
#   ROOT   the managed directory, absolute
#   RUN    the run that holds the lock; empty when it is damaged, then TEXT says which it is
#   TEXT   the text of the lock
#   ENTRY  what is written to audit.log: the members of a JSON object but for the time
#
# Answers with one line, `@paisctl ` and a word: unlocked, gone or changed.

answer() {
  printf '@paisctl %s\n' "$1"
  exit 0
}

is_the_same() {
  if [ "$RUN" ]; then
    [ "$(sed -n 's/.*"run": *"\([^"]*\)".*/\1/p' "$1")" = "$RUN" ]
  else
    [ "$(tr -d '\000-\010\013-\037' <"$1")" = "$TEXT" ]
  fi
}

main() {
  LC_ALL=C
  export LC_ALL
  umask 022
  [ -e "$ROOT/lock" ] || answer gone
  is_the_same "$ROOT/lock" || answer changed
  # Looked at again once nobody else can take it: another run may have it by now.
  mv -f "$ROOT/lock" "$ROOT/lock.$$" || exit 1
  if ! is_the_same "$ROOT/lock.$$"; then
    ln "$ROOT/lock.$$" "$ROOT/lock"
    rm -f "$ROOT/lock.$$"
    answer changed
  fi
  rm -f "$ROOT/lock.$$"
  # A power cut may have torn the last line.
  [ -z "$(tail -c 1 "$ROOT/audit.log" 2>/dev/null)" ] || echo >>"$ROOT/audit.log"
  printf '{"time":"%s",%s}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$ENTRY" >>"$ROOT/audit.log"
  answer unlocked
}

main
