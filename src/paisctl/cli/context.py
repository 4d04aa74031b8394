"""What the options before the command settle for all commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.pipeline import Desired
    from paisctl.reconcile import Scope

DEFAULT = Path("inventory/pais.yaml")


@dataclass(frozen=True, slots=True)
class Settings:
    """The inventory files as given; none means: look for the default."""

    given: tuple[Path, ...] = ()

    @property
    def inventory(self) -> tuple[Path, ...]:
        """The inventory files, the lowest first.

        Raises:
            UsageError: a file does not exist, or none was given and there is no default.
        """
        for path in self.given:
            if not path.is_file():
                raise UsageError(f"there is no inventory file {path}")
        return self.given or (_nearest(),)


def _nearest() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / DEFAULT).is_file():
            return DEFAULT if folder == here else folder / DEFAULT
    raise UsageError(
        f"there is no {DEFAULT} here or above",
        "name the inventory with -i FILE, or start a new one with `paisctl init DIR`",
    )


def settings(context: typer.Context) -> Settings:
    found = context.obj
    return found if isinstance(found, Settings) else Settings()


def desired_of(context: typer.Context) -> Desired:
    """What the inventory asks for, rendered and checked."""
    from paisctl import pipeline

    return pipeline.desire(settings(context).inventory)


Devices = Annotated[
    list[str] | None,
    typer.Argument(
        help="Devices, by name or pattern (`m7-*`). Default: all.",
        show_default=False,
        metavar="DEVICE",
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="Only devices that meet a selector: tag:T, kind:K, layer:L, arch:A, stack:S, name:N; "
        "several with commas must all be met.",
        metavar="SELECTOR",
    ),
]
Stacks = Annotated[
    list[str] | None,
    typer.Option("--stack", help="Only this stack; may be repeated.", metavar="STACK"),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show changed files line by line.")]
IgnoreDrift = Annotated[
    bool,
    typer.Option("--ignore-drift", help="Only what the inventory changes; leave drift alone."),
]
OnlyDrift = Annotated[
    bool,
    typer.Option(
        "--only-drift", help="Only back to what was last applied, whatever the inventory says now."
    ),
]


SkipTailnet = Annotated[
    bool, typer.Option("--skip-tailnet", help="Leave the tailnet's access policy out of it.")
]


SkipUnreachable = Annotated[
    bool,
    typer.Option(
        "--skip-unreachable",
        help="Go on without hosts that cannot be reached, also those that are required.",
    ),
]


def seconds_of(option: str, duration: str) -> float:
    """The seconds that an option's duration is.

    Raises:
        UsageError: it is no duration.
    """
    from paisctl.inventory.types import parse_duration

    try:
        return parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def choose_scope(*, ignore_drift: bool, only_drift: bool) -> Scope:
    """Which differences are meant.

    Raises:
        UsageError: both options were given.
    """
    from paisctl.reconcile import Scope

    if ignore_drift and only_drift:
        raise UsageError("--ignore-drift and --only-drift exclude each other", "give one of them")
    if ignore_drift:
        return Scope.PENDING
    return Scope.DRIFT if only_drift else Scope.ALL


@dataclass(frozen=True, slots=True)
class Part:
    """What of the inventory is meant."""

    names: list[str] | None
    on: str | None
    stacks: list[str] | None
    scope: Scope
    skip_tailnet: bool
    skip_unreachable: bool = False

    @property
    def has_policy(self) -> bool:
        """Whether the access policy is part of it, as it is of a whole fleet."""
        return not (self.names or self.on or self.stacks or self.skip_tailnet)

    @property
    def is_limited(self) -> bool:
        """Whether an option takes only some of it."""
        from paisctl.reconcile import Scope

        return bool(self.on or self.stacks or self.skip_tailnet or self.scope is not Scope.ALL)
