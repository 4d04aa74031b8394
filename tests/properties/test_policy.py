"""Whatever a valid inventory says, its access policy allows just that, and others agree."""

from __future__ import annotations

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from paisctl.inventory import roster
from paisctl.inventory.edit import edited
from paisctl.pipeline import Desired, desire, lint
from paisctl.policy.document import Grant, document
from paisctl.policy.text import read, stamp_of, write
from paisctl.views.diagnostics import as_text
from tests.properties.hostile import effort
from tests.properties.households import (
    BUNDLES,
    ROLES,
    Access,
    Inventory,
    declared,
    households,
    without,
)
from tests.properties.strategies import as_yaml
from tests.properties.test_stability import shuffled
from tests.simulated.fleet import REPOSITORY
from tests.unit.tailnet_policy.asking import Asked, tag

BUILT_IN = yaml.safe_load((REPOSITORY / "src/paisctl/inventory/roles.yaml").read_text("utf-8"))
SERVICES = {
    name: {"services": role["services"], "ssh": role.get("ssh", False)}
    for name, role in BUILT_IN.items()
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("household") / "pais.yaml"


def proven(path: Path, inventory: Inventory) -> Desired:
    """What an inventory comes to, all of its proofs included; one that lint refuses is no example.

    Rules by hand are drawn blindly, so some open what they must not.
    """
    path.write_text(as_yaml(inventory), "utf-8")
    found = lint([path], BUNDLES)
    assert {problem.code for problem in found.errors} <= {"widened"}, as_text(found, [path])
    assume(not found.errors)
    return desire([path], BUNDLES)


def allowed(path: Path, inventory: Inventory) -> Access:
    return Asked(proven(path, inventory)).allowed()


@effort(60)
@given(inventory=households())
def test_it_holds_before_others(path: Path, inventory: Inventory) -> None:
    """Its own tests hold, another control plane takes it, another evaluator says the same."""
    asked = Asked(proven(path, inventory))
    assert asked.is_taken().value == document(asked.policy)
    asked.allowed()


@effort(60)
@given(inventory=households(by_hand=False))
def test_it_allows_what_is_declared_and_nothing_else(path: Path, inventory: Inventory) -> None:
    assert allowed(path, inventory) == declared(inventory, SERVICES)


@effort(30)
@given(inventory=households(by_hand=False))
def test_no_rule_is_wider_than_what_is_declared(path: Path, inventory: Inventory) -> None:
    """Not even by a port that nobody was asked about."""
    asked = Asked(proven(path, inventory))
    doors = {access[1:] for access in declared(inventory, SERVICES)}
    called = {tag(name): name for name in inventory["devices"]}
    for grant in asked.policy.grants or ():
        assert grant == Grant(grant.src, grant.dst, grant.ip)
        for selector, (protocol, _, port) in product(
            grant.dst, (e.partition(":") for e in grant.ip)
        ):
            assert (called.get(selector, selector), int(port), protocol) in doors


@effort(30)
@given(
    inventory=households(), login=st.sampled_from(["new@example.com"]), role=st.sampled_from(ROLES)
)
def test_a_new_person_widens_nobody_elses_access(
    path: Path, inventory: Inventory, login: str, role: str
) -> None:
    before = allowed(path, inventory)
    more = {**inventory, "users": [*inventory["users"], {"id": login, "role": role}]}
    after = allowed(path, more)
    assert {access for access in after if access[0] != login} == before


@effort(30)
@given(inventory=households(by_hand=False), chance=st.randoms(use_true_random=False))
def test_a_device_that_goes_takes_its_rules_with_it(
    path: Path, inventory: Inventory, chance: random.Random
) -> None:
    gone = chance.choice(list(inventory["devices"]))
    before = allowed(path, inventory)
    left = Asked(proven(path, without(inventory, gone)))
    of_others = {access for access in before if gone not in access[:2]}
    assert left.allowed() == of_others
    text = json.dumps(document(left.policy))
    assert f'"tag:{gone}"' not in text
    assert f'"{gone}"' not in text


@effort(30)
@given(inventory=households(), chance=st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nobodys_access(
    path: Path, inventory: Inventory, chance: random.Random
) -> None:
    before = allowed(path, inventory)
    devices = list(inventory["devices"].items())
    chance.shuffle(devices)
    other = {**shuffled(inventory, chance), "devices": dict(devices)}
    assert allowed(path, other) == before


@effort(30)
@given(inventory=households())
def test_its_text_is_stable_and_says_the_same(path: Path, inventory: Inventory) -> None:
    asked, again = (Asked(proven(path, inventory)) for _ in range(2))
    assert asked.text == again.text
    assert read(asked.text) == asked.policy
    assert read(write(asked.policy, stamp=False)) == asked.policy
    assert json.loads(write(asked.policy, stamp=False)) == document(asked.policy)
    stamp = stamp_of(asked.text)
    assert stamp
    assert stamp_of(write(read(asked.text), ["another heading"])) == stamp


@effort(40)
@given(
    inventory=households(by_hand=False),
    login=st.sampled_from(
        ["new@example.com", "on@github", "a.b@example.com", "0@x", "ñ@x.example"]
    ),
    role=st.sampled_from(ROLES),
    limits=st.fixed_dictionaries(
        {},
        optional={
            "allowed_models": st.lists(st.sampled_from(["a:b", "llama3.1:8b", "*"]), max_size=2),
            "allow_cloud": st.booleans(),
            "cloud_budget_monthly": st.sampled_from([0, 5, 2.5]),
            "content_filter": st.sampled_from(["off", "moderate", "strict"]),
        },
    ),
    is_block=st.booleans(),
)
def test_a_person_who_is_added_and_removed_leaves_no_trace(
    path: Path, inventory: Inventory, login: str, role: str, limits: dict[str, Any], is_block: bool
) -> None:
    dump = yaml.safe_dump(inventory, sort_keys=False, allow_unicode=True)
    text = dump if is_block else as_yaml(inventory)
    fleet = proven(path, inventory).fleet
    added = edited(text, roster.add(fleet, login, role, limits), str(path))
    assert added != text
    more = fleet_of(path, added)
    assert roster.add(more, login, role, limits) == []
    assert roster.change(more, login, role, limits, ()) == []
    assert edited(added, roster.remove(more, login), str(path)) == text


def fleet_of(path: Path, text: str) -> Any:
    path.write_text(text, "utf-8")
    return desire([path], BUNDLES).fleet
