"""What the steps of the command refuse, write and show, on hosts that are only said to be there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from paisctl import pipeline
from paisctl.cli import rollout_steps as steps
from paisctl.cli import rollout_to
from paisctl.cli.context import Settings
from paisctl.cli.rollout_refusals import refuse_unreached
from paisctl.cluster.driver import Obstacle, Task
from paisctl.errors import CannotEdit, InvalidInput, PaisctlError
from paisctl.hold import Hold
from paisctl.observed import HostState
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.rollout import scene as scene_module
from paisctl.rollout.definition import define, repository_of, tag_of
from paisctl.rollout.record import Phase, Progress, Record
from paisctl.rollout.scene import Scene
from paisctl.views import rollout as view
from tests.simulated.fleet import REPOSITORY

INVENTORY = REPOSITORY / "inventory/pais.yaml"
RESTART = Task("v1.19.0", is_restart=True)
RECORD = Record(
    "knowledge",
    3,
    "qdrant",
    Task("v1.19.0"),
    {"a": "v1.18.3"},
    "ann@laptop",
    "2026-11-22T21:00:00Z",
    {"a": Phase.DONE, "b": Phase.CHECKING},
    progress=Progress.STOPPED,
    problem="b: readyz was not passed",
    journal={"metadata": {"k6": "much"}},
)


def change(field: str, before: str = "exited", disruption: Disruption = Disruption.NONE) -> Change:
    address = Address("a", "compose", "qdrant")
    return Change(
        address, Action.MEND, "service qdrant", Cause.DRIFT, disruption, field, before, "running"
    )


def scene(*changes: Change, holds: tuple[str, ...] = (), **away: str) -> Scene:
    """One member, `a`, with what differs there."""
    definition = SimpleNamespace(
        name="knowledge",
        stack="qdrant",
        devices=["a"],
        versions={"a": "v1.19.0"},
        driver=lambda _: SimpleNamespace(preflight=lambda *_: []),
        balancers=[
            SimpleNamespace(
                instance=SimpleNamespace(name="haproxy", device=SimpleNamespace(name="front"))
            )
        ],
    )
    stacks = (StackPlan("qdrant", changes),) if changes else ()
    opened, plan = (
        SimpleNamespace(away=away, states={"a": HostState("a", holds=holds)}),
        Plan((HostPlan("a", stacks),)),
    )
    parts: Any = (definition, opened, [], [], [], None, plan, {"a": "v1.18.3"})
    return Scene(*parts)


def test_a_restart_goes_over_what_is_down_and_not_over_what_the_inventory_changes() -> None:
    assert scene(change("state")).obstacles(RESTART) == []
    [obstacle] = scene(change("state"), change("mem_limit")).obstacles(RESTART)
    assert (obstacle.device, obstacle.hint) == ("a", "paisctl rollout knowledge")
    assert obstacle.what == "the inventory has changes for it, and a restart makes none"
    assert scene(change("mem_limit")).obstacles(Task("v1.19.0")) == []


@pytest.mark.parametrize(("stack", "what"), [("qdrant", "a/qdrant"), ("", "a")])
def test_a_member_that_is_held_is_in_the_way_although_nothing_changes_there(
    stack: str, what: str
) -> None:
    hold = Hold(stack, 1_795_359_600, "reindexing", "ann", "laptop")
    held = scene(holds=(f"/r/holds/{hold.name}.json:{hold.to_json()}",))
    [obstacle] = held.obstacles(RESTART)
    assert (obstacle.device, obstacle.hint) == ("a", f"paisctl release {what}")
    assert obstacle.what == f"it is {hold}"


def test_a_hold_of_another_stack_is_in_no_way() -> None:
    hold = Hold("redis", 1_795_359_600, "reindexing", "ann", "laptop")
    assert scene(holds=(f"/r/holds/redis.json:{hold.to_json()}",)).obstacles(RESTART) == []


def test_nothing_is_called_put_back_while_a_load_balancer_cannot_be_told() -> None:
    refuse_unreached(scene(a="off"))
    with pytest.raises(PaisctlError) as refused:
        refuse_unreached(scene(front="no route to host"))
    assert refused.value.message == (
        "haproxy on front may still leave a member out, and cannot be told: no route to host"
    )


# ---- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("qdrant/qdrant:v1.18.3", "qdrant/qdrant", "v1.18.3"),
        ("qdrant/qdrant:v1.18.3@sha256:0123", "qdrant/qdrant", "v1.18.3"),
        ("nas:5001/qdrant/qdrant:v1@sha256:01", "nas:5001/qdrant/qdrant", "v1"),
        ("nas:5001/qdrant/qdrant", "nas:5001/qdrant/qdrant", "latest"),
        ("qdrant/qdrant@sha256:0123", "qdrant/qdrant", "latest"),
    ],
)
def test_a_digest_is_no_part_of_a_version(image: str, repository: str, tag: str) -> None:
    assert (repository_of(image), tag_of(image)) == (repository, tag)


def test_what_runs_is_known_when_either_side_has_a_digest() -> None:
    def running(wanted: str, made_from: str) -> dict[str, str]:
        instance = SimpleNamespace(device=SimpleNamespace(name="a"), images={"qdrant": wanted})
        definition: Any = SimpleNamespace(
            instances=[instance], bundle=SimpleNamespace(image="qdrant"), stack="qdrant"
        )
        container = SimpleNamespace(stack="qdrant", image=made_from)
        opened: Any = SimpleNamespace(states={"a": SimpleNamespace(containers=[container])})
        return scene_module._running(definition, opened)

    pinned, plain = "qdrant/qdrant:v1.18.3@sha256:01", "qdrant/qdrant:v1.18.3"
    assert running(plain, pinned) == running(pinned, plain) == {"a": "v1.18.3"}
    assert running(plain, "envoyproxy/envoy:v1") == {}


# ---- --to ---------------------------------------------------------------------------------------


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "inventory/pais.yaml"
    file.parent.mkdir()
    file.write_text(INVENTORY.read_text("utf-8"), "utf-8")
    return file


def with_tag(*files: Path) -> tuple[pipeline.Desired, rollout_to.TagEdit]:
    context: Any = SimpleNamespace(obj=Settings(files))
    return rollout_to.with_tag(context, "knowledge", "v1.19.0")


def versions(desired: pipeline.Desired) -> set[str]:
    return set(define(desired.fleet, desired.graph, "knowledge").versions.values())


def test_a_tag_is_written_where_it_stands_and_only_when_it_is_time(inventory: Path) -> None:
    before = inventory.read_text("utf-8")
    desired, edit = with_tag(inventory)
    assert versions(desired) == {"v1.19.0"}
    assert inventory.read_text("utf-8") == before
    edit.write()
    assert inventory.read_text("utf-8") == before.replace("tag: v1.18.3}}", "tag: v1.19.0}}")
    _, nothing = with_tag(inventory)
    assert nothing == rollout_to.TagEdit()


def test_the_tag_of_an_overlay_is_changed_in_the_overlay(inventory: Path) -> None:
    overlay = inventory.with_name("overlay.yaml")
    overlay.write_text("stacks: {qdrant: {images: {qdrant: {tag: v1.18.4}}}} # ours\n")
    desired, edit = with_tag(inventory, overlay)
    assert versions(desired) == {"v1.19.0"}
    assert edit.path == overlay
    assert edit.after == "stacks: {qdrant: {images: {qdrant: {tag: v1.19.0}}}} # ours\n"


def test_the_tag_of_a_device_is_not_gone_over(inventory: Path) -> None:
    overlay = inventory.with_name("overlay.yaml")
    own = "{stacks: {qdrant: {images: {qdrant: {tag: v1.18.3}}}}}"
    overlay.write_text(f"devices: {{m7-1: {own}}}\n")
    with pytest.raises(InvalidInput) as invalid:  # lint wants one version for all members
        with_tag(inventory, overlay)
    assert "v1.19.0" in str(list(invalid.value.diagnostics))
    overlay.write_text(f"devices: {{k6: {own}, m7-1: {own}, m7-2: {own}}}\n")
    with pytest.raises(CannotEdit) as refused:
        with_tag(inventory, overlay)
    assert refused.value.message.endswith("would say v1.19.0, but k6 still gets v1.18.3")
    assert "v1.18.3" in inventory.read_text("utf-8")


def test_the_inventory_is_not_changed_for_an_image_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    edit = SimpleNamespace(write=lambda: written.append("inventory"))
    ready: Any = replace(scene(change("image", disruption=Disruption.RECREATE)), record=None)

    @contextmanager
    def opened(*_: object) -> Iterator[tuple[Scene, None]]:
        yield ready, None

    @contextmanager
    def claimed(_: Scene) -> Iterator[None]:
        yield None

    def images(*_: object) -> Sequence[Obstacle]:
        return [Obstacle("qdrant/qdrant:v1.19.0 cannot be had", device="a")]

    monkeypatch.setattr(rollout_to, "with_tag", lambda *_: (None, edit))
    monkeypatch.setattr(view, "intention", lambda *_: "")
    for name, fake in {
        "opened": opened,
        "claimed": claimed,
        "_images": images,
        "_task": lambda *_, **__: Task("v1.19.0"),
        "_order": lambda *_: ["a"],
        "refuse_moved": lambda _: None,
    }.items():
        monkeypatch.setattr(steps, name, fake)
    nowhere: Any = None
    wishes = steps.Wishes("v1.19.0", False, False, False, (), None, None, False, True)
    with pytest.raises(typer.Exit):
        steps.start(nowhere, "knowledge", wishes, is_restart=False)
    assert written == []
    assert "cannot be had" in capsys.readouterr().out


# ---- status and secrets -------------------------------------------------------------------------


def test_status_as_json_says_what_programs_need_and_no_more() -> None:
    text = view.status_as_json(RECORD, "knowledge", "bob@desk", ["c"], {"d": "no route"})
    assert "much" not in text
    assert json.loads(text) == {
        "format": 1,
        "rollout": "knowledge",
        "working": "bob@desk",
        "last": {
            "number": 3,
            "stack": "qdrant",
            "target": "v1.19.0",
            "restart": False,
            "who": "ann@laptop",
            "began": "2026-11-22T21:00:00Z",
            "progress": "stopped",
            "problem": "b: readyz was not passed",
            "members": [
                {"device": "a", "phase": "done", "before": "v1.18.3"},
                {"device": "b", "phase": "checking", "before": None},
            ],
        },
        "behind": ["c"],
        "unread": [{"device": "d", "problem": "no route"}],
    }
    never = json.loads(view.status_as_json(None, "knowledge", "", [], {}))
    assert (never["working"], never["last"]) == (None, None)


def test_only_the_secrets_of_the_stack_are_asked_for(inventory: Path) -> None:
    desired = pipeline.desire([inventory])
    with pytest.raises(PaisctlError, match=r"no value yet: qdrant_api_key$"):
        pipeline.open_vault(desired, ["k6", "m7-2"], ["qdrant"])
    with pytest.raises(PaisctlError, match="docling_api_key"):
        pipeline.open_vault(desired, ["k6", "m7-2"])
