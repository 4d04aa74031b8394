"""Members of a stack as their host's docker is asked about them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paisctl.cluster.member import HostMember
from paisctl.errors import HostError
from paisctl.transports.local import LocalTransport

DOCKER = """#!/bin/sh
echo "$*" >>"{folder}/asked"
case $1 in
ps) cat "{folder}/container" ;;
inspect) echo '[{{"State": {{"Status": "exited"}}}}]' ;;
stop) echo 'cannot stop it' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def member(tmp_path: Path) -> HostMember:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(folder=tmp_path))
    docker.chmod(0o755)
    (tmp_path / "container").write_text("c0ffee\n")
    target = SimpleNamespace(device="k6", transport=LocalTransport(), close=lambda: None)
    facts = SimpleNamespace(docker=[str(docker)])
    return HostMember(
        cast("Any", SimpleNamespace(name="qdrant")),
        cast("Any", target),
        cast("Any", facts),
        cast("Any", None),
    )


def test_a_container_is_described(member: HostMember, tmp_path: Path) -> None:
    assert member.inspect("qdrant") == {"State": {"Status": "exited"}}
    looked, inspected = (tmp_path / "asked").read_text().splitlines()
    assert "label=com.docker.compose.service=qdrant" in looked
    assert inspected == "inspect --type container c0ffee"


def test_a_container_that_does_not_stop_is_an_error(member: HostMember) -> None:
    with pytest.raises(HostError, match="k6: docker stop: cannot stop it"):
        member.stop("qdrant")


def test_no_container_is_nothing_to_describe_or_to_stop(member: HostMember, tmp_path: Path) -> None:
    (tmp_path / "container").write_text("")
    assert member.inspect("qdrant") == {}
    member.stop("qdrant")
