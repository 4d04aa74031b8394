# Write down what is remembered of a rollout or a device; a reader sees the old text or the new one.
#
# Variables set in front of this text:
#   ROOT    the managed directory, absolute
#   FOLDER  where below it; rollouts if it is empty
#   NAME    the rollout, or the device
#   TEXT    the record

umask 022
folder=$ROOT/${FOLDER:-rollouts}
mkdir -p "$folder" || exit 1
file=$folder/$NAME.json
printf '%s' "$TEXT" >"$file.$$" || exit 1
mv -f "$file.$$" "$file" || exit 1
echo '@paisctl kept'
