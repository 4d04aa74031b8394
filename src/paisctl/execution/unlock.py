"""Taking away the lock of a run that is not going to release it."""

from __future__ import annotations

import getpass
import json
import socket
from enum import StrEnum

from paisctl.errors import UnexpectedAnswer
from paisctl.history import current_generation
from paisctl.hostside import COMMAND, assignments, script
from paisctl.lease import Lease
from paisctl.observed import HostState
from paisctl.targets import Target

_ANSWER = "@paisctl "


class Unlocking(StrEnum):
    """What has become of a lock: taken away, released meanwhile, or by now another run's."""

    DONE = "unlocked"
    GONE = "gone"
    CHANGED = "changed"


def unlock(target: Target, state: HostState, lease: Lease) -> Unlocking:
    """Take a lock away if it is still the same, and write that down; one execution.

    Args:
        target: the host.
        state: the host as it was read.
        lease: its lock as it was read.

    Raises:
        HostError: the host cannot be reached, or the lock cannot be removed.
    """
    program = assignments(
        ROOT=state.root,
        RUN=lease.run,
        TEXT=state.lock.rstrip("\n"),
        ENTRY=json.dumps(_entry(state, lease))[1:-1],
    ) + script("unlock.sh")
    is_root_needed = state.facts is not None and state.facts.files_sudo
    command = f"sudo -n {COMMAND}" if is_root_needed else COMMAND
    done = target.transport.run(command, program.encode("utf-8", "surrogateescape"))
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    words = [line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)]
    if words and words[-1] in set(Unlocking):
        return Unlocking(words[-1])
    said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise UnexpectedAnswer(
        f"the lock on {target.device} could not be removed" + (f": {said}" if said else ""),
        f"remove it by hand on {target.device}: {state.root}/lock",
    )


def _entry(state: HostState, lease: Lease) -> dict[str, object]:
    return {
        "event": Unlocking.DONE,
        "run": lease.run,
        "who": getpass.getuser(),
        "machine": socket.gethostname(),
        "command": "unlock",
        "generation": current_generation(state),
    }
