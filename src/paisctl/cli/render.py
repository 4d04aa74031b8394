"""`paisctl render`: the exact files each host would get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paisctl.cli.context import Devices, On, settings


def render(
    context: typer.Context,
    devices: Devices = None,
    on: On = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the files below this folder.", metavar="DIR"),
    ] = None,
) -> None:
    """Render the exact files of the hosts. Reaches no host.

    Secrets stay names, as (secret NAME): nothing secret is written.

    \b
    Examples:
      paisctl render k6
      paisctl render -o rendered/
    """
    from paisctl import pipeline
    from paisctl.cli.choose import choose
    from paisctl.secrets import describe
    from paisctl.views.console import plural

    desired = pipeline.desire(settings(context).inventory)
    chosen, _ = choose(desired, devices, on, None)
    for device in chosen:
        for stack in desired.hosts[device].stacks.values():
            for file in stack.files.values():
                path = Path(device, "stacks", stack.name, file.path)
                text = describe(file.content)
                if output is None:
                    typer.echo(f"# --- {path.as_posix()} ({file.mode})\n{text}")
                else:
                    _write(output / path, text, int(file.mode, 8))
    if output is not None:
        typer.echo(f"rendered {plural(len(chosen), 'host')} into {output}", err=True)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(mode)
