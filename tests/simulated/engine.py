"""A Docker engine that knows containers and images and answers to reading them, as its API does.

Also a program, for a scripted docker to call: `python engine.py FILE` talks on stdin and stdout, as
`docker system dial-stdio` does, about what a JSON file says that there is.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_REQUEST = re.compile(rb"GET (\S+) HTTP/1\.1\r\nHost: docker\r\n\r\n")


class SimulatedEngine:
    """Call it with what it is sent; it gives what it says.

    Args:
        containers: as `docker inspect` shows them.
        images: as `docker image inspect` does.
    """

    def __init__(
        self, containers: Sequence[Mapping[str, Any]] = (), images: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self._containers = {each["Id"]: each for each in containers}
        self._images = {
            name: image
            for image in images
            for name in [image["Id"], *(image.get("RepoTags") or [])]
        }
        self._heard = b""

    def __call__(self, data: bytes) -> bytes:
        self._heard += data
        said = b""
        while request := _REQUEST.search(self._heard):
            self._heard = self._heard[request.end() :]
            said += self._answer(unquote(request[1].decode()))
        return said

    def _answer(self, path: str) -> bytes:
        kind, _, name = path.removeprefix("/").removesuffix("/json").partition("/")
        if path.startswith("/containers/json?all=1&filters="):
            found: Any = [
                {"Id": each["Id"], "ImageID": each["Image"]} for each in self._containers.values()
            ]
        else:
            found = (self._containers if kind == "containers" else self._images).get(name)
        status = b"404 Not Found" if found is None else b"200 OK"
        body = json.dumps(
            {"message": f"no such thing: {name}"} if found is None else found
        ).encode()
        # As the engine does: what is short with its length, what is long in chunks.
        if len(body) < 1000:
            return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        head = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n" % status
        pieces = (body[start : start + 900] for start in range(0, len(body), 900))
        return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def _serve(file: Path) -> None:
    engine = SimulatedEngine(**json.loads(file.read_text("utf-8")))
    while data := os.read(0, 65536):
        sys.stdout.buffer.write(engine(data))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
