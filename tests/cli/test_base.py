"""`paisctl plan --base`: two revisions of a project in git, and no host to ask."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from paisctl.cli.app import run
from tests.cli.conftest import Session

INVENTORY = Path("inventory/pais.yaml")
OTHER = """
  other:
    model: Box
    kind: linux
    layer: edge
    role: Another
    arch: amd64
    memory: 8GiB
    storage: 1 TB
    address: 100.64.0.2
    stacks:
      db:
"""


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def commit() -> None:
    git("add", "-A")
    git("commit", "-q", "-m", "As it is")


def edit(old: str, new: str, path: Path = INVENTORY) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(autouse=True)
def _repository(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fleet in a repository whose commits always have the same names; without its secrets."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "ann")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ann@example.com")
        monkeypatch.setenv(f"GIT_{who}_DATE", "2026-05-04T10:20:30Z")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (fleet / "inventory/secrets.yaml").unlink()
    git("init", "-q", "-b", "main")
    commit()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a host or a control plane, or looks for secrets, fails the test."""

    def refuse(*_: object) -> None:
        pytest.fail("this asks somebody")

    for name in ("session.observe", "targets.SshTransport", "pipeline.load_vault"):
        monkeypatch.setattr(f"paisctl.{name}", refuse)
    monkeypatch.setattr("paisctl.tailnet.planning.connect", refuse)


def change() -> None:
    """One of each: a setting, a file, an image, a device that is new, and a warning of lint."""
    edit('tag: "2.0"', 'tag: "2.1"')
    edit("web: {memory: 1g}", "web: {memory: 2g, motto: Bye}")
    with INVENTORY.open("a") as file:
        file.write(OTHER)


def test_nothing_has_changed(session: Session) -> None:
    session(
        "base-nothing", "paisctl plan --base HEAD", "paisctl plan --base main --format markdown"
    )
    assert run(["plan", "--base", "HEAD", "--detailed-exitcode"]) == 0


def test_a_change(session: Session) -> None:
    change()
    session(
        "base-change",
        "paisctl plan --base main --diff",
        "paisctl plan --base main --detailed-exitcode --skip-tailnet other",
        "paisctl plan --base main --stack db",
    )
    session("base-change-markdown", "paisctl plan --base main --diff --format markdown")


def test_the_way_back(session: Session) -> None:
    change()
    commit()
    git("checkout", "-q", "-b", "before", "main~1")
    session("base-back", "paisctl plan --base main")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    change()
    assert run(["plan", "--base", "main", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["base"]["revision"] == "main"
    assert len(document["base"]["commit"]) == 12
    assert document["summary"]["by_cause"]["pending"] == document["summary"]["changes"] > 4
    changes = [c for host in document["hosts"] for s in host["stacks"] for c in s["changes"]]
    assert {each["downloads"] for each in changes} == {None, "example/app:2.1", "postgres:16.1"}
    assert all(each["source"]["line"] for each in changes)
    assert not any(each["diff"] for each in changes), "it was not asked for"
    assert run(["plan", "--base", "main", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == document


def test_from_a_folder_of_the_project(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change()
    assert run(["plan", "--base", "main"]) == 0
    whole = capsys.readouterr().out
    monkeypatch.chdir("stacks/web")
    assert run(["plan", "--base", "main"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(whole.splitlines())


def test_a_bundle_that_changes(session: Session) -> None:
    edit('"fast"', '"slow"', Path("stacks/web/compose.yaml.j2"))
    session("base-bundle", "paisctl plan --base HEAD --skip-tailnet")


def test_an_inventory_that_is_new(session: Session) -> None:
    git("mv", "inventory/pais.yaml", "inventory/new.yaml")
    session("base-new", "paisctl -i inventory/new.yaml plan --base main")


def test_an_overlay_that_git_does_not_keep(session: Session) -> None:
    Path(".gitignore").write_text("overlay.yaml\n")
    Path("overlay.yaml").write_text("devices: {box: {ssh: {user: pais}}}\n")
    edit("web: {memory: 1g}", "web: {memory: 2g}")
    options = "-i inventory/pais.yaml -i overlay.yaml"
    session("base-overlay", f"paisctl {options} plan --base main --skip-tailnet")


def test_a_base_that_does_not_pass_lint(session: Session) -> None:
    edit("web: {memory: 1g}", "web: {memroy: 1g}")
    commit()
    edit("web: {memroy: 1g}", "web: {memory: 1g}")
    text = session("base-broken", "paisctl plan --base HEAD")
    assert "HEAD:inventory/pais.yaml" in text


def test_wrong_command_lines(session: Session) -> None:
    session(
        "base-usage",
        "paisctl plan --base nonsense",
        "paisctl plan --base ''",
        "paisctl plan --base main -o plan.json",
        "paisctl plan --base main --only-drift",
        "paisctl plan --base main --json --format markdown",
        "paisctl plan --base main nobody",
    )
    assert not Path("plan.json").exists()
