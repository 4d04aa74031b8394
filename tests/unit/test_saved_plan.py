"""Saved plans: the same back and the same again, no secret, and what has moved since, in words."""

from __future__ import annotations

import copy
import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paisctl import plan_file
from paisctl.codec import Unfit, decode, encode, word_of
from paisctl.desired import Ignored
from paisctl.errors import PaisctlError, UsageError
from paisctl.operation import InstallFile, Operation
from paisctl.plan import HostPlan, Plan
from paisctl.proof import unproven
from paisctl.provenance import git_revision
from paisctl.reconcile import Scope
from paisctl.resources.file import FileSpec
from paisctl.saved_plan import SavedPlan, digest_of, save
from paisctl.secrets import Vault, quoted, token
from paisctl.session import Session
from tests.simulated.compose import image
from tests.simulated.fleet import REPOSITORY, SimulatedFleet, rendered
from tests.simulated.host import SimulatedHost
from tests.unit import test_plan_cases as cases

VAULT = Vault({"db_password": "correct horse"}, "key")
FLEET = cases.CASES / "fleet"
WANTED = rendered([FLEET / "inventory.yaml"], FLEET)


def session(fleet: SimulatedFleet, vault: Vault = VAULT, *, texts: bool = False) -> Session:
    states = {name: host.state(texts=texts) for name, host in fleet.hosts.items()}
    return Session(WANTED, vault, {}, states)


def saved(found: Session, plan: Plan | None = None) -> SavedPlan:
    return save(found.plan() if plan is None else plan, found, fleet="home", revision="1a2b3c")


@pytest.fixture
def applied() -> SimulatedFleet:
    fleet = SimulatedFleet(WANTED)
    fleet.apply(fleet.plan(WANTED, VAULT), VAULT)
    return fleet


@pytest.fixture
def box(applied: SimulatedFleet) -> SimulatedHost:
    """The one host: all as wanted but one environment variable of `web`, and `db` is down."""
    host = applied.hosts["box"]
    host.containers["web-app-1"]["Config"]["Env"].append("EXTRA=1")
    host.containers["db-db-1"]["State"] |= {"Status": "exited", "ExitCode": 1}
    return host


# --- the same back, the same again -----------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(FLEET, tmp_path_factory.mktemp("cases") / "fleet"))


@pytest.mark.parametrize("path", sorted(cases.CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_plan_comes_back_the_same(
    path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    case = yaml.safe_load(path.read_text())
    fleet = copy.deepcopy(cases.applied(case.get("applied", "")))
    cases.happen(fleet.hosts["box"], case.get("host", {}))
    found = session(fleet, cases.secrets(**case.get("secrets", {})), texts=True)

    once, again = saved(found), saved(found)

    text = plan_file.as_text(once)
    assert plan_file.parse(text, "plan.json") == once
    assert text == plan_file.as_text(again)
    assert "correct" not in text
    assert once.moved(found.states, found.vault) == {}


@given(st.one_of(*map(st.from_type, get_args(Operation))))
@settings(max_examples=200)
def test_every_operation_comes_back_the_same(operation: Operation) -> None:
    text = json.dumps(encode(Operation, operation))
    assert repr(decode(Operation, json.loads(text))) == repr(operation)


@pytest.mark.parametrize(
    "content",
    [
        token("db_password"),
        quoted(f'a: "{token("db_password")}"\n', "json"),
        quoted(f'- "{token("db_password")}$$"\n', "compose"),
        "\udcff no UTF-8, \x00, \u2028, 🦀, \ue0b0\r\n",
        "\\ue000db_password\\ue001",
        "",
    ],
)
def test_contents_come_back_byte_for_byte(content: str) -> None:
    operation = InstallFile(FileSpec("a.conf", content))
    text = json.dumps(encode(Operation, operation))
    back = decode(Operation, json.loads(text))
    assert back == operation
    assert back.file.bytes(VAULT) == operation.file.bytes(VAULT)
    assert "correct horse" not in text


def test_a_field_that_nobody_knows_is_refused() -> None:
    known = encode(Operation, InstallFile(FileSpec("a.conf", "")))
    with pytest.raises(Unfit, match="force is not known in install_file"):
        decode(Operation, known | {"force": True})
    with pytest.raises(Unfit, match="'format_disk' is not known"):
        decode(Operation, {"kind": "format_disk"})
    with pytest.raises(Unfit, match=r"^file\.path: int where str is needed"):
        decode(Operation, known | {"file": {"path": 1, "content": ""}})


def test_plans_that_do_something_else_have_another_digest(applied: SimulatedFleet) -> None:
    plan = SimulatedFleet(WANTED).plan(WANTED, VAULT)
    other = replace(plan.hosts[0].stacks[0], operations=())
    changed = Plan((replace(plan.hosts[0], stacks=(other, *plan.hosts[0].stacks[1:])),))
    digests = {digest_of(plan), digest_of(changed), digest_of(applied.plan(WANTED, VAULT))}
    assert len(digests) == 3


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def text(box: SimulatedHost, applied: SimulatedFleet) -> str:
    assert box
    return plan_file.as_text(saved(session(applied)))


def test_a_file_is_for_its_owner_and_replaces_a_plan(
    tmp_path: Path, box: SimulatedHost, applied: SimulatedFleet
) -> None:
    path, plan = tmp_path / "plan.json", saved(session(applied))
    for _ in range(2):
        plan_file.require_writable(path)
        plan_file.write(plan, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert plan_file.read(path) == plan
    assert box.done


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    other = tmp_path / "pais.yaml"
    other.write_text("version: 1\n")
    with pytest.raises(UsageError, match="is no saved plan"):
        plan_file.require_writable(other)
    with pytest.raises(UsageError, match="is a folder"):
        plan_file.require_writable(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        plan_file.require_writable(tmp_path / "nowhere/plan.json")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[: len(text) // 2], "the saved plan p is cut off or damaged"),
        (lambda _: "", "p is no saved plan of paisctl"),
        (lambda _: "version: 1\n", "p is no saved plan of paisctl"),
        (lambda _: "[]", "p is no saved plan of paisctl"),
        (lambda _: '{"format": 1, "hosts": []}', "p is no saved plan of paisctl"),
        (lambda _: "[" * 100_000, "p is no saved plan of paisctl"),
        (
            lambda text: text.replace('"format": 1', '"format": 2'),
            "the saved plan p has format 2, this paisctl reads format 1",
        ),
        (
            lambda text: text.replace('"format": 1', '"format": 0'),
            "the saved plan p has format 0, this paisctl reads format 1",
        ),
        (
            lambda text: text.replace('"wait_healthy"', '"wait_wealthy"'),
            "the saved plan p is damaged: hosts.plan.stacks.operations: 'wait_wealthy' is not known",
        ),
        (
            lambda text: text.replace('"recreate"', '"restart"'),
            "the saved plan p was edited, or is damaged",
        ),
        (
            lambda text: text.replace('"health_timeout": 120.0', '"health_timeout": 1.0'),
            "the saved plan p was edited, or is damaged",
        ),
    ],
)
def test_what_is_no_sound_plan_is_refused(
    text: str, edit: Callable[[str], str], message: str
) -> None:
    edited = edit(text)
    assert edited != text
    with pytest.raises(PaisctlError) as caught:
        plan_file.parse(edited, "p")
    assert caught.value.message == message
    assert caught.value.hint


def test_a_newer_format_asks_for_a_newer_paisctl(text: str) -> None:
    with pytest.raises(PaisctlError) as caught:
        plan_file.parse(text.replace('"format": 1', '"format": 2'), "p")
    assert caught.value.hint == "upgrade paisctl on this machine"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(data=st.data())
@settings(max_examples=150)
def test_whatever_is_damaged_there_is_an_answer(data: Any) -> None:
    document = json.loads(plan_file.as_text(saved(session(SimulatedFleet(WANTED)))))
    node: Any = document
    while True:
        steps = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        step = data.draw(st.sampled_from(steps))
        if isinstance(node[step], dict | list) and node[step] and data.draw(st.booleans()):
            node = node[step]
            continue
        node[step] = data.draw(JSON)
        break
    with suppress(PaisctlError):
        plan_file.parse(json.dumps(document), "p")


# --- what has moved -----------------------------------------------------------------------------


def running(box: SimulatedHost, name: str, **changes: Any) -> None:
    box.containers[name]["State"] = {"Status": "running", **changes}


def edit(path: str, content: str) -> Callable[[SimulatedHost], None]:
    def happen(box: SimulatedHost) -> None:
        box.files[path] = (box.files[path][0], content.encode())

    return happen


def moved_tag(box: SimulatedHost) -> None:
    reference = box.containers["web-app-1"]["Config"]["Image"]
    box.images["old"] = box.images[reference] | {"RepoTags": []}
    box.images[reference] = image(reference, "pushed again")


def lost_image(box: SimulatedHost) -> None:
    reference = box.containers["web-app-1"]["Config"]["Image"]
    box.images[reference] = box.images[reference] | {"RepoTags": []}


def applied_again(box: SimulatedHost) -> None:
    box.manifest = box.manifest.replace('"generation": 1', '"generation": 2')


MOVES: dict[str, tuple[Callable[[SimulatedHost], object], list[str]]] = {
    "a file": (
        edit("stacks/web/motto.txt", "Bye\n"),
        ["file stacks/web/motto.txt was edited"],
    ),
    "a secret file": (
        edit("stacks/db/compose.override.yaml", "services: {}\n"),
        ["file stacks/db/compose.override.yaml was edited"],
    ),
    "a mode": (
        lambda box: box.files.update({"stacks/web/motto.txt": ("0600", b"Hi\n")}),
        ["file stacks/web/motto.txt has mode 0600, had 0644"],
    ),
    "a file gone": (
        lambda box: box.files.pop("stacks/web/motto.txt"),
        ["file stacks/web/motto.txt is gone"],
    ),
    "a new override": (
        lambda box: box.files.update({"stacks/web/compose.override.yaml": ("0644", b"")}),
        ["file stacks/web/compose.override.yaml is new"],
    ),
    "a container replaced": (
        lambda box: box.containers["web-app-1"].update(Id="f" * 64),
        ["container web-app-1 was replaced"],
    ),
    "a container gone": (
        lambda box: box.containers.pop("web-worker-1"),
        ["container web-worker-1 is gone"],
    ),
    "a new container": (
        lambda box: box.containers.update(
            {"web-app-2": box.containers["web-app-1"] | {"Name": "/web-app-2"}}
        ),
        ["container web-app-2 is new"],
    ),
    "a container stopped": (
        lambda box: running(box, "web-app-1", Status="exited", ExitCode=137),
        ["container web-app-1 is stopped, was running"],
    ),
    "a container started": (
        lambda box: running(box, "db-db-1"),
        ["container db-db-1 is running, was stopped"],
    ),
    "a limit": (
        lambda box: box.containers["web-app-1"]["HostConfig"].update(Memory=2**29),
        ["container web-app-1 has memory limit 512 MiB, had 1 GiB"],
    ),
    "a restart policy": (
        lambda box: box.containers["web-app-1"]["HostConfig"].update(
            RestartPolicy={"Name": "always"}
        ),
        ["container web-app-1 has restart policy always, had unless-stopped"],
    ),
    "a network": (
        lambda box: box.containers["web-app-1"]["NetworkSettings"]["Networks"].update(edge={}),
        ["container web-app-1 has networks edge, had (not set)"],
    ),
    "a tag": (moved_tag, ["image {app} points at another image now"]),
    "an image gone": (lost_image, ["image {app} is gone"]),
    "an apply": (applied_again, ["manifest is at generation 2, was 1"]),
    "a manifest": (
        lambda box: setattr(box, "manifest", box.manifest + " "),
        ["manifest was edited, still generation 1"],
    ),
    "a damaged manifest": (
        lambda box: setattr(box, "manifest", box.manifest[:50]),
        ["its manifest cannot be read any more"],
    ),
    "another root": (
        lambda box: setattr(box, "root", "/srv"),
        ["its directory is /srv, was /opt/paisctl"],
    ),
    "a host that is off": (
        lambda box: setattr(box, "problem", "box did not answer within 10 s"),
        ["box did not answer within 10 s"],
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moved_is_said(name: str, box: SimulatedHost, applied: SimulatedFleet) -> None:
    happen, words = MOVES[name]
    app = box.containers["web-app-1"]["Config"]["Image"]
    plan = plan_file.parse(plan_file.as_text(saved(session(applied))), "p")
    assert plan.moved(session(applied).states, VAULT) == {}

    happen(box)

    expected = [each.format(app=app) for each in words]
    assert plan.moved(session(applied).states, VAULT) == {"box": expected}


def later(box: SimulatedHost) -> None:
    running(box, "web-app-1", StartedAt="2026-11-30T00:00:00Z", Health={"Status": "starting"})
    running(box, "web-worker-1", Status="restarting")
    box.containers["web-proxy-1"]["RestartCount"] = 7


def elsewhere(box: SimulatedHost) -> None:
    """Things that no stack of the plan has."""
    box.files["stacks/web/data/cache.db"] = ("0644", b"busy")
    box.files["stacks/other/compose.yaml"] = ("0644", b"")
    one_off = copy.deepcopy(box.containers["web-app-1"]) | {"Name": "/web-app-run-1", "Id": "1"}
    one_off["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    foreign = copy.deepcopy(box.containers["web-app-1"]) | {"Name": "/x-1", "Id": "2"}
    foreign["Config"]["Labels"]["com.docker.compose.project"] = "x"
    box.containers |= {"web-app-run-1": one_off, "x-1": foreign}


@pytest.mark.parametrize("happen", [later, elsewhere])
def test_what_does_not_matter_is_no_move(
    happen: Callable[[SimulatedHost], None], box: SimulatedHost, applied: SimulatedFleet
) -> None:
    plan = saved(session(applied))
    happen(box)
    assert plan.moved(session(applied).states, VAULT) == {}


def test_only_the_stacks_of_the_plan_count(box: SimulatedHost, applied: SimulatedFleet) -> None:
    found = session(applied)
    plan = saved(found, found.plan(["db"]))
    del box.containers["web-app-1"]
    edit("stacks/web/motto.txt", "Bye\n")(box)
    assert plan.moved(session(applied).states, VAULT) == {}


def test_an_image_that_the_plan_pulls_may_be_there_already() -> None:
    fleet = SimulatedFleet(WANTED)
    plan = saved(session(fleet))
    for operation in (o for s in plan.plan.hosts[0].stacks for o in s.operations):
        if operation.__class__.__name__ == "Pull":
            fleet.hosts["box"].images[operation.image] = image(operation.image)  # type: ignore[union-attr]
    assert fleet.hosts["box"].images
    assert plan.moved(session(fleet).states, VAULT) == {}


def test_what_the_inventory_ignores_is_known_later(
    box: SimulatedHost, applied: SimulatedFleet
) -> None:
    assert box
    limit = Ignored("web", "service app", "memory limit", "autoscaled")
    found = session(applied)
    found = replace(found, hosts={"box": replace(WANTED["box"], ignored=(limit,))})
    plan = plan_file.parse(plan_file.as_text(saved(found)), "p")
    assert plan.wanted["box"].ignored == (limit,)


def test_a_host_that_is_as_wanted_may_move(applied: SimulatedFleet) -> None:
    plan = saved(session(applied))
    applied.hosts["box"].containers.clear()
    assert plan.moved(session(applied).states, VAULT) == {}


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vault", "message"),
    [
        (VAULT, ""),
        (Vault(dict(VAULT.values) | {"unrelated": "x"}, "key"), ""),
        (
            Vault({"db_password": "battery staple"}, "key"),
            "`db_password` has another value now than when the plan was made",
        ),
        (Vault({}, ""), "the secrets file here lacks `db_password`, which the plan needs"),
        (
            Vault(VAULT.values, ""),
            "the secrets file here has another `digest_key` than the one the plan was made with",
        ),
        (
            Vault(VAULT.values, "another"),
            "the secrets file here has another `digest_key` than the one the plan was made with",
        ),
    ],
)
def test_the_secrets_must_be_those_of_the_plan(
    vault: Vault, message: str, box: SimulatedHost, applied: SimulatedFleet
) -> None:
    assert box
    plan = saved(session(applied))
    if not message:
        plan.require_secrets(vault)
        return
    with pytest.raises(PaisctlError) as caught:
        plan.require_secrets(vault)
    assert caught.value.message == message
    assert caught.value.hint


def test_without_secrets_no_key_is_needed() -> None:
    found = replace(session(SimulatedFleet(WANTED)), vault=Vault({}, ""))
    empty = save(Plan((HostPlan("box"),)), found, fleet="home")
    empty.require_secrets(Vault({}, ""))
    assert empty.secrets == {}


# --- proof --------------------------------------------------------------------------------------


def left(fleet: SimulatedFleet, before: Session, plan: Plan) -> list[str]:
    after = {name: host.state() for name, host in fleet.hosts.items()}
    proof = unproven(plan, before.states, after, before.vault)
    return [f"{c.address.name} {c.subject} {c.field}".strip() for c in proof.changes]


def test_a_plan_that_was_carried_out_is_proved(box: SimulatedHost, applied: SimulatedFleet) -> None:
    before = session(applied)
    plan = before.plan()
    planned = ["db service db state", "web service app environment EXTRA"]
    assert left(applied, before, plan) == planned
    applied.apply(plan, VAULT)
    assert left(applied, before, plan) == []
    running(box, "db-db-1", Status="exited", ExitCode=1)
    box.containers["web-app-1"]["HostConfig"]["Memory"] = 1
    assert left(applied, before, plan) == ["db service db state", "web service app memory limit"]


def test_what_was_left_alone_is_not_held_against_a_plan(applied: SimulatedFleet) -> None:
    box = applied.hosts["box"]
    box.containers["web-app-1"]["HostConfig"]["Memory"] = 2**29
    edit("stacks/web/motto.txt", "Bye\n")(box)
    before = session(applied)
    whole = before.plan().hosts[0]
    of_motto = tuple(c for c in whole.stacks[0].changes if c.subject == "file motto.txt")
    plan = Plan((replace(whole, stacks=(replace(whole.stacks[0], changes=of_motto),)),))
    assert left(applied, before, plan) == ["web file motto.txt"]
    box.files["stacks/web/motto.txt"] = ("0644", b"Hello\n")


def test_drift_alone_is_what_differs_from_what_was_applied(
    box: SimulatedHost, applied: SimulatedFleet, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("devices: {box: {stacks: {web: {memory: 2g}}}}\n")
    edited = rendered([FLEET / "inventory.yaml", overlay], FLEET)
    found = replace(session(applied), hosts=edited)
    everything = {str(change.cause) for change in found.plan().changes}
    drift = found.plan(scope=Scope.DRIFT)
    assert everything == {"pending", "drift"}
    assert {str(change.cause) for change in drift.changes} == {"drift"}
    applied.apply(drift, VAULT)
    assert str(session(applied).plan()) == "no changes"
    assert box.done


# --- provenance -----------------------------------------------------------------------------------


def test_the_revision_is_that_of_git(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        options = ("-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main")
        command = ["git", "-C", str(tmp_path), *options, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert git_revision(tmp_path) == ""
    git("init", "-q")
    assert git_revision(tmp_path) == ""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "pais.yaml").write_text("version: 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    git("tag", "-a", "-m", "v1", "v1")
    commit = git("rev-parse", "--short=12", "HEAD")
    assert git_revision(inventory) == commit
    (tmp_path / "plan.json").write_text("{}")
    assert git_revision(inventory) == commit
    (inventory / "pais.yaml").write_text("version: 2\n")
    assert git_revision(inventory) == f"{commit}-dirty"


@pytest.mark.parametrize("kind", get_args(Operation))
def test_the_reference_names_every_operation(kind: type) -> None:
    page = (REPOSITORY / "docs/reference/json.md").read_text("utf-8")
    assert f"`{word_of(kind)}`" in page
