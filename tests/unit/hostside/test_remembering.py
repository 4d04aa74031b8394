"""What a host that is always on writes down of those that sleep, in three shells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paisctl.memory import remember
from paisctl.observed import HostState
from paisctl.owing import Record, remembered_by
from paisctl.plan import HostPlan, Plan
from paisctl.probe import probe
from paisctl.targets import Target
from paisctl.transports.fake import FakeTransport, Reply
from tests.unit.hostside.conftest import LEADS_TO_ENGINE, Host

MANIFEST = '{"paisctl": 1, "generation": 3, "fleet": "den", "device": "mac", "stacks": {}}'
MAC = HostState("mac", root="/r", manifest=MANIFEST)
PLAN = Plan((HostPlan("box"), HostPlan("mac")))


@pytest.fixture
def box(host: Host) -> Host:
    host.program("docker", f'case "$*" in {LEADS_TO_ENGINE} esac')
    return host


def write(box: Host, mac: HostState = MAC) -> list[str]:
    """Have the box remember the mac."""
    states = {"box": probe(box.target()), "mac": mac}
    return remember(PLAN, {"box": box.target()}, states, {}, ["mac"])


def remembered(box: Host) -> dict[str, Record]:
    return remembered_by(probe(box.target()))


def test_a_record_is_read_as_it_was_written(box: Host) -> None:
    assert write(box) == []
    record = remembered(box)["mac"]
    assert (record.device, record.generation, record.stacks) == ("mac", 3, {})
    assert "@" in record.by
    assert [path.name for path in (box.root / "fleet").iterdir()] == ["mac.json"]


def test_what_has_not_changed_is_not_written_again(box: Host) -> None:
    write(box)
    file = box.root / "fleet/mac.json"
    before = (file.stat().st_ino, file.read_text())
    assert write(box) == []
    assert (file.stat().st_ino, file.read_text()) == before
    write(box, HostState("mac", root="/r", manifest=MANIFEST.replace("3", "4")))
    assert remembered(box)["mac"].generation == 4


def test_what_an_apply_has_given_it_counts_and_not_what_it_had(box: Host) -> None:
    states = {"box": probe(box.target()), "mac": MAC}
    given = replace(MAC, manifest=MANIFEST.replace("3", "4"))
    assert remember(PLAN, {"box": box.target()}, states, {"mac": given}, ["mac"]) == []
    assert remembered(box)["mac"].generation == 4


def test_what_nobody_could_read_again_is_not_written_down(box: Host) -> None:
    states = {"box": probe(box.target()), "mac": MAC}
    assert remember(PLAN, {"box": box.target()}, states, {"mac": None}, ["mac"]) == []
    assert remembered(box) == {}


def test_a_damaged_record_is_replaced(box: Host) -> None:
    box.write("fleet/mac.json", "{")
    assert remembered(box) == {}
    write(box)
    assert remembered(box)["mac"].generation == 3


def test_who_cannot_take_it_down_is_named(box: Host) -> None:
    box.write("fleet", "a file where the folder should be")
    assert write(box) == ["box"]


def test_who_has_gone_meanwhile_is_named() -> None:
    target = Target("box", FakeTransport([Reply(exit_status=255)]), "/r")
    states = {"box": HostState("box", root="/r"), "mac": MAC}
    assert remember(PLAN, {"box": target}, states, {}, ["mac"]) == ["box"]


def test_devices_that_may_sleep_remember_nothing(box: Host) -> None:
    states = {"box": probe(box.target()), "mac": MAC}
    assert remember(PLAN, {"box": box.target()}, states, {}, ["mac", "box"]) == []
    assert not (box.root / "fleet").exists()
