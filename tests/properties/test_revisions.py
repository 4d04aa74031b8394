"""Two revisions compared offline: as the hosts would be planned, and the same from both sides."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from paisctl.cli.app import run
from paisctl.plan import Action, Change, Plan
from paisctl.reconcile.revisions import compare
from paisctl.secrets import Vault
from tests.properties.households import BUNDLES, Inventory, households, without
from tests.properties.strategies import as_yaml, overlays
from tests.properties.test_convergence import asked
from tests.simulated.fleet import SimulatedFleet

VAULT = Vault({"db_password": "correct horse"}, "key")
EMPTY: dict[str, Any] = {}
GONE = {"devices": {"box": {"stacks": {"web": None}}}}


@given(before=overlays, after=overlays)
@example(before=EMPTY, after=GONE)
@example(before=GONE, after=EMPTY)
@settings(max_examples=30)
def test_it_is_the_plan_of_hosts_that_were_applied_to(
    tmp_path_factory: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("inventory")
    was, wanted = asked(before, directory), asked(after, directory)
    fleet = SimulatedFleet(was)
    fleet.apply(fleet.plan(was, VAULT), VAULT)

    offline, live = compare(was, wanted), fleet.plan(wanted, VAULT)
    # Docker tells of labels and variables in an order of its own.
    assert in_order(offline.changes) == in_order(live.changes)
    assert operations(offline) == operations(live)


@given(overlay=overlays)
@settings(max_examples=20)
def test_what_did_not_change_is_no_plan(tmp_path_factory: Any, overlay: Mapping[str, Any]) -> None:
    directory = tmp_path_factory.mktemp("inventory")
    assert str(compare(asked(overlay, directory), asked(overlay, directory))) == "no changes"


@given(before=overlays, after=overlays)
@example(before=EMPTY, after=GONE)
@settings(max_examples=30)
def test_the_way_back_mirrors_the_way_there(
    tmp_path_factory: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("inventory")
    was, now = asked(before, directory), asked(after, directory)
    there, back = (
        compare(one, other, diffs_from="before").changes for one, other in ((was, now), (now, was))
    )
    assert updates(there) == {
        (*place, old, new, lines) for *place, new, old, lines in updates(back)
    }
    for one, other in ((there, back), (back, there)):
        gone = {change.address for change in one if is_whole(change)}
        new = {change.address for change in other if change.action is Action.CREATE}
        assert gone <= new


@given(inventory=households(by_hand=False), chance=st.randoms(use_true_random=False))
@settings(max_examples=10, phases=[Phase.generate])  # each example is a repository
def test_by_git_and_command_line(
    tmp_path_factory: Any, inventory: Inventory, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(BUNDLES / "stacks", folder / "stacks")
    file = folder / "pais.yaml"
    file.write_text(as_yaml(inventory), encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "As it is")
    assert planned(file)["policy"]["changes"] == []
    assert planned(file)["summary"]["changes"] == 0

    gone = chance.choice(list(inventory["devices"]))
    file.write_text(as_yaml(without(inventory, gone)), encoding="utf-8")
    there = planned(file)
    git(folder, "commit", "-q", "-a", "-m", "A device less")
    file.write_text(as_yaml(inventory), encoding="utf-8")
    back = planned(file)
    assert (there["policy"]["gains"], there["policy"]["losses"]) == (
        back["policy"]["losses"],
        back["policy"]["gains"],
    )
    assert places(there, "delete") == places(back, "create")
    assert places(there, "create") == places(back, "delete") == set()


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def planned(file: Path) -> Any:
    said = io.StringIO()
    with redirect_stdout(said):
        assert run(["-i", str(file), "plan", "--base", "HEAD", "--json"]) == 0
    return json.loads(said.getvalue())


def places(document: Any, action: str) -> set[str]:
    """The stacks of which a plan begins or ends something."""
    stacks = [stack for host in document["hosts"] for stack in host["stacks"]]
    changes = [change for stack in stacks for change in stack["changes"]]
    return {change["address"] for change in changes if change["action"] == action}


def operations(plan: Plan) -> list[str]:
    return [str(each) for host in plan.hosts for stack in host.stacks for each in stack.operations]


def in_order(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=str)


def updates(changes: Iterable[Change]) -> set[tuple[Any, ...]]:
    """What is another way afterwards, with its values and how many lines it gains and loses."""
    return {
        (each.address, each.subject, each.field, each.before, each.after, lines(each))
        for each in changes
        if each.action is Action.UPDATE
    }


def lines(change: Change) -> int:
    return len(change.diff.splitlines())


def is_whole(change: Change) -> bool:
    return change.action is Action.DELETE and change.subject == "stack"
