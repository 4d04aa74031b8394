"""The tailnet's machines and what is the matter with them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from paisctl.tailnet.devices import DeviceFinding
from paisctl.views.console import plural, render
from paisctl.views.json import dump
from paisctl.views.table import table

FORMAT = 1


def as_text(found: Sequence[DeviceFinding], number: int) -> str:
    """A table of findings, or that there are none for a number of devices."""
    if not found:
        return f"{plural(number, 'device')} are in the tailnet as in the inventory\n"
    rows = [(finding.device, finding.message) for finding in found]
    return render(table(("DEVICE", "WHAT"), rows))


def to_tag(wrong: Sequence[DeviceFinding], losses: Sequence[str]) -> str:
    """What is about to be tagged, and who loses what by it at once."""
    lines = [*table(("DEVICE", "WHAT"), [(each.device, each.message) for each in wrong]), Text()]
    if losses:
        lines.append(Text("  under the policy in force, as soon as they are tagged:"))
        lines += [Text(f"  - {words}", "red") for words in losses]
    else:
        lines.append(Text("  under the policy in force, nobody loses access to them"))
    return render(lines)


def as_json(found: Sequence[DeviceFinding]) -> str:
    """The findings for programs."""
    return dump(
        {
            "format": FORMAT,
            "findings": [
                {
                    "device": finding.device,
                    "kind": finding.kind.value,
                    "message": finding.message,
                    "harmless": finding.is_harmless,
                    "id": finding.id or None,
                }
                for finding in found
            ],
        }
    )
