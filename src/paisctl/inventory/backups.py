"""Backups: stacks whose data is copied to another device, and from there off-site."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from paisctl.inventory.base import Model
from paisctl.inventory.tailnet import SecretName
from paisctl.inventory.types import Duration, Name

RESERVED = ("list", "verify", "schedule")  # words of the command line, so no names of backups
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _time_of_day(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f'`{text}` is no time of day; write it in quotes, as "03:30"')
    return text


def _one_line(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("it must be one line of text")
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"`{name}` is no name of an environment variable")
    return name


def _repository(text: str) -> str:
    if text.startswith("sftp:"):
        raise ValueError("restic runs in a container without SSH keys: use `rest:`, `s3:` or `b2:`")
    if text.startswith("local:") or (text[0] != "/" and ":" not in text):
        # It would be made in the container, and go with it.
        raise ValueError("a directory of the store's device is written as an absolute path")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Repository = Annotated[Line, AfterValidator(_repository)]
Variable = Annotated[str, AfterValidator(_variable)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


class Store(Model):
    """Where the copies are kept."""

    device: Name = Field(description="The device, which need not run the stack")
    path: str = Field(
        pattern=r"^/[^\x00-\x1f:]*[^/\x00-\x1f:]$",
        description="Directory there, which has to exist; the login can write it, and each backup gets one "
        "below it",
    )


class Keep(Model):
    """How many backups are kept: the newest ones, and the newest of so many days, weeks, months."""

    last: int = Field(7, ge=1, le=1000, description="So many of the newest")
    daily: int = Field(14, ge=0, le=1000, description="One of each of so many days")
    weekly: int = Field(8, ge=0, le=1000, description="One of each of so many weeks")
    monthly: int = Field(6, ge=0, le=1000, description="One of each of so many months")


class Schedule(Model):
    """When a device runs the backup by itself; `paisctl backup schedule` makes what it needs."""

    at: TimeOfDay = Field(
        description='Time of day, by the clock of the device that runs it: "03:30"'
    )
    device: Name = Field(description="The device that runs it; paisctl has to be installed there")


class Offsite(Model):
    """A restic repository that each backup is copied to, encrypted before it leaves the store."""

    repository: Repository = Field(
        description="As restic takes it: `b2:BUCKET:PATH`, `s3:…`, `rest:…`, or a directory of the "
        "store's device, which has to exist"
    )
    password: SecretName = Field(description="The key to all of it, as `{secret: NAME}`")
    environment: dict[Variable, Line | SecretName] = Field(
        default_factory=dict, description="What restic needs to sign in: texts or `{secret: NAME}`"
    )
    image: Line = Field("restic/restic:0.18.1", description="restic's image and tag")


class BackupPlan(Model):
    """A stack whose data is copied away, and where to."""

    stack: Name = Field(description="The stack; its bundle says how it is backed up")
    devices: list[Name] | None = Field(
        None, min_length=1, description="Whose data; all devices that run the stack if left out"
    )
    store: Store = Field(description="Where the copies are kept")
    keep: Keep = Field(
        default_factory=lambda: Keep.model_validate({}),
        description="How many are kept, and how old",
    )
    max_age: Duration = Field("36h", description="An alert says when the newest one is older")
    schedule: Schedule | None = Field(None, description="When it runs by itself")
    offsite: Offsite | None = Field(None, description="Where a second copy goes")
