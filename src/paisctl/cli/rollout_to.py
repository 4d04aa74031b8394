"""`rollout --to TAG`: the tag's line of the inventory, changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from paisctl.cli.context import desired_of, settings
from paisctl.errors import CannotEdit

if TYPE_CHECKING:
    from paisctl.pipeline import Desired


@dataclass(frozen=True, slots=True)
class TagEdit:
    """A changed inventory file that is not written yet; without a path there is none."""

    path: Path | None = None
    before: str = ""
    after: str = ""

    def write(self) -> None:
        """Write it."""
        from paisctl.inventory.edit import write

        if self.path:
            write(self.path, self.before, self.after)
            typer.echo(f"{self.path} is changed", err=True)


def with_tag(context: typer.Context, name: str, tag: str | None) -> tuple[Desired, TagEdit]:
    """What the inventory asks for once a rollout's stack has a tag, and the edit that says so.

    Args:
        context: says which inventory.
        name: the rollout.
        tag: the tag; None for what the inventory says.

    Raises:
        CannotEdit: it cannot be written in place, or something else says otherwise.
        InvalidInput: the inventory would have errors then.
    """
    from paisctl import pipeline
    from paisctl.inventory.edit import SetValue, edited
    from paisctl.rollout.definition import define

    desired = desired_of(context)
    definition = define(desired.fleet, desired.graph, name)
    if tag is None or set(definition.versions.values()) == {tag}:
        return desired, TagEdit()
    files = settings(context).inventory
    mark = definition.tag_mark()
    path = next((file for file in files if mark and str(file) == mark.file), files[0])
    text = path.read_text("utf-8")
    at = ("stacks", definition.stack, "images", definition.bundle.image, "tag")
    changed = edited(text, [SetValue(at, tag)], str(path))
    desired = pipeline.desire(files, texts={path: changed})
    versions = define(desired.fleet, desired.graph, name).versions
    if set(versions.values()) != {tag}:
        device = next(device for device, version in versions.items() if version != tag)
        raise CannotEdit(
            f"{path} would say {tag}, but {device} still gets {versions[device]}",
            f"paisctl show {device} says where from; take that out first",
        )
    return desired, TagEdit(path, text, changed)
