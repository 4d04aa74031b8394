"""`paisctl acl`, as far as it asks nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paisctl.cli.app import run
from paisctl.policy.text import read, stamp_of
from tests.cli.conftest import Session
from tests.simulated.fleet import REPOSITORY

GOLDEN = REPOSITORY / "tests/golden/policy.hujson"
Capture = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("reference")
def test_render_prints_the_policy(capsys: Capture) -> None:
    assert run(["acl", "render"]) == 0
    text = capsys.readouterr().out
    assert text == GOLDEN.read_text("utf-8")
    assert run(["acl", "render", "--plain"]) == 0
    plain = capsys.readouterr().out
    assert json.loads(plain)["grants"]
    assert stamp_of(plain) is None
    assert read(plain) == read(text)


@pytest.mark.usefixtures("reference")
def test_it_is_proven(session: Session) -> None:
    session("acl-test", "paisctl acl test")


def test_a_policy_that_opens_too_much_is_not(
    reference: Path, session: Session, capsys: Capture
) -> None:
    (reference / "overlay.yaml").write_text(
        "tailnet:\n  grants:\n"
        '    - {reason: to try it, src: ["*"], dst: ["*"], ip: ["6335"]}\n'
        '    - {reason: a fallback, src: [rpi5-1], dst: [mac-studio], ip: ["tcp:11434"]}\n'
    )
    for command in ("test", "render", "explain rpi5-1 nas", "diff policy.hujson"):
        assert (
            run(["-i", "inventory/pais.yaml", "-i", "overlay.yaml", "acl", *command.split()]) == 1
        )
        assert "this rule opens" in capsys.readouterr().err
    session("acl-widened", "paisctl -i inventory/pais.yaml -i overlay.yaml acl test")


@pytest.mark.usefixtures("reference")
def test_it_is_explained(session: Session) -> None:
    said = session(
        "acl-explain",
        "paisctl acl explain child1@example.com anythingllm",
        "paisctl acl explain child1@example.com nas",
        "paisctl acl explain child rpi5-1:22",
        "paisctl acl explain rpi5-1 litellm",
        "paisctl acl explain rpi5-1 mac-studio",
        "paisctl acl explain mac-mini k6:6335",
        "paisctl acl explain m7-1 k6:6335",
        "paisctl acl explain thinkpad nas:ssh",
        "paisctl acl explain group:admins openclaw",
        "paisctl acl explain 100.64.0.43 mqtt",
        "paisctl acl explain k6 k6",
    )
    assert "inventory/pais.yaml:" in said


@pytest.mark.usefixtures("reference")
def test_what_cannot_be_explained(session: Session) -> None:
    session(
        "acl-explain-wrong",
        "paisctl acl explain chidl1@example.com nas",
        "paisctl acl explain child1@example.com nsa",
        "paisctl acl explain k6 nas:0",
        "paisctl acl explain k6 nas:70000",
        "paisctl acl explain k6 nas:22/sctp",
        "paisctl acl explain k6 nas:22/foo",
        "paisctl acl explain k6 nas:x",
        "paisctl acl explain k6",
    )


@pytest.mark.usefixtures("reference")
def test_an_explanation_for_programs(capsys: Capture) -> None:
    assert run(["acl", "explain", "--json", "rpi5-1", "mac-mini:4000"]) == 0
    [answer] = json.loads(capsys.readouterr().out)["answers"]
    assert answer["allowed"]
    assert answer["service"] == "litellm"
    [rule] = answer["rules"]
    line = rule["source"]["line"] - 1
    text = (REPOSITORY / rule["source"]["file"]).read_text("utf-8").splitlines()[line]
    assert "connects: [litellm]" in text


def test_two_policies_are_told_apart(reference: Path, session: Session) -> None:
    text = GOLDEN.read_text("utf-8")
    (reference / "same.hujson").write_text(text)
    (reference / "open.hujson").write_text('{"grants": [{"src":["*"],"dst":["*"],"ip":["*"]}]}')
    (reference / "shut.hujson").write_text('{"grants": []} // nobody')
    (reference / "nas.hujson").write_text(
        text.replace(
            '"dst": ["tag:nas"], "ip": ["tcp:5001"]', '"dst": ["tag:nas"], "ip": ["tcp:80"]'
        )
    )
    (reference / "broken.hujson").write_text('{"grants": [\n}')
    session(
        "acl-diff",
        "paisctl acl diff same.hujson",
        "paisctl acl diff nas.hujson",
        "paisctl acl diff open.hujson",
        "paisctl acl diff shut.hujson",
        "paisctl acl diff broken.hujson",
        "paisctl acl diff none.hujson",
        "paisctl acl diff --json nas.hujson",
    )
