"""A simulated host as an answer of the probe, and transports that give it."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict

from paisctl.transports.fake import FakeTransport, Reply
from tests.simulated.host import SimulatedHost

EPOCH = 1795356000  # 2026-11-22 14:00:00 UTC


def answer(host: SimulatedHost) -> bytes:
    """The document that `probe.sh` prints."""
    state = host.state(texts=True)
    document = {
        "paisctl": 1,
        "host": {
            "os": "Linux",
            "user": "pais",
            "root": host.root,
            "root_state": "writable",
            "files_sudo": False,
            "disk_free_kib": 10**9,
            "epoch": EPOCH,
        },
        "docker": {"sudo": False, "path": "/usr/bin/docker", "error": "", "info": _INFO},
        "containers": [each.inspected for each in state.containers],
        "images": list(state.images.values()),
        "files": [[p, f"-{_letters(f.mode)}", f.digest] for p, f in state.files.items()],
        "texts": list(state.texts.items()),
        "odd_files": 0,
        "manifest": state.manifest,
        "lock": state.lock,
        "lock_alive": state.lock_alive,
        "audit": list(state.last_runs),
        "generations": [asdict(each) for each in state.generations],
        "open_rollouts": list(state.open_rollouts),
        "kept_files": sorted(state.kept_files),
    }
    return b"\n" + json.dumps(document, separators=(",", ":")).encode() + b"\n"


def transport(host: SimulatedHost) -> FakeTransport:
    """A connection to a host that is read once."""
    return FakeTransport([Reply(stdout=answer(host))])


_INFO = {
    "ServerVersion": "28.5.2",
    "MemoryLimit": True,
    "ClientInfo": {"Plugins": [{"Name": "compose", "Version": "v2.40.3"}]},
}


def _letters(mode: str) -> str:
    return stat.filemode(int(mode, 8))[1:]
