# SHA-256 by whichever program there is.

# Of stdin; the digest is the first word.
sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum
  elif command -v shasum >/dev/null; then
    shasum -a 256
  else
    openssl dgst -sha256 -r
  fi
}

# Of every file below the working directory: "<digest>  <path>" lines, in any order.
find_sha256() {
  if command -v sha256sum >/dev/null; then
    find . -type f -exec sha256sum {} +
  elif command -v shasum >/dev/null; then
    find . -type f -exec shasum -a 256 {} +
  else
    find . -type f -exec openssl dgst -sha256 -r {} +
  fi
}
