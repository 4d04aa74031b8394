"""Make an inventory with mistakes whole enough to look for more mistakes in it.

What is wrong is taken out, what is needed and missing is filled in. The result is for finding
problems only: nothing is ever deployed from an inventory that has errors.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from paisctl.inventory.model import Inventory
from paisctl.inventory.source import Path_, Source

# Values no check complains about, for what every device and inventory must say.
DEVICE_STAND_INS: dict[str, Any] = {
    "model": "unknown",
    "kind": "linux",
    "layer": "unknown",
    "role": "unknown",
    "arch": "amd64",
    "memory": "1024t",
    "storage": "unknown",
    "address": "192.0.2.1",
}
_STAND_INS: dict[str, Any] = {
    "version": 1,
    "name": "unknown",
    "tailnet": {"dns_name": "unknown.example"},
    "devices": {},
}
_MAX_ROUNDS = 50


def repair(source: Source) -> tuple[Inventory, Source]:
    """Take out what is wrong.

    Returns:
        The inventory with stand-ins where something is missing, and the source without what was
        wrong and without the stand-ins: what is not in its data was not said.
    """
    said = Source(copy.deepcopy(source.data), source.values, source.keys)
    for _ in range(_MAX_ROUNDS):
        try:
            return Inventory.model_validate(_filled(said.data)), said
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                path = detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"]
                _remove(said.data, path)
    said.data = {}
    return Inventory.model_validate(_filled({})), said


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    whole = _STAND_INS | data
    if isinstance(whole["devices"], dict):
        whole["devices"] = {
            name: DEVICE_STAND_INS | device if isinstance(device, dict) else device
            for name, device in whole["devices"].items()
        }
    return whole


def _remove(data: Any, path: Path_) -> None:
    """Remove the key at the end of a path; in a list, the whole list, so that marks stay right."""
    owner, key = None, None
    for step in path:
        if not (isinstance(data, dict) and step in data):
            break
        owner, key, data = data, step, data[step]
    if owner is not None:
        del owner[key]
