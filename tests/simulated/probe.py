"""A simulated host as an answer of the probe, and transports that give it."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict

from paisctl.transports.fake import FakeTransport, Reply
from tests.simulated.engine import SimulatedEngine
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
            "memory_cgroup": True,
            "disk_free_kib": 10**9,
            "epoch": EPOCH,
        },
        "docker": "/usr/bin/docker",
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
        "kept_images": [],
        "remembered": list(state.remembered),
        "holds": list(state.holds),
    }
    return b"\n" + json.dumps(document, separators=(",", ":")).encode() + b"\n"


def reply(host: SimulatedHost, before: bytes = b"") -> Reply:
    """An execution of the probe; `before` is what the host says in front of that."""
    state = host.state(texts=True)
    containers = [each.inspected for each in state.containers]
    engine = SimulatedEngine(containers, list(state.images.values()))
    end = json.dumps({"sudo": False, "compose": "2.40.3", "error": ""}).encode() + b"\n"
    return Reply(before + answer(host), answers=lambda heard: engine(heard) if heard else end)


def transport(host: SimulatedHost) -> FakeTransport:
    """A connection to a host that is read once."""
    return FakeTransport([reply(host)])


def _letters(mode: str) -> str:
    return stat.filemode(int(mode, 8))[1:]
