"""The one kind of form that is uploaded: a file in a field of `multipart/form-data` (RFC 7578)."""

from __future__ import annotations

import re

from standin_http import Request

from qdrant_standin.metadata import RefusedError


def uploaded_file(request: Request, field: str) -> tuple[str, bytes]:
    """The file name and the content of `field`; raises `RefusedError` 400."""
    boundary = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    if boundary is None:
        raise RefusedError(400, "Could not find Content-Type header or its boundary")
    for part in request.body.split(b"--" + boundary.group(1).encode())[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        text = head.decode(errors="replace")
        if separator and re.search(rf'\bname="{field}"', text):
            name = re.search(r'filename="([^"]*)"', text)
            return (name.group(1) if name else "") or "uploaded.snapshot", content[: -len(b"\r\n")]
    raise RefusedError(400, f"Field '{field}' is missing")
