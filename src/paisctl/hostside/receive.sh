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

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum
  elif command -v shasum >/dev/null; then
    shasum -a 256
  else
    openssl dgst -sha256 -r
  fi
}

# Nothing of a delivery that is not carried out stays: there are secrets in it.
refuse() {
  [ -z "$staging" ] || rm -rf "$staging"
  printf '@paisctl {"event":"refused","detail":"%s"}\n' "$1"
  exit 1
}

main() {
  LC_ALL=C
  export LC_ALL
  umask 022
  staging=''
  mkdir -p "$ROOT" || refuse 'its managed directory cannot be made'
  staging=$ROOT/staging/$RUN
  umask 077
  { mkdir -p "$ROOT/staging" && mkdir "$staging"; } || refuse 'no staging directory can be made'
  printf '@paisctl {"event":"ready"}\n'
  head -c "$SIZE" >"$staging/delivery.tar" ||
    refuse 'the delivery cannot be stored, perhaps for want of space'
  arrived=$(sha256 <"$staging/delivery.tar")
  [ "${arrived%% *}" = "$DIGEST" ] || refuse 'the delivery arrived damaged'
  umask 022
  # o: the files belong to whoever runs this, not to numbers in the archive.
  (cd "$staging" && tar xof delivery.tar) ||
    refuse 'the delivery cannot be unpacked, perhaps for want of space'
  rm -f "$staging/delivery.tar"
  exec sh "$staging/run.sh"
}

main
