"""Switches for faults, in `standin-faults.json` in the storage directory.

The file is a JSON object; it is read at start and again whenever it changes, so that a test can write
it into the volume of a node that runs. Removing it ends all faults. The switches:

- `dies_at_start`: `true`, or `{"from": "1.19.0", "touched": true}`: exit 101, from that version on if
  one is named; with `touched` only after the storage has been opened, and marked, by this version.
- `ready_seconds`: `/readyz` says 503 for that long after the start.
- `recovery_seconds`: how long a transfer to this node takes at least.
- `dead_replicas`: `true`: this node's replicas are Dead, where another is active, and stay so.
- `consensus_stopped`: a message: the consensus thread has ended with that error.
- `snapshot_seconds`: how long making a snapshot takes at least.
- `wrong_checksum`: `true`: snapshots made now get a checksum that is not theirs.
- `recovery_forgets`: `true`: replicas of this node that are not in a snapshot stay in the state of a
  recovery when it takes one, as before Qdrant's pull request 8179 (1.17.1).
- `refusals`: by path, the words with which any request of it fails, status 500.
- `answers`: by path, what is changed in the `result` of a GET, as a JSON merge patch except that `null`
  is a value: `{"/cluster": {"raft_info": {"pending_operations": 3}}}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FAULTS_FILE = "standin-faults.json"


class Faults:
    """The switches as they are now."""

    def __init__(self, storage: Path) -> None:
        self._file = storage / FAULTS_FILE
        self._read_at: tuple[int, int] | None = None
        self._switches: dict[str, Any] = {}

    def get(self, switch: str, default: Any = None) -> Any:
        """The value of a switch; `default` where it is not set."""
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_ino) != self._read_at:
                self._switches = json.loads(self._file.read_text())
                self._read_at = stat.st_mtime_ns, stat.st_ino
        except FileNotFoundError:
            self._switches, self._read_at = {}, None
        except ValueError:
            pass  # read while it was being written: the next look will find the rest
        return self._switches.get(switch, default)

    def dies_at_start(self, version: str, *, touched: bool) -> bool:
        """Whether the process must end now, before or after it has touched its storage."""
        switch = self.get("dies_at_start", False)
        if not isinstance(switch, dict):
            return bool(switch) and not touched
        since = switch.get("from", "0")
        is_due = parsed_version(version) >= parsed_version(since)
        return is_due and touched == bool(switch.get("touched", False))

    def refusal(self, path: str) -> str:
        """Why a request of `path` fails; empty when it does not."""
        return str(self.get("refusals", {}).get(path, ""))

    def altered(self, path: str, result: object) -> object:
        """The `result` of a GET of `path` as the switches want it."""
        return _patched(result, self.get("answers", {}).get(path, {}))


def parsed_version(version: str) -> tuple[int, ...]:
    """`1.19.0` in a form that compares as versions do."""
    return tuple(map(int, version.split(".")))


def _patched(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(value, dict):
        return patch if patch != {} else value
    return value | {key: _patched(value.get(key), change) for key, change in patch.items()}
