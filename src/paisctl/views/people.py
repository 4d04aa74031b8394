"""The people of an inventory, and what a change of them means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.text import Text

from paisctl.inventory.model import Inventory
from paisctl.inventory.people import Role, User, group_of, limits_of
from paisctl.plan import PolicyPlan
from paisctl.tailnet.control import TailnetUser
from paisctl.views.console import render
from paisctl.views.human import policy_lines
from paisctl.views.json import dump
from paisctl.views.table import table

FORMAT = 1
_HEADINGS = ("LOGIN", "ROLE", "CLOUD", "FILTER", "SERVICES", "MODELS")
_CONSOLE = "https://login.tailscale.com/admin/users"


def as_text(inventory: Inventory, known: Sequence[TailnetUser] | None = None) -> str:
    """A table of the people; what they may do is their own, else their role's.

    Args:
        inventory: the people and roles.
        known: the people of the tailnet, if it was asked.
    """
    if not inventory.users:
        return "nobody is in the inventory yet; add somebody: paisctl user add LOGIN --role ROLE\n"
    rows = [_row(user, inventory.roles[user.role]) for user in inventory.users]
    if known is None:
        return render(table(_HEADINGS, rows))
    statuses = [_status(user, known) for user in inventory.users]
    asked = [(row[0], status, *row[1:]) for row, status in zip(rows, statuses, strict=True)]
    return render(table((_HEADINGS[0], "TAILNET", *_HEADINGS[1:]), asked))


def _status(user: User, known: Sequence[TailnetUser]) -> str:
    """What a tailnet says of a user; some control planes know no more than that they are there."""
    login = user.id.casefold()
    found = (each for each in known if login in map(str.casefold, (each.login, *each.aliases)))
    return next((each.status or "known" for each in found), "unknown")


def _row(user: User, role: Role) -> tuple[str, ...]:
    limits = limits_of(user, role)
    budget = limits.cloud_budget_monthly
    cloud = "no" if not limits.allow_cloud else "yes" if budget is None else f"${budget:g}/month"
    models = ", ".join(limits.allowed_models or ()) or "none"
    services = ", ".join([*map(str, role.services), *(["ssh"] if role.ssh else [])]) or "none"
    return (user.id, user.role, cloud, limits.content_filter or "off", services, models)


def as_json(inventory: Inventory, known: Sequence[TailnetUser] | None = None) -> str:
    """The people with all that holds for them; arguments as of `as_text`."""
    users = [
        {
            "id": user.id,
            "role": user.role,
            "tailnet": None if known is None else _status(user, known),
            "group": group_of(user.role, inventory.roles[user.role]),
            "services": list(map(str, inventory.roles[user.role].services)),
            "ssh": inventory.roles[user.role].ssh,
            **limits_of(user, inventory.roles[user.role]).model_dump(),
        }
        for user in inventory.users
    ]
    return dump({"format": FORMAT, "users": users})


def change(path: Path, old: str, new: str, policy: PolicyPlan, files: Iterable[str]) -> str:
    """What a change of the inventory changes.

    Args:
        path: the inventory file.
        old: its text.
        new: its text as it would be.
        policy: what becomes of the access policy.
        files: the files that would be rendered differently.
    """
    return render(_changed(path, old, new, policy, files))


def _changed(
    path: Path, old: str, new: str, policy: PolicyPlan, files: Iterable[str]
) -> Iterator[Text]:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difflib.unified_diff(
        old.splitlines(), new.splitlines(), str(path), str(path), n=2, lineterm=""
    ):
        yield Text(line, styles.get(line[:1], ""))
    yield Text()
    yield from policy_lines(policy)
    if not policy.changes:
        yield Text("The access policy stays as it is.")
    for file in files:
        yield Text(f"~ {file} is rendered differently", "yellow")


def to_do(inventory: Inventory, following: str, *, joins: str = "", leaves: str = "") -> str:
    """What is left to do: by paisctl, with the command `following` if there is one, and by hand."""
    lines = [f"written; next: paisctl {following}" if following else "written"]
    is_tailscale = inventory.tailnet.control == "tailscale"
    if joins:
        how = f"invite them at {_CONSOLE}" if is_tailscale else "`headscale users create`"
        lines += [
            "by hand:",
            f"  the tailnet has to know {joins}: {how}",
            "  services with accounts of their own (chat, model router, …): make theirs there",
        ]
    if leaves:
        how = f"at {_CONSOLE}" if is_tailscale else "`headscale users destroy`, after their nodes"
        lines += [
            "by hand, what paisctl cannot undo:",
            f"  {leaves} and their devices stay in the tailnet until removed {how}",
            "  accounts and keys in services of their own (chat, model router, …): delete them there",
            "  whoever knows a shared secret still knows it: change it where that matters",
        ]
    return "".join(f"{line}\n" for line in lines)
