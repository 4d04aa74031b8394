"""`paisctl init`: a small inventory to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paisctl.errors import UsageError


def init(
    directory: Annotated[Path, typer.Argument(help="Folder to write to.", metavar="DIR")],
) -> None:
    """Write a new inventory project to start from.

    It has three devices and comments that say what to change.

    \b
    Example:
      paisctl init my-fleet && cd my-fleet && paisctl lint
    """
    import shutil
    from importlib import resources

    if directory.is_file() or (directory.exists() and any(directory.iterdir())):
        raise UsageError(f"{directory} is not empty", "name a folder that does not exist yet")
    with resources.as_file(resources.files("paisctl").joinpath("starter")) as starter:
        shutil.copytree(starter, directory, dirs_exist_ok=True)
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        typer.echo(path.as_posix())
    typer.echo(f"next: cd {directory} && paisctl lint && paisctl secrets init", err=True)
