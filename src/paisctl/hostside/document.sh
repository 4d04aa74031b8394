# A JSON document from its parts, for probe.sh: all of them go through one awk, since each program that is
# started costs a host about as much as everything that it then does.

# Begin a part: its kind, for `encode`, and its name. What is printed next is in it. Nothing that is read
# from a file has a line that begins so: control characters are taken out of it, and only one is left in.
part() {
  printf '\n\001%s\n' "$*"
}

# A part that is one value.
value() {
  part "$1" "$2"
  printf '%s\n' "$3"
}

# Parts on stdin as a JSON document without its last brace. Kinds:
#   object, end  what comes between them is in an object
#   string       a value
#   text         lines, each with its end
#   word         a number, true, false or null, which is also what nothing is
#   list         a string for each line
#   runs         the last two lines of an audit log that tell of runs, as a list
#   free         what `df -Pk` prints: the KiB that are available
#   files        what `list_files` prints
encode() {
  awk '
    # In a replacement of gsub, \\& is a backslash and what was found, in every awk.
    function escaped(text) {
      gsub(/\001/, "", text)
      gsub(/["\\]/, "\\\\&", text)
      gsub(/\t/, "\\t", text)
      return text
    }
    function quoted(text) {
      gsub(/"/, "\\\\&", text)
      return text
    }
    function item(text) {
      printf "%s\"%s\"", comma, text
      comma = ","
    }
    function entry(path, mode) {
      paths[++entries] = path
      modes[path] = substr(mode, 1, 10)
    }
    function sha256(line, is_escaped, space, path) {
      # GNU and Perl mark a line whose name holds a backslash by a backslash in front, and double it.
      is_escaped = substr(line, 1, 1) == "\\"
      if (is_escaped) line = substr(line, 2)
      space = index(line, " ")
      path = substr(line, space + 1)
      sub(/^[ *]/, "", path)
      digests[is_escaped ? quoted(path) : escaped(path)] = substr(line, 1, space - 1)
    }
    function file(line, words) {
      split(line, words, " ")
      if (line == "control") controls++
      else if (line ~ /^stacks(\/|$)/) entry(escaped(line), "lrwxrwxrwx")
      else if (words[1] == "odd") entry(escaped(substr(line, length(words[2]) + 6)), words[2])
      else if (line ~ /^-/) entry(words[split(line, words, " ")], words[1])
      else sha256(line)
    }
    function take(line) {
      if (kind == "text") printf "%s\\n", escaped(line)
      else if (kind == "string") printf "%s", escaped(line)
      else if (kind == "list") item(escaped(line))
      else if (kind == "files") file(line)
      else if (kind != "runs" || line !~ /"event": *"(held|released)"/) { before = last; last = line }
    }
    function begin() {
      before = last = comma = ""
      if (kind == "end" || kind == "") return
      printf "%s\"%s\":", separator, name
      separator = ","
      if (kind == "object") { printf "{"; separator = "" }
      if (kind == "text" || kind == "string") printf "\""
      if (kind == "list" || kind == "runs" || kind == "files") printf "["
    }
    function end(i, words) {
      if (kind == "text" || kind == "string") printf "\""
      if (kind == "end") { printf "}"; separator = "," }
      if (kind == "word") printf "%s", (last == "" ? "null" : last)
      if (kind == "free") {
        match(last, /[0-9]+ +[0-9]+%/)
        split(substr(last, RSTART), words, " ")
        printf "%s", (RSTART ? words[1] : 0)
      }
      if (kind == "runs" && before != "") item(escaped(before))
      if (kind == "runs" && last != "") item(escaped(last))
      for (i = 1; kind == "files" && i <= entries; i++) {
        printf "%s[\"%s\",\"%s\",\"%s\"]", comma, paths[i], modes[paths[i]], digests[paths[i]]
        comma = ","
      }
      if (kind == "list" || kind == "runs" || kind == "files") printf "]"
      if (kind == "files") printf ",\"odd_files\":%d", controls
    }
    BEGIN { printf "\n{\"paisctl\":1"; separator = "," }
    /^\001/ {
      if (held != "") take(held)  # the empty line in front of each part belongs to none
      end()
      split(substr($0, 2), words, " ")
      kind = words[1]
      name = words[2]
      begin()
      is_held = 0
      held = ""
      next
    }
    {
      if (is_held) take(held)
      held = $0
      is_held = 1
    }
    END {
      if (is_held) take(held)
      end()
    }
  '
}
