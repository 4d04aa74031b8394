"""Questions that Tailscale's documentation answers, held against what we compute.

The answers in `questions/` are written from the documented rules by hand; each names its rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from paisctl.policy.document import Policy
from paisctl.policy.evaluate import Rules
from paisctl.policy.parsing import parsed
from paisctl.policy.world import Node, World, person, tagged

FILES = sorted((Path(__file__).parent / "questions").glob("*.yaml"))


class Question(NamedTuple):
    policy: Policy
    world: World
    source: str
    target: str
    port: int
    protocol: str
    answer: str


def _world(data: Any) -> World:
    nodes = tuple(
        Node(
            name=node["name"],
            addresses=tuple(node["addresses"]),
            tags=frozenset(node.get("tags", ())),
            user=node.get("user", ""),
        )
        for node in data["nodes"]
    )
    return World(nodes, {user: frozenset(roles) for user, roles in data.get("roles", {}).items()})


def _questions() -> Iterator[Any]:
    for file in FILES:
        data = yaml.safe_load(file.read_text())
        world = _world(data["world"])
        for number, case in enumerate(data["cases"]):
            policy = parsed(case["policy"])
            for *question, why in case["questions"]:
                source, target, port, protocol, answer = question
                name = f"{file.stem}-{number}: {source} to {target} {protocol} {port} ({why})"
                yield pytest.param(
                    Question(policy, world, source, target, port, protocol, answer), id=name
                )


QUESTIONS = list(_questions())


def _source(question: Question) -> Node:
    known = {node.name: node for node in question.world.nodes}
    stand_in = tagged if question.source.startswith("tag:") else person
    return known.get(question.source) or stand_in(question.source)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_as_documented(question: Question) -> None:
    rules = Rules(question.policy, question.world)
    known = {node.name: node for node in question.world.nodes}
    target = known.get(question.target, question.target)
    reasons = rules.reasons(_source(question), target, question.port, question.protocol)
    assert question.answer == ("allow" if reasons else "deny")


@pytest.mark.parametrize("question", QUESTIONS)
def test_all_ports_say_the_same_as_one_question(question: Question) -> None:
    """But for the ping that follows whatever else is allowed."""
    rules = Rules(question.policy, question.world)
    source = _source(question)
    known = {node.name: node for node in question.world.nodes}
    ports = rules.ports(source, known.get(question.target, question.target))
    allowed = ports.contains(question.port, question.protocol)
    allowed |= question.protocol == "icmp" and bool(ports)
    assert question.answer == ("allow" if allowed else "deny")


def test_there_are_many_questions_and_each_names_a_rule() -> None:
    asked = 0
    for file in FILES:
        data = yaml.safe_load(file.read_text())
        named = [question[-1] for case in data["cases"] for question in case["questions"]]
        assert set(named) == set(data["sources"]), file.name
        assert all(":" in source for source in data["sources"].values())
        asked += len(named)
    assert asked >= 120


def test_reasons_name_the_rules() -> None:
    policy = parsed(
        {
            "grants": [
                {"src": ["*"], "dst": ["tag:b"], "ip": ["tcp:80"]},
                {"src": ["tag:a"], "dst": ["tag:b", "*"], "ip": ["*"]},
                {"src": ["tag:c"], "dst": ["tag:b"], "ip": ["*"]},
            ],
            "acls": [{"action": "accept", "src": ["tag:a"], "dst": ["tag:b:1-100"]}],
        }
    )
    rules = Rules(policy, World())
    assert rules.reasons(tagged("tag:a"), tagged("tag:b"), 80) == [
        ("grants", 0),
        ("grants", 1),
        ("acls", 0),
    ]
    assert rules.reasons(tagged("tag:a"), tagged("tag:b"), 200) == [("grants", 1)]
    assert rules.reasons(tagged("tag:x"), tagged("tag:b"), 81) == []
    assert Rules(Policy(), World()).reasons(tagged("tag:a"), tagged("tag:b"), 1) == [("default", 0)]
