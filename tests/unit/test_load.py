from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.errors import UsageError
from paisctl.inventory.load import Fleet, load
from paisctl.inventory.selection import select

BASE = """\
version: 1
name: home
tailnet: {dns_name: tail1234.ts.net}
tags: {quiet: makes no noise}
defaults: {ssh: {user: everyone, port: 22}, root: /srv/all}
kinds:
  linux: {ssh: {user: linux}}
  box: {os: linux, root: /srv/box, deploy: false}
devices:
  one:
    model: M
    kind: linux
    layer: core
    role: R
    arch: amd64
    memory: 8GiB
    storage: S
    address: 100.64.0.1
    tags: [quiet]
    ssh: {user: one}
    stacks: {web: {memory: 1g}}
  two: {model: M, kind: linux, layer: edge, role: R, arch: arm64, memory: 8g, storage: S,
        address: "FD7A::2"}
  mac: {model: M, kind: macos, layer: core, role: R, arch: arm64, memory: 8g, storage: S,
        address: 100.64.0.3}
  off: {model: M, kind: box, layer: core, role: R, arch: arm64, memory: 8g, storage: S,
        address: 100.64.0.4}
"""


def loaded(directory: Path, *overlays: str) -> Fleet:
    diagnostics = Diagnostics()
    paths = [directory / f"{number}.yaml" for number in range(len(overlays) + 1)]
    for path, text in zip(paths, (BASE, *overlays), strict=True):
        path.write_text(text)
    fleet = load(paths, diagnostics)
    assert fleet
    assert not diagnostics.errors
    return fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return loaded(tmp_path)


def test_the_most_specific_setting_wins(fleet: Fleet) -> None:
    devices = {name: found.device for name, found in fleet.devices.items()}
    assert devices["one"].ssh.user == "one"
    assert devices["two"].ssh.user == "linux"
    assert devices["mac"].ssh.user == "everyone"
    assert devices["one"].ssh.port == 22
    assert [d.root for d in devices.values()] == [
        "/srv/all",
        "/srv/all",
        "~/.paisctl",
        "/srv/box",
    ]
    assert [d.deploy for d in devices.values()] == [True, True, True, False]


def test_each_setting_knows_where_it_was_written(fleet: Fleet) -> None:
    def place(device: str, *path: str) -> tuple[str, int]:
        mark = fleet.devices[device].source.mark(path)
        assert mark
        return Path(mark.file).name, mark.line

    assert place("one", "ssh", "user") == ("0.yaml", 20)
    assert place("two", "ssh", "user") == ("0.yaml", 7)
    assert place("one", "ssh", "port") == ("0.yaml", 5)
    assert place("mac", "root")[0] == "(built in) kinds.yaml".rpartition("/")[2]


def test_values_are_normalised(fleet: Fleet) -> None:
    assert fleet.devices["two"].device.address == "fd7a::2"
    assert fleet.devices["one"].device.memory == 8 * 1024**3


def test_an_overlay_changes_adds_and_removes(tmp_path: Path) -> None:
    fleet = loaded(
        tmp_path,
        "devices:\n  one: {ssh: {port: 2222}, tags: null}\n  off: null\n",
        "devices:\n  one: {memory: 16g}\n",
    )
    one = fleet.devices["one"]
    assert (one.device.ssh.port, one.device.ssh.user) == (2222, "one")
    assert one.device.memory == 16 * 1024**3
    assert one.device.tags == []
    assert "off" not in fleet.devices
    mark = one.mark("memory")
    assert mark == Mark(str(tmp_path / "2.yaml"), 2, 9, 6)


def test_secrets_lie_beside_the_inventory(fleet: Fleet, tmp_path: Path) -> None:
    assert fleet.secrets_file == tmp_path / "secrets.yaml"


@pytest.mark.parametrize(
    ("names", "selector", "chosen"),
    [
        ([], None, ["one", "two", "mac"]),
        (["two", "one", "two"], None, ["two", "one"]),
        (["*o*"], None, ["one", "two"]),
        ([], "kind:linux", ["one", "two"]),
        ([], "kind:linux,arch:arm64", ["two"]),
        ([], "tag:quiet", ["one"]),
        ([], "stack:web", ["one"]),
        ([], "layer:core, name:m*", ["mac"]),
        (["m*"], "arch:arm64", ["mac"]),
    ],
)
def test_selecting(fleet: Fleet, names: list[str], selector: str | None, chosen: list[str]) -> None:
    assert select(fleet, names, selector) == chosen


@pytest.mark.parametrize(
    ("names", "selector", "says"),
    [
        (["tow"], None, "did you mean `two`"),
        (["off"], None, "deploy: true"),
        ([], "colour:red", "KEY:VALUE"),
        ([], "tag", "KEY:VALUE"),
        ([], "tag:loud", "no device"),
        (["mac"], "kind:linux", "no device"),
    ],
)
def test_selecting_what_is_not_there(
    fleet: Fleet, names: list[str], selector: str | None, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select(fleet, names, selector)
    assert says in f"{caught.value.message} {caught.value.hint}"


def test_selecting_where_nothing_is_deployed_to(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, "devices: {one: null, two: null, mac: null}")
    with pytest.raises(UsageError, match="no device in the inventory that is deployed to"):
        select(fleet)
