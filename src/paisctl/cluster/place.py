"""The managed directory of a host, as something to write small files into."""

from __future__ import annotations

from dataclasses import dataclass

from paisctl.hostside import COMMAND
from paisctl.observed import HostState
from paisctl.targets import Target


@dataclass(frozen=True, slots=True)
class Place:
    """A host. `root` is absolute; `sudo` is whether root must write there."""

    target: Target
    root: str
    sudo: bool

    @property
    def device(self) -> str:
        return self.target.device

    @property
    def command(self) -> str:
        return f"sudo -n {COMMAND}" if self.sudo else COMMAND


def place_of(target: Target, state: HostState) -> Place:
    """The place on a host that was read."""
    return Place(target, state.root, bool(state.facts and state.facts.files_sudo))
