# What nobody may change for now, for apply.sh and hold.sh: ROOT/holds/STACK.json, or _device.json for
# all of the host. A hold ends by itself, by this host's clock.

# shellcheck disable=SC2154 # variables of the other files

# end_of_hold FILE: seconds since 1970; nothing where it cannot be read.
end_of_hold() {
  sed -n 's/^{"until": *\([0-9]\{1,12\}\),.*/\1/p' "$1"
}

# has_ended FILE: one that is damaged holds until it is released.
has_ended() {
  end=$(end_of_hold "$1")
  [ "$end" ] && [ "$end" -le "$(date +%s)" ]
}

# is_held STACK: whether it must not be changed; `problem` says why.
is_held() {
  for hold in "$ROOT/holds/$1.json" "$ROOT/holds/_device.json"; do
    if grep -q . "$hold" 2>/dev/null && ! has_ended "$hold"; then
      problem=$(sed -n 's/.*"said": "\(.*\)"}$/\1/p' "$hold" | sed 's/\\\(["\\]\)/\1/g')
      problem=${problem:-held by somebody (the hold is damaged)}
      return 0
    fi
  done
  return 1
}

drop_ended_holds() {
  for hold in "$ROOT"/holds/*.json; do
    [ ! -f "$hold" ] || ! has_ended "$hold" || rm -f "$hold"
  done
}
