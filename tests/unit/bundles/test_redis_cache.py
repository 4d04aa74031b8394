"""How the cache is started, with a real Redis."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.bundles.conftest import RenderedFleet, free_port, tool


@pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"], ["bash"]], ids=" ".join)
def test_redis_takes_any_password_and_shows_it_to_nobody(
    shell: list[str], reference: RenderedFleet
) -> None:
    password = "we\"ird \\ pä$s 'w' `x` # %s"  # noqa: S105
    port = free_port()
    script = str(reference.service("k6", "redis-cache", "redis")["command"][2])
    script = script.replace('save ""', f'save ""\nport {port}\nbind 127.0.0.1')
    environment = {"MAXMEMORY": "6442450944", "MAXMEMORY_POLICY": "allkeys-lru"}
    tool("redis-server")
    server = subprocess.Popen(
        [tool(shell[0]), *shell[1:], "-c", script],
        env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": password, **environment},
        stdout=subprocess.DEVNULL,
    )

    def ask(*words: str, password: str = password) -> str:
        return subprocess.run(
            [tool("redis-cli"), "-p", str(port), *words],
            env={"REDISCLI_AUTH": password},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    try:
        deadline = time.monotonic() + 10
        while "PONG" not in ask("ping") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ask("ping") == "PONG\n"
        assert "NOAUTH" in ask("ping", password="another")  # noqa: S106
        assert ask("config", "get", "maxmemory-policy").split()[-1] == "allkeys-lru"
        assert "ird" not in Path(f"/proc/{server.pid}/cmdline").read_text()
    finally:
        server.terminate()
        server.wait()
