"""An image registry with one image, which is of no use but has the size of one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_SIZE = 4 * 1024 * 1024
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """Serves the image under any name, on `port` of the loopback; `served` is what it has sent."""

    def __init__(self) -> None:
        layer, digest = _layer()
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _reference("application/vnd.docker.container.image.v1+json", config),
            "layers": [_reference("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
        }
        blobs = {_digest(blob): blob for blob in (layer, config)}
        self.served: list[str] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), _handler(json.dumps(manifest).encode(), blobs, self.served)
        )
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _layer() -> tuple[bytes, str]:
    """A layer of random bytes, compressed, and the digest of it uncompressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("large")
        member.size = _SIZE
        archive.addfile(member, io.BytesIO(random.Random(1).randbytes(_SIZE)))  # noqa: S311
    return gzip.compress(buffer.getvalue(), 1), _digest(buffer.getvalue())


def _reference(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _handler(
    manifest: bytes, blobs: dict[str, bytes], served: list[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            last = self.path.rpartition("/")[2]
            body, kind = manifest, _MANIFEST
            if "/blobs/" in self.path:
                body, kind = blobs[last], "application/octet-stream"
            elif "/manifests/" not in self.path:
                body, kind = b"{}", "application/json"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if with_body:
                served.append(self.path)
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its name
            pass

    return Handler
