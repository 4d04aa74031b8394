"""Saved plans as files: JSON, the same bytes for the same plan. `docs/reference/json.md` has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paisctl.codec import Unfit, decode, encode
from paisctl.errors import PaisctlError, UsageError
from paisctl.private_file import write_private
from paisctl.saved_plan import SAVE_ANEW, SavedPlan, digest_of

DOCUMENT, FORMAT = "paisctl plan", 1


def as_text(saved: SavedPlan) -> str:
    """The text of a saved plan. It is ASCII: what marks a secret's place shows as an escape."""
    body = encode(SavedPlan, saved)
    for stack in _stacks(body):
        if "entry" in stack:
            stack["entry"] = json.loads(stack["entry"])
    head = {"document": DOCUMENT, "format": FORMAT, "digest": digest_of(saved.plan)}
    return json.dumps(head | body, indent=2) + "\n"


def parse(text: str, name: str) -> SavedPlan:
    """Read what `as_text` wrote; `name` is that of the file, for messages.

    Raises:
        PaisctlError: it is no saved plan, of another format, or damaged.
    """
    body = _body(text, name)
    digest = body.pop("digest", None)
    try:
        for stack in _stacks(body):
            if "entry" in stack:
                stack["entry"] = json.dumps(stack["entry"], sort_keys=True)
        saved: SavedPlan = decode(SavedPlan, body)
        is_whole = digest == digest_of(saved.plan)
    except Unfit as error:
        raise PaisctlError(f"the saved plan {name} is damaged: {error}", SAVE_ANEW) from None
    except (AttributeError, KeyError, TypeError, RecursionError):
        raise PaisctlError(f"the saved plan {name} is damaged", SAVE_ANEW) from None
    if not is_whole:
        raise PaisctlError(f"the saved plan {name} was edited, or is damaged", SAVE_ANEW)
    return saved


def _body(text: str, name: str) -> dict[str, Any]:
    """The document without its head, which is checked."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        if f'"document": "{DOCUMENT}"' in text[:200]:
            raise PaisctlError(f"the saved plan {name} is cut off or damaged", SAVE_ANEW) from None
        raise PaisctlError(f"{name} is no saved plan of paisctl", SAVE_ANEW) from None
    if not isinstance(body, dict) or body.pop("document", None) != DOCUMENT:
        raise PaisctlError(f"{name} is no saved plan of paisctl", SAVE_ANEW)
    written = body.pop("format", None)
    if written != FORMAT:
        is_newer = isinstance(written, int) and written > FORMAT
        raise PaisctlError(
            f"the saved plan {name} has format {written}, this paisctl reads format {FORMAT}",
            "upgrade paisctl on this machine" if is_newer else SAVE_ANEW,
        )
    return body


def _stacks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [stack for host in body["hosts"] for stack in host["plan"].get("stacks", [])]


def read(path: Path) -> SavedPlan:
    """The plan in a file.

    Raises:
        PaisctlError: there is none that can be read.
    """
    try:
        return parse(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise PaisctlError(f"{path} is no saved plan of paisctl", SAVE_ANEW) from None


def write(saved: SavedPlan, path: Path) -> None:
    """Write a plan, whole or not at all. Only its owner may read it: it tells of the network."""
    write_private(path, as_text(saved).encode("ascii"))


def require_writable(path: Path) -> None:
    """Insist that a plan may be written there: nothing else is overwritten.

    Raises:
        UsageError: there is something else.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for the plan")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"for example: -o {path / 'plan.json'}")
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            start = file.read(200)
        if f'"document": "{DOCUMENT}"'.encode() not in start:
            raise UsageError(
                f"{path} is there already, and is no saved plan",
                "choose another name, or remove it",
            )
