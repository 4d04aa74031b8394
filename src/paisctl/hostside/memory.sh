# What paisctl has left on a host, for probe.sh: the lock, the audit log, generations.

# shellcheck disable=SC2154 # variables of probe.sh

# The lines of audit.log: all of them, or the last two of runs.
audit() {
  if [ "$HISTORY" = yes ]; then
    part list audit
    file_text audit.log
  else
    part runs audit
    ! has_file audit.log || $files_sudo tail -n 50 "$root/audit.log"
  fi
}

# Whether the process that took the lock lives: true, false, or null where nobody can tell. Its
# number may be another's after a restart of the host, so its command is looked at.
lock_alive() {
  if ! has_file lock; then
    echo null
    return
  fi
  process=$(file_text lock | sed -n 's/.*"process": *\([0-9][0-9]*\).*/\1/p' | head -n 1)
  if [ -z "$process" ]; then
    echo null
  elif $files_sudo test -r "/proc/$process/cmdline"; then
    if $files_sudo grep -q /run.sh "/proc/$process/cmdline"; then echo true; else echo false; fi
  elif $files_sudo test -r /proc/1/cmdline; then
    echo false
  elif [ ! -r /proc/self/cmdline ] && $files_sudo ps -p $$ >/dev/null; then
    case $($files_sudo ps -p "$process" -o command=) in
      */run.sh*) echo true ;;
      *) echo false ;;
    esac
  else
    echo null # /proc shows us our own processes only, or there is neither it nor ps
  fi
} 2>/dev/null

# What each generation says of itself, as JSON.
generations() {
  [ "$HISTORY" = yes ] || return 0
  comma=''
  for number in $($files_sudo ls "$root/generations" 2>/dev/null | grep -x '[1-9][0-9]\{0,8\}'); do
    printf '%s{"number":%s' "$comma" "$number"
    for name in record.json stacks manifest.json; do
      printf ',"%s":"%s"' "${name%.json}" "$(file_text "generations/$number/$name" | json_lines)"
    done
    printf '}'
    comma=,
  done
}

# The paths of all files that are kept for going back.
kept_files() {
  [ "$HISTORY" = yes ] || return 0
  # shellcheck disable=SC2016 # the inner shell expands it
  $files_sudo sh -c 'cd "$1/generations/kept" && find . -type f' sh "$root" 2>/dev/null | sed 's/^\.\///' |
    grep -v '[[:cntrl:]]'
}

# The lines of the small files in a folder of ROOT, each as "PATH:LINE".
records() {
  [ -d "$root/$1" ] || return 0
  $files_sudo find "$root/$1" -name '*.json' -exec grep . /dev/null {} + 2>/dev/null | sort
}

# The references of images that a generation may need again.
kept_images() {
  [ "$HISTORY" = yes ] || return 0
  $files_sudo find "$root/generations/kept" -name images -type f -exec cat {} + 2>/dev/null |
    sed -n 's/^sha256:[0-9a-f]* \([^ "\\]*\)$/\1/p' | sort -u
}

