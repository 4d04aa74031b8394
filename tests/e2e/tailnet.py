"""A lab in a tailnet: its hosts let in whom the access policy in force lets in, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.controlplane.packet_filter import PacketFilter
from tests.controlplane.server import API_KEY, OAUTH_CLIENT, TailscaleServer
from tests.e2e.rehearsal import Completed, Rehearsal
from tests.simulated.tailnet import FOREIGN, PEOPLE, lets_in, machines

# The addresses of a lab are none of a tailnet's, which is all that `*` stands for.
FOREIGN_THERE = FOREIGN.replace(
    '"src": ["*"], "dst": ["*"]',
    '"src": ["autogroup:member"], "dst": ["autogroup:member", "autogroup:tagged"]',
)
SETTINGS = {"policy": True, "switch": {"settle": "1s", "limit": "6s"}}
# Overlays: one that nobody notices, one that gives a child more, one that locks the admin out.
MORE = {"child": {"services": ["anythingllm", "homeassistant"]}}
LOCKED = {"admin": {"ssh": False}}
REJECT, DROP = ("REJECT", "--reject-with", "tcp-reset"), ("DROP",)


@dataclass
class Tailnet:
    """The lab's hosts as machines of a tailnet; `refusal` is how those refuse that must."""

    lab: Rehearsal
    server: TailscaleServer
    folder: Path
    refusal: tuple[str, ...] = REJECT
    shut: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def paisctl(self, *arguments: str, roles: object = None) -> Completed:
        """Run paisctl, with other roles; neither output holds a credential or a stack trace."""
        done = self.lab.paisctl(*arguments, overlay=self.overlay(roles))
        self.check(done.stdout + done.stderr)
        return done

    def overlay(self, roles: object = None, **content: object) -> Path:
        """A file to be laid over the inventory."""
        path = self.folder / "change.yaml"
        content |= {"roles": roles} if roles else {}
        path.write_text(yaml.safe_dump(content or {"name": "pais"}))
        return path

    def check(self, text: str) -> None:
        assert API_KEY not in text
        assert OAUTH_CLIENT.secret not in text
        assert "Traceback" not in text

    def settle(self) -> str:
        """Put in force what the inventory asks for; returns it."""
        text = self.paisctl("acl", "render").stdout
        self.server.file.put(text)
        return text

    def wanted(self, roles: object) -> str:
        """The policy that the inventory asks for with other roles."""
        return self.paisctl("acl", "render", roles=roles).stdout

    @property
    def record(self) -> list[str]:
        """What is left of a change that should have ended."""
        folder = self.folder / ".paisctl/tailnet"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    def reachable(self) -> set[str]:
        """The hosts that OpenSSH gets into, one by one."""
        with ThreadPoolExecutor() as pool:
            ends = pool.map(lambda device: self.lab.ssh(device, "true"), self.lab.devices)
            return {d for d, end in zip(self.lab.devices, ends, strict=True) if not end.returncode}

    def follow(self, compiled: PacketFilter) -> None:
        """Have each host's firewall do what a filter says of the admin's laptop and port 22."""

        def turn(device: str) -> None:
            if lets_in(compiled, self.server.tailnet, device):
                self.open(device)
            else:
                self.close(device)

        with ThreadPoolExecutor() as pool:
            list(pool.map(turn, self.lab.devices))

    def close(self, device: str) -> None:
        if device not in self.shut:
            self._rule(device, "-I", self.refusal)
            self.shut[device] = self.refusal

    def open(self, device: str) -> None:
        if device in self.shut:
            self._rule(device, "-D", self.shut.pop(device))

    def _rule(self, device: str, action: str, target: tuple[str, ...]) -> None:
        rule = ("INPUT", "-p", "tcp", "--dport", "22", "-j", *target)
        self.lab.root(device, "iptables", "-w", action, *rule)


@contextmanager
def joined(fleet: Rehearsal, folder: Path, *, tagged: bool = True) -> Iterator[Tailnet]:
    """The lab with a control plane, under a policy that is not ours; all is undone at the end.

    Its inventory is a copy, so that what paisctl keeps beside it is the test's own.
    """
    reference, *overlays = fleet.inventories
    project = folder / "inventory"
    project.mkdir()
    copy, settings = project / reference.name, project / "tailnet.yaml"
    copy.write_bytes(reference.read_bytes())
    paths = (copy, *overlays)
    devices = machines(paths, tagged=tagged)
    with TailscaleServer(policy=FOREIGN_THERE, devices=devices, users=PEOPLE) as server:
        settings.write_text(yaml.safe_dump({"tailnet": SETTINGS | {"url": server.url}}))
        lab = Rehearsal(fleet.lab, (*paths, settings), fleet.devices)
        tailnet = Tailnet(lab, server, project)
        server.on_change(tailnet.follow)
        try:
            yield tailnet
        finally:
            for device in tuple(tailnet.shut):
                tailnet.open(device)
        for path in project.rglob("*"):
            if path.is_file():
                tailnet.check(path.read_text(errors="replace"))
