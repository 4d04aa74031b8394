"""What of the inventory is meant, and its hosts: they read themselves while the files are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paisctl.cli.context import settings
from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.inventory.selection import select
from paisctl.targets import begin_to_read
from paisctl.timings import stage

if TYPE_CHECKING:
    import typer

    from paisctl.events import Listener
    from paisctl.pipeline import Desired
    from paisctl.session import Session
    from paisctl.targets import Begun


@dataclass(frozen=True, slots=True)
class Reach:
    """What the inventory asks for, and the devices and stacks of it that are meant."""

    desired: Desired
    devices: list[str]
    stacks: list[str]
    texts: bool
    begun: Mapping[str, Begun]

    def open(
        self, listener: Listener, *, skips_away: bool = False
    ) -> AbstractContextManager[Session]:
        """Read the devices, as `pipeline.session` does."""
        from paisctl import pipeline

        return pipeline.session(
            self.desired,
            self.devices,
            listener,
            texts=self.texts,
            begun=self.begun,
            skips_away=skips_away,
        )


def reach(
    context: typer.Context,
    names: Iterable[str] | None,
    selector: str | None,
    stacks: Iterable[str] | None,
    *,
    texts: bool = False,
) -> Reach:
    """Load, check and render the inventory; meanwhile have the devices that are meant read themselves.

    None of them is asked when the inventory by itself is not in order.

    Args:
        context: which inventory.
        names: the devices, by name or pattern; none means all.
        selector: what they have to meet.
        stacks: the stacks; none means all.
        texts: also read the contents of files, for text diffs.

    Raises:
        InvalidInput: there are errors in the inventory.
        UsageError: there is no such device or stack.
    """
    paths = settings(context).inventory
    diagnostics = Diagnostics()
    with stage("load the inventory"):
        fleet = load(paths, diagnostics)
    begun: Mapping[str, Begun] = {}
    if fleet and not diagnostics.errors:
        begun = begin_to_read(fleet, select(fleet, names or (), selector), texts=texts)

    # Imported only now: there is time for it while hosts answer.
    from paisctl import pipeline
    from paisctl.cli.choose import choose

    desired = pipeline.desire_from(fleet, paths, diagnostics)
    return Reach(desired, *choose(desired, names, selector, stacks), texts, begun)
