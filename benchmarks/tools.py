"""The tools that are compared: for each its command lines and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.fleet import HERE, PAISCTL, Fleet

PEERS = HERE / "peers"
PROGRAMS = HERE / ".peers" / "bin"

_FILES = ("Configuration of", "Compose file of")  # operations of pyinfra/deploy.py


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what it needs in its environment."""

    words: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """Plans and applies a variant of the fleet."""

    @property
    def name(self) -> str: ...

    def plan(self, variant: str) -> Command: ...

    def apply(self, variant: str) -> Command: ...

    def saw_nothing(self, plan: str) -> bool:
        """Whether the output of a plan says that all is as it should be."""
        ...


@dataclass(frozen=True)
class Paisctl:
    fleet: Fleet
    name: str = "paisctl"

    def plan(self, variant: str) -> Command:
        return Command([PAISCTL, *self.fleet.inventories(variant), "plan"])

    def apply(self, variant: str) -> Command:
        return Command([PAISCTL, *self.fleet.inventories(variant), "apply", "--yes"])

    def saw_nothing(self, plan: str) -> bool:
        return "\nNothing to do: " in f"\n{plan}"


@dataclass(frozen=True)
class Shell:
    fleet: Fleet
    name: str = "shell script"
    up: str = "up -d"

    def plan(self, variant: str) -> Command:
        return self._script("plan", variant)

    def apply(self, variant: str) -> Command:
        return self._script("apply", variant)

    def _script(self, script: str, variant: str) -> Command:
        fleet = self.fleet
        arguments = (fleet.rendered(variant), fleet.host_list, fleet.ssh_config)
        words = [PEERS / "shell" / script, *arguments]
        return Command(list(map(str, words)), {"UP": self.up})

    def saw_nothing(self, plan: str) -> bool:
        return not plan


@dataclass(frozen=True)
class WaitingShell(Shell):
    """It ends when the services are well, as paisctl does; the other peers do not wait for that."""

    name: str = "shell script, waiting"
    up: str = "up -d --wait"


@dataclass(frozen=True)
class Pyinfra:
    fleet: Fleet
    name: str = "pyinfra"

    def plan(self, variant: str) -> Command:
        return self._command(variant, {"LOOK": "yes"}, "--dry")

    def apply(self, variant: str) -> Command:
        return self._command(variant, {}, "--yes", "--no-wait")

    def _command(self, variant: str, environment: Mapping[str, str], *options: str) -> Command:
        here = PEERS / "pyinfra"
        words = [PROGRAMS / "pyinfra", *options, here / "inventory.py", here / "deploy.py"]
        folders = {
            "BENCHMARK": str(self.fleet.folder),
            "RENDERED": str(self.fleet.rendered(variant)),
        }
        return Command(list(map(str, words)), {**folders, **environment})

    def saw_nothing(self, plan: str) -> bool:
        # Of Compose it says in every plan that there may be changes.
        rows = [line for line in plan.splitlines() if line.lstrip().startswith(_FILES)]
        return len(rows) == 3 and all(row.split()[-2:] == ["-", "-"] for row in rows)


@dataclass(frozen=True)
class Ansible:
    fleet: Fleet
    name: str = "Ansible"

    def plan(self, variant: str) -> Command:
        return self._command(variant, "--check")

    def apply(self, variant: str) -> Command:
        return self._command(variant)

    def _command(self, variant: str, *options: str) -> Command:
        fleet, here = self.fleet, PEERS / "ansible"
        inventory = ["-i", str(fleet.host_list), "-e", f"rendered={fleet.rendered(variant)}"]
        multiplexed = "-o ControlMaster=auto -o ControlPersist=60s"
        environment = {
            "ANSIBLE_CONFIG": str(here / "ansible.cfg"),
            "ANSIBLE_SSH_ARGS": f"-F {fleet.ssh_config} {multiplexed}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(fleet.folder / "cp"),
        }
        program = str(PROGRAMS / "ansible-playbook")
        return Command([program, *inventory, *options, str(here / "site.yaml")], environment)

    def saw_nothing(self, plan: str) -> bool:
        return plan.count(" changed=0 ") == len(self.fleet.hosts)


@dataclass(frozen=True)
class BareSsh:
    """Does nothing, on all hosts at once: what this machine gives."""

    fleet: Fleet
    name: str = "ssh HOST true"

    def plan(self, variant: str) -> Command:  # noqa: ARG002 - there is nothing to plan
        fleet = self.fleet
        script = 'while read -r host; do ssh -nF "$1" "$host" true & done <"$2"; wait'
        return Command(["sh", "-c", script, "sh", str(fleet.ssh_config), str(fleet.host_list)])

    apply = plan

    def saw_nothing(self, plan: str) -> bool:
        return not plan


def all_tools(fleet: Fleet) -> list[Tool]:
    """In the order in which the page shows them."""
    makers = (BareSsh, Shell, WaitingShell, Paisctl, Pyinfra, Ansible)
    return [make(fleet) for make in makers]
