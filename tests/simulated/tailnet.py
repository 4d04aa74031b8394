"""The tailnet of a fleet: its devices as a control plane of the tests knows them."""

from __future__ import annotations

from pathlib import Path

from paisctl import pipeline
from tests.controlplane.packet_filter import PacketFilter
from tests.controlplane.tailnet import Device, Tailnet, User

ADMIN, CHILD = "parent@example.com", "child1@example.com"
PEOPLE = (User(ADMIN, "owner"), User(CHILD), User("child2@example.com"))
LAPTOP = "thinkpad"  # the admin's, where paisctl is thought to run

# A policy that somebody wrote who does not know paisctl: everybody reaches everything.
FOREIGN = """// Ours since 2024. Ask before you change it!
{
	// Who may give tags away.
	"tagOwners": {
		"tag:printer": ["autogroup:admin"], // the one in the hall
	},
	"grants": [
		{"src": ["*"], "dst": ["*"], "ip": ["*"]}, /* for now */
	],
}
"""


def machines(paths: tuple[Path, ...], *, tagged: bool) -> tuple[Device, ...]:
    """A machine for each device of an inventory; untagged ones are the admin's."""
    fleet = pipeline.read_fleet(paths)
    return tuple(
        Device(
            name,
            (each.device.address,),
            tags=(f"tag:{name}",) if tagged and not each.device.owner else (),
            user=each.device.owner or ADMIN,
        )
        for name, each in fleet.devices.items()
    )


def lets_in(compiled: PacketFilter, tailnet: Tailnet, name: str, port: int = 22) -> bool:
    """Whether the admin's laptop gets through to a port of a machine."""
    addresses = {each.name: each.addresses for each in tailnet.devices}
    return compiled.connects(addresses[LAPTOP], addresses[name], port)
