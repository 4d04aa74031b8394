"""The bytes of a file to the text that is in them, or a diagnostic that says why there is none."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from paisctl.diagnostics import Diagnostics, Mark

MAX_BYTES = 1024 * 1024

# All that may stand in YAML as it is (https://yaml.org/spec/1.2.2/#51-character-set).
_NOT_PRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_AS_UTF_8 = "it looks like UTF-16; save it as UTF-8"


def read_text(path: Path, diagnostics: Diagnostics) -> str | None:
    """Read a file that a person wrote in YAML.

    Returns:
        Its text, or None after adding a diagnostic: it cannot be read, has more than `MAX_BYTES`,
        is not UTF-8, or holds characters that YAML does not allow.
    """
    file = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to read a pipe or a device might never end
            diagnostics.error("unreadable", f"{path} is not a regular file", Mark(file, 1))
            return None
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        diagnostics.error("unreadable", f"cannot read {path}: {error.strerror}", Mark(file, 1))
        return None
    if len(raw) > MAX_BYTES:
        message = f"{path} has more than {MAX_BYTES // 1024**2} MiB"
        hint = "what is long belongs into a file of a bundle, not into YAML"
        diagnostics.error("too-large", message, Mark(file, 1), hint)
        return None
    return _decode(raw, file, diagnostics)


def _decode(raw: bytes, file: str, diagnostics: Diagnostics) -> str | None:
    utf_16 = raw.startswith(_UTF_16_MARKS) or b"\0" in raw[:4]
    hint = _AS_UTF_8 if utf_16 else None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark(raw[: error.start].decode("utf-8-sig"), file)
        diagnostics.error("not-utf-8", f"not UTF-8: {error.reason}", mark, hint)
        return None
    found = _NOT_PRINTABLE.search(text)
    if found:
        mark = _mark(text[: found.start()], file)
        if found[0] != "\0":
            hint = hint or f'in double quotes it may be written as "\\u{ord(found[0]):04x}"'
        message = f"not valid YAML: control character U+{ord(found[0]):04X}"
        diagnostics.error("yaml", message, mark, hint)
        return None
    return text


def _mark(before: str, file: str) -> Mark:
    """The place that a text leads up to."""
    return Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"), 1)
