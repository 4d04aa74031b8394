"""Which services of a stack are to run: `enabled` among the stack's settings, of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTING = "enabled"  # reserved: no bundle may have a variable of that name
DESCRIPTION = (
    "Whether it runs: false stops it and keeps it stopped, with its files up to date and its data "
    "kept; or true and false by service"
)


@dataclass(frozen=True, slots=True)
class Enabled:
    """What the layers say, the most specific first: one word for all services, or one for some."""

    layers: tuple[bool | Mapping[str, bool], ...] = ()

    def rests(self, service: str) -> bool:
        """Whether a service is to be stopped: the first layer that speaks of it counts."""
        for layer in self.layers:
            said = layer if isinstance(layer, bool) else layer.get(service)
            if said is not None:
                return not said
        return False

    @property
    def is_any_off(self) -> bool:
        """Whether a service rests."""
        return self.rests("") or any(map(self.rests, self.services))

    @property
    def services(self) -> set[str]:
        """The services that are named."""
        return {name for layer in self.layers if not isinstance(layer, bool) for name in layer}


def parse_enabled(value: Any) -> bool | Mapping[str, bool]:
    """What one layer says.

    Raises:
        ValueError: it is neither true nor false, nor a mapping of services to these.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, dict) and all(isinstance(each, bool) for each in value.values()):
        return {str(name): each for name, each in value.items()}
    raise ValueError("is neither true nor false, nor a mapping of services to true or false")
