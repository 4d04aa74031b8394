# Write down what is remembered of a rollout; a reader sees the old text or the new one.
#
# Variables set in front of this text:
#   ROOT   the managed directory, absolute
#   NAME   the rollout
#   TEXT   the record

umask 022
mkdir -p "$ROOT/rollouts" || exit 1
file=$ROOT/rollouts/$NAME.json
printf '%s' "$TEXT" >"$file.$$" || exit 1
mv -f "$file.$$" "$file" || exit 1
echo '@paisctl kept'
