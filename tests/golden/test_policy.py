"""The access policy of the reference fleet: as a file, and against tables written by hand.

The tables follow the framework's intent (section 6.7, isolated assistant; section 12.1, access by
role), not what is rendered: the first two say all that may be reached, the last what must never be.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from paisctl.pipeline import desire
from paisctl.policy.document import digest
from paisctl.policy.text import read, stamp_of
from tests.golden_files import expect
from tests.simulated.fleet import REPOSITORY
from tests.unit.tailnet_policy.asking import Asked, Question

GOLDEN = Path(__file__).parent / "policy.hujson"
PARENT, CHILD = "parent@example.com", "child1@example.com"
NODES = ("k6", "m7-1", "m7-2")  # of the Qdrant cluster
JETSONS = ("jetson-1", "jetson-2", "jetson-3")
PIS = ("rpi5-1", "rpi5-2", "rpi5-3")
EXPORTERS = (*NODES, *JETSONS, *PIS, "ai-max", "dgx-1", "dgx-2", "nas")
HOSTS = (*EXPORTERS, "mac-mini", "mac-studio")
PERSONAL = ("thinkpad", "macbook", "dell")

# Everything that each machine of the house may reach of others.
SERVICES: dict[str, dict[str, tuple[int, ...]]] = {
    "mac-mini": {
        # HAProxy in front of the cluster; Prometheus; AnythingLLM and the model router.
        **dict.fromkeys(EXPORTERS, (9100,)),
        "k6": (6333, 6334, 6336, 6379, 9100, 11435),
        "m7-1": (6333, 6334, 6336, 8080, 9100),
        "m7-2": (5001, 6333, 6334, 6336, 9100),
        "mac-studio": (11434,),
        "ai-max": (3000, 9100),
    },
    "k6": {"m7-1": (6333, 6335), "m7-2": (6333, 6335)},
    "m7-1": {"k6": (6333, 6335), "m7-2": (6333, 6335)},
    "m7-2": {"k6": (6333, 6335), "m7-1": (6333, 6335)},
    "mac-studio": {"nas": (2049,)},
    "rpi5-1": {"mac-mini": (4000,)},
    "rpi5-3": {"rpi5-2": (1883,)},
}
# Everything that people may reach, from their phones and from machines of their own.
PEOPLE: dict[str, dict[str, tuple[int, ...]]] = {
    CHILD: {"mac-mini": (3001,)},
    PARENT: {
        **dict.fromkeys(HOSTS, (22,)),
        "mac-mini": (22, 3001, 4000, 6333, 6334, 9090),
        "mac-studio": (22, 11434),
        "k6": (22, 6333, 6334, 6379, 11435),
        "m7-1": (22, 6333, 6334, 8080),
        "m7-2": (22, 5001, 6333, 6334),
        "ai-max": (22, 3000),
        "rpi5-1": (22, 18789),
        "rpi5-2": (22, 1883, 8123),
        "nas": (22, 5001),
    },
}


@functools.cache
def reference() -> Asked:
    return Asked(desire([REPOSITORY / "inventory/pais.yaml"]))


@functools.cache
def allowed() -> set[Question]:
    return reference().allowed()


def reached(source: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for who, device, port, protocol in sorted(allowed()):
        if who == source:
            assert protocol == "tcp"
            found[device] = (*found.get(device, ()), port)
    return found


def test_the_policy_is_as_expected() -> None:
    expect(GOLDEN, reference().text)


def test_the_file_says_whose_it_is() -> None:
    text = reference().text
    assert stamp_of(text) == digest(read(text)) == digest(reference().policy)


def test_another_control_plane_takes_it_and_its_tests_hold() -> None:
    assert reference().is_taken().value["grants"]


@pytest.mark.parametrize("source", [*HOSTS, *PERSONAL, PARENT, CHILD])
def test_everybody_reaches_just_this(source: str) -> None:
    expected = PEOPLE[PARENT] if source in PERSONAL else {**SERVICES, **PEOPLE}.get(source, {})
    assert reached(source) == expected


def test_both_evaluators_were_asked_about_everything() -> None:
    asked = reference().questions()
    assert len({source for source, *_ in asked}) == 18 + 2
    assert len({device for _, device, *_ in asked}) == 18
    assert {22, 2049, 6333, 6335, 11434} <= {port for *_, port, _ in asked}
    assert len(asked) > 8000


def forbidden() -> Iterator[Question]:
    """What must never be, port by port: no test of the policy itself has to ask for it."""
    for port in (22, 3000, 8765, 9100, 11434, 18789):
        yield CHILD, "rpi5-1", port, "tcp"  # nobody but admins talks to the assistant
    for node in NODES:
        for port in (22, 6333, 6334, 6335, 6336):
            yield CHILD, node, port, "tcp"
        for source in ("mac-mini", "rpi5-1", "nas", "thinkpad", PARENT):
            yield source, node, 6335, "tcp"  # between the three alone
    for port in (22, 80, 111, 139, 445, 2049, 5000, 5001):
        yield CHILD, "nas", port, "tcp"
        yield "rpi5-1", "nas", port, "tcp"
    for device in [*HOSTS, *PERSONAL]:
        yield CHILD, device, 22, "tcp"
        yield "mac-mini", device, 22, "tcp"  # what runs there is no person
    for port in (22, 443, 3001, 6333, 6334, 9090, 8405):
        yield "rpi5-1", "mac-mini", port, "tcp"  # of the orchestrator the model router alone
    for port in (11434, 8000):
        yield "rpi5-1", "mac-studio", port, "tcp"  # no model without the router
        yield "rpi5-1", "dgx-1", port, "tcp"
    yield CHILD, "mac-mini", 4000, "tcp"
    yield CHILD, "mac-mini", 3001, "udp"
    yield "mac-mini", "thinkpad", 443, "tcp"


@pytest.mark.parametrize(
    "question", list(forbidden()), ids=lambda question: "-".join(map(str, question))
)
def test_never(question: Question) -> None:
    assert reference().allowed([question]) == set()
