"""A manifest that cannot be used: nothing is changed, and following the hint brings all to order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import look, new_version
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import check_order, check_recovery, fail
from tests.e2e.scenario import apply, plan


@contextmanager
def manifest(host: Host, text: str) -> Iterator[None]:
    """Another text in place of the manifest; the old one is put back in the end."""
    kept = host.read("manifest.json")
    host.write("manifest.json", text)
    try:
        yield
    finally:
        host.write("manifest.json", kept)


def header(text: str, **changes: object) -> str:
    """A manifest with other words in its header."""
    return json.dumps(json.loads(text) | changes)


DAMAGES: list[tuple[str, Callable[[str], str], str, str]] = [
    ("corrupt", lambda text: text.replace('":', "\x01}"), "damaged", "move "),
    ("truncated", lambda text: text[: len(text) // 2], "damaged", "move "),
    ("another program's", lambda _: '{"version": 3}', "not written by paisctl", "move "),
    ("newer", lambda text: header(text, paisctl=99), "a newer paisctl", "upgrade"),
    ("another fleet's", lambda text: header(text, fleet="smiths"), "the fleet `smiths`", "address"),
    ("another device's", lambda text: header(text, device="m7-1"), "`m7-1`", "renamed_from: m7-1"),
]


@pytest.mark.parametrize(
    ("damage", "problem", "hint"), [d[1:] for d in DAMAGES], ids=[d[0] for d in DAMAGES]
)
def test_a_manifest_that_cannot_be_used_is_said_to_be_and_stays(
    box: Host, tmp_path: Path, damage: Callable[[str], str], problem: str, hint: str
) -> None:
    before, wanted = look(box), new_version(tmp_path)
    damaged = damage(box.read("manifest.json"))
    with manifest(box, damaged):
        text = fail(box, wanted)
        first, second, *_ = (line for line in text.splitlines() if line)
        assert first.startswith("? box  ")
        assert problem in first
        assert second.startswith("    hint: ")
        assert hint in second
        assert box.read("manifest.json") == damaged
        status = box.lab.paisctl("status", "box")
        assert problem in status.stdout
    assert check_recovery(box, before, wanted).id == before.id


def test_without_its_manifest_a_host_is_compared_with_what_runs(box: Host, tmp_path: Path) -> None:
    """As the hint says: it is moved away. The numbers of generations still go up."""
    wanted = new_version(tmp_path)
    apply(box.lab, "box", overlay=wanted.overlay)
    before = look(box)
    number = json.loads(box.read("manifest.json"))["generation"]
    box.sh(f"mv {box.root}/manifest.json {box.root}/manifest.moved")
    second = new_version(tmp_path)
    changes = plan(box.lab, "box", overlay=second.overlay)
    assert {c["subject"] for c in changes} >= before.differences(second.word)
    apply(box.lab, "box", overlay=second.overlay)
    check_order(box, second)
    after = look(box)
    assert after.volumes == before.volumes
    assert after.data == before.data
    assert json.loads(box.read("manifest.json"))["generation"] > number
    assert str(number) in box.sh(f"ls {box.root}/generations").split()
    box.sh(f"rm {box.root}/manifest.moved")


def test_a_device_that_was_renamed_goes_on_under_its_new_name(box: Host, tmp_path: Path) -> None:
    wanted = new_version(tmp_path)
    apply(box.lab, "box", overlay=wanted.overlay)
    before = look(box)
    device = box.description()
    renamed = wanted.over({"box": None, "router": {**device, "renamed_from": "box"}})
    unsaid = wanted.over({"box": None, "router": device})
    refused = box.lab.paisctl("apply", "--yes", "router", overlay=unsaid.overlay)
    assert refused.returncode == 1
    assert "this host is managed as `box`, not as `router`" in refused.stdout
    assert "`renamed_from: box`" in refused.stdout

    apply(box.lab, "router", overlay=renamed.overlay)
    assert json.loads(box.read("manifest.json"))["device"] == "router"
    assert plan(box.lab, "router", overlay=unsaid.overlay) == []
    assert look(box).container["Id"] == before.id
    assert look(box).data == before.data

    back = wanted.over({"box": {"renamed_from": "router"}})
    apply(box.lab, "box", overlay=back.overlay)
    check_order(box, wanted)
    assert look(box).id == before.id
