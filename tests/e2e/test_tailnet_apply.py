"""`paisctl apply` of a whole fleet in a tailnet: the hosts first, the access policy last and alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import API_KEY
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply
from tests.e2e.tailnet import DROP, LOCKED, MORE, Tailnet, joined

ROOTS = {"nas": "/volume1/docker/paisctl", "box": "/opt/paisctl"}
FILE = "stacks/canary/settings/none.conf"


@pytest.fixture(scope="module")
def shared(
    fleet: Rehearsal, applied_twice: list[dict[tuple[str, str], str]]
) -> Iterator[Rehearsal]:
    """Everything deployed; as the inventory wants it again once these tests are done."""
    assert applied_twice
    yield fleet
    apply(fleet)


@pytest.fixture
def tailnet(
    shared: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tailnet]:
    """The lab with its stacks, under our policy."""
    monkeypatch.setenv("TAILSCALE_API_KEY", API_KEY)
    with joined(shared, tmp_path) as found:
        found.settle()
        yield found


def words(tailnet: Tailnet) -> set[str]:
    """What stands in the canaries' files on two hosts."""
    texts = [tailnet.lab.root(device, "cat", f"{root}/{FILE}") for device, root in ROOTS.items()]
    return {line for text in texts for line in text.splitlines() if line.startswith("word")}


def change(tailnet: Tailnet, word: str, roles: object = MORE) -> Path:
    """Something to do on three hosts, and in the access policy."""
    return tailnet.overlay(roles, stacks={"canary": {"word": word}})


def test_hosts_come_first_and_the_policy_last(tailnet: Tailnet) -> None:
    before = tailnet.server.policy
    wanted = tailnet.wanted(MORE)
    overlay = change(tailnet, "ahead")
    found: list[set[str]] = []
    tailnet.server.on_change(lambda _: found.append(words(tailnet)))

    part = tailnet.lab.paisctl("apply", "--yes", "--skip-tailnet", overlay=overlay)
    assert part.returncode == 0, part.stdout + part.stderr
    assert (tailnet.server.policy, tailnet.server.requests) == (before, [])

    overlay = change(tailnet, "first")
    done = tailnet.lab.paisctl("apply", "--yes", overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tailnet.server.policy == wanted
    assert found == [{"word = first"}]  # by the time the policy was set
    assert done.stdout.index("applied and read back") < done.stdout.index("Done: the new access")
    again = tailnet.lab.paisctl("apply", "--yes", overlay=overlay)
    assert (again.returncode, "Nothing to do" in again.stdout) == (0, True)


def test_a_policy_that_locks_out_goes_back_and_the_hosts_stay_as_they_are(tailnet: Tailnet) -> None:
    before = tailnet.server.policy
    tailnet.refusal = DROP
    overlay = change(tailnet, "kept", LOCKED)
    done = tailnet.lab.paisctl("apply", "--yes", overlay=overlay)
    assert done.returncode == 1
    assert "Not done: the old access policy is in force again." in done.stdout
    assert tailnet.server.policy == before
    assert words(tailnet) == {"word = kept"}
    assert tailnet.reachable() == set(tailnet.lab.devices)


def test_a_host_that_fails_leaves_the_policy_as_it_is(tailnet: Tailnet) -> None:
    before = tailnet.server.policy
    overlay = tailnet.overlay(
        MORE,
        stacks={"qdrant": {"images": {"qdrant": {"tag": "none"}}}},
        rollouts={"knowledge": {"devices": ["k6"]}},  # else an apply would refuse all three
    )
    done = tailnet.lab.paisctl("apply", "--yes", overlay=overlay)
    assert done.returncode == 1
    assert "k6/compose:qdrant  failed" in done.stdout
    assert "The access policy was left as it is, since not all else was done.\n" in done.stdout
    assert tailnet.server.policy == before
    assert tailnet.server.asked("POST", "/acl") == []


def test_a_saved_plan_is_refused_before_any_host_when_the_policy_has_changed(
    tailnet: Tailnet,
) -> None:
    overlay = change(tailnet, "saved")
    plan = str(tailnet.folder / "plan.json")
    assert tailnet.lab.paisctl("plan", "-o", plan, overlay=overlay).returncode == 0
    assert API_KEY not in Path(plan).read_text()
    assert json.loads(Path(plan).read_text())

    ours = tailnet.server.policy
    tailnet.server.edit_by_hand(f"{ours}// by hand\n")
    refused = tailnet.lab.paisctl("apply", plan, overlay=overlay)
    assert refused.returncode == 1
    assert "the policy in force has changed since the plan was made" in refused.stderr
    assert words(tailnet) != {"word = saved"}

    tailnet.server.edit_by_hand(ours)
    done = tailnet.lab.paisctl("apply", plan, overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    assert words(tailnet) == {"word = saved"}
    assert tailnet.server.policy == tailnet.wanted(MORE)
