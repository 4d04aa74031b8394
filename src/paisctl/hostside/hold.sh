# Place a hold, or release one. Sent behind holds.sh.
#
# Variables set in front of this text:
#   ROOT   the managed directory, absolute
#   NAME   what the hold's file is called, without its ending
#   TEXT   the hold; empty to release it
#   ENTRY  what is written to audit.log: the members of a JSON object but for the time
#
# Answers with one line, `@paisctl ` and a word: done, or gone where there was none to release.

answer() {
  printf '@paisctl %s\n' "$1"
  exit 0
}

main() {
  LC_ALL=C
  export LC_ALL
  umask 022
  mkdir -p "$ROOT/holds" || exit 1
  drop_ended_holds
  file=$ROOT/holds/$NAME.json
  if [ "$TEXT" ]; then
    printf '%s\n' "$TEXT" >"$file.$$" && mv -f "$file.$$" "$file" || exit 1
  else
    [ -e "$file" ] || answer gone
    rm -f "$file" || exit 1
  fi
  # A power cut may have torn the last line.
  [ -z "$(tail -c 1 "$ROOT/audit.log" 2>/dev/null)" ] || echo >>"$ROOT/audit.log"
  printf '{"time":"%s",%s}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$ENTRY" >>"$ROOT/audit.log"
  answer 'done'
}

main
