"""Which devices a command is about: names, or a selector over what the inventory says of them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from paisctl.diagnostics import did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.load import Fleet, FleetDevice

_KEYS = ("tag", "kind", "layer", "arch", "stack", "name")


def select(fleet: Fleet, names: Iterable[str] = (), selector: str | None = None) -> list[str]:
    """The devices that paisctl deploys to and that were asked for; without a wish, all of them.

    Args:
        fleet: the inventory.
        names: device names or patterns such as `m7-*`.
        selector: terms such as `tag:knowledge,arch:amd64`; a device must meet all of them.

    Raises:
        UsageError: a name or term matches nothing, or names a device that is not deployed to.
    """
    deployed = {name: d for name, d in fleet.devices.items() if d.device.deploy}
    chosen = [match for name in names for match in _named(name, fleet, deployed)]
    if not deployed:
        raise UsageError("there is no device in the inventory that is deployed to")
    wanted = list(dict.fromkeys(chosen)) if chosen else list(deployed)
    if selector:
        terms = [_term(text) for text in selector.split(",")]
        wanted = [n for n in wanted if all(_meets(fleet.devices[n], *term) for term in terms)]
        if not wanted:
            raise UsageError(f"no device that is deployed to meets `{selector}`")
    return wanted


def _named(pattern: str, fleet: Fleet, deployed: dict[str, FleetDevice]) -> list[str]:
    matches = [name for name in deployed if fnmatchcase(name, pattern)]
    if matches:
        return matches
    if pattern in fleet.devices:
        kind = fleet.devices[pattern].device.kind
        raise UsageError(
            f"nothing is deployed to {pattern} (kind {kind}, `deploy: false`)",
            "leave it out, or set `deploy: true` for it",
        )
    hint = did_you_mean(pattern, fleet.devices, "devices")
    raise UsageError(f"there is no device `{pattern}` in the inventory", hint)


def _term(text: str) -> tuple[str, str]:
    key, _, value = text.strip().partition(":")
    if key not in _KEYS or not value:
        raise UsageError(
            f"`{text}` is not a selector", f"write KEY:VALUE, where KEY is {', '.join(_KEYS)}"
        )
    return key, value


def _meets(device: FleetDevice, key: str, value: str) -> bool:
    settings = device.device
    values: dict[str, Iterable[str]] = {
        "tag": settings.tags,
        "kind": [settings.kind],
        "layer": [settings.layer],
        "arch": [settings.arch],
        "stack": settings.stacks,
        "name": [device.name],
    }
    return any(fnmatchcase(each, value) for each in values[key])
