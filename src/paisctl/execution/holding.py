"""Placing a hold on a host, and releasing one."""

from __future__ import annotations

import getpass
import json
import socket

from paisctl.errors import UnexpectedAnswer
from paisctl.history import HELD, RELEASED, current_generation
from paisctl.hold import Hold
from paisctl.hostside import COMMAND, assignments, script
from paisctl.observed import HostState
from paisctl.targets import Target

_ANSWER = "@paisctl "


def place(target: Target, state: HostState, hold: Hold) -> None:
    """Place a hold, in place of one that may be there; one execution.

    Args:
        target: the host.
        state: the host as it was read.
        hold: of a stack, or of the whole device.

    Raises:
        HostError: the host cannot be reached, or the hold cannot be written.
    """
    _tell(target, state, hold, hold.to_json())


def release(target: Target, state: HostState, hold: Hold) -> bool:
    """Release a hold; whether it was still there. One execution; arguments as of `place`."""
    return _tell(target, state, hold, "") == "done"


def _tell(target: Target, state: HostState, hold: Hold, text: str) -> str:
    entry = json.dumps(_entry(state, hold, HELD if text else RELEASED))[1:-1]
    program = assignments(ROOT=state.root, NAME=hold.name, TEXT=text, ENTRY=entry)
    program += script("holds.sh") + script("hold.sh")
    is_root_needed = state.facts is not None and state.facts.files_sudo
    command = f"sudo -n {COMMAND}" if is_root_needed else COMMAND
    done = target.transport.run(command, program.encode("utf-8", "surrogateescape"))
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    words = [line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)]
    if words:
        return words[-1]
    said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise UnexpectedAnswer(
        f"{target.device} cannot write below {state.root}/holds" + (f": {said}" if said else "")
    )


def _entry(state: HostState, hold: Hold, event: str) -> dict[str, object]:
    return {
        "event": event,
        "who": getpass.getuser(),
        "machine": socket.gethostname(),
        "command": "hold" if event == HELD else "release",
        "generation": current_generation(state),
        "stack": hold.stack,
        "until": hold.end,
        "reason": hold.reason,
    }
