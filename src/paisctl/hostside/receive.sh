# Take delivery of an apply: a tar archive on stdin, right behind this text, and run what is in it.
#
# Variables set in front of this text:
#   ROOT    the managed directory, absolute
#   RUN     the name of this run
#   SIZE    how many bytes the archive has
#   DIGEST  its SHA-256
#
# The archive is sent only after "ready": until then nothing is there that a shell could read ahead
# of its program, and after it nothing follows that `head` could.
#
# The run itself is a process of its own: it goes on when this one is killed together with the
# connection. What the controller says reaches it through a pipe with a name, whose end it sees when
# the controller has gone. A run that has come to its end is followed by another look at the host.

# Nothing of a delivery that is not carried out stays: there are secrets in it.
refuse() {
  [ -z "$staging" ] || rm -rf "$staging"
  printf '@paisctl {"event":"refused","detail":"%s"}\n' "$1"
  exit 1
}

# Pass words on, and note when the controller was last heard of: it says `here` when it has nothing
# else to say.
relay() {
  date +%s >"$staging/heard"
  exec >"$staging/words"
  while read -r word; do
    date +%s >"$staging/heard"
    [ "$word" = here ] || printf '%s\n' "$word"
  done
} 2>/dev/null

run() {
  if command -v setsid >/dev/null; then
    setsid sh "$staging/run.sh"
  else
    sh "$staging/run.sh"
  fi
}

main() {
  LC_ALL=C
  export LC_ALL
  umask 022
  staging=''
  mkdir -p "$ROOT" || refuse 'its managed directory cannot be made'
  staging=$ROOT/staging/$RUN
  umask 077
  { mkdir -p "$ROOT/staging" && mkdir "$ROOT/staging/.$RUN" &&
    echo "$$" >"$ROOT/staging/.$RUN/process" && mv "$ROOT/staging/.$RUN" "$staging"; } ||
    refuse 'no staging directory can be made'
  printf '@paisctl {"event":"ready"}\n'
  head -c "$SIZE" >"$staging/delivery.tar" ||
    refuse 'the delivery cannot be stored, perhaps for want of space'
  arrived=$(sha256 <"$staging/delivery.tar")
  [ "${arrived%% *}" = "$DIGEST" ] || refuse 'the delivery arrived damaged'
  umask 022
  # o: the files belong to whoever runs this, not to numbers in the archive.
  (cd "$staging" && tar xof delivery.tar && mkfifo words) ||
    refuse 'the delivery cannot be unpacked, perhaps for want of space'
  look_again=$(cat "$staging/probe.sh") # the run removes it
  mv "$staging/delivery.tar" "$staging/reserve" # makes room for going back when the disk is full
  exec 6<&0 # what runs in the background has an empty stdin, unless it is another number
  run <"$staging/words" 6<&- &
  runner=$!
  relay <&6 6<&- &
  echo "$!" >"$staging/relay"
  relay=$!
  wait "$runner"
  status=$?
  { kill "$relay"; wait "$relay"; } 2>/dev/null
  [ "$status" -eq 0 ] || exit "$status"
  eval "$look_again" <&6
}

main
