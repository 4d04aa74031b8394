"""Put an edited text into the file that it came from."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from paisctl.errors import CannotEdit
from paisctl.private_file import sync_folder

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write(path: Path, old_text: str, new_text: str) -> None:
    """Replace a file's text, whole or not at all; its mode, owner and group stay.

    A symbolic link stays one: what it leads to is written. A hard link is parted from its others.

    Args:
        path: the file, in UTF-8.
        old_text: its text as `read_text` gave it, before anybody was asked anything.
        new_text: what shall be in it.

    Raises:
        CannotEdit: somebody has changed the file since, or it cannot be written.
    """
    if new_text == old_text:
        return
    try:
        _replace(path.resolve(strict=True), path, old_text, new_text)
    except OSError as error:
        raise CannotEdit(f"cannot write {path}: {error.strerror}") from error


def _replace(target: Path, path: Path, old_text: str, new_text: str) -> None:
    known = target.stat()
    if not os.access(target, os.W_OK):
        raise CannotEdit(f"cannot write {path}: it is write-protected")
    mark = _BYTE_ORDER_MARK if target.read_bytes().startswith(_BYTE_ORDER_MARK) else b""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_owner(descriptor, known, path)
            os.fchmod(descriptor, stat.S_IMODE(known.st_mode))
            file.write(mark + new_text.encode())
            file.flush()
            os.fsync(descriptor)
        _require_same(target, mark + old_text.encode(), path)
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise
    sync_folder(target.parent)


def _require_same(target: Path, known: bytes, path: Path) -> None:
    if target.read_bytes() != known:
        hint = "nothing was written; run the command again"
        raise CannotEdit(f"{path} was changed since it was read", hint)


def _take_owner(descriptor: int, known: os.stat_result, path: Path) -> None:
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) == (known.st_uid, known.st_gid):
        return
    try:
        os.fchown(descriptor, known.st_uid, known.st_gid)
    except PermissionError:
        message = f"cannot write {path}: it would no longer belong to its owner and group"
        raise CannotEdit(message, "run this as its owner, or edit it by hand") from None
