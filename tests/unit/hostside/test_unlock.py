"""Taking a lock away, in three shells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paisctl.errors import HostError
from paisctl.execution.unlock import Unlocking, unlock
from paisctl.lease import Lease, lease_of
from paisctl.observed import HostState
from paisctl.probe import probe
from tests.unit.hostside.conftest import LEADS_TO_ENGINE, Host

LOCK = '{"run":"20261122T135900Z-a1b2c3","who":"ann","machine":"laptop","command":"apply","process":99999999,"started":1700000000,"heartbeat":1700000005}\n'


@pytest.fixture
def locked(host: Host) -> Host:
    return lock(host)


def lock(host: Host) -> Host:
    host.program("docker", f'case "$*" in {LEADS_TO_ENGINE} esac')
    host.write("lock", LOCK)
    host.write("audit.log", '{"event":"began"}\n')
    return host


def seen(host: Host) -> tuple[HostState, Lease]:
    state = probe(host.target())
    lease = lease_of(state)
    assert lease
    return state, lease


def names(host: Host) -> set[str]:
    return {path.name for path in host.root.iterdir()}


def test_the_lock_that_was_seen_is_taken_away_and_that_is_written_down(locked: Host) -> None:
    state, lease = seen(locked)
    locked.write("lock", LOCK.replace("1700000005", "1700000010"))  # another sign of life
    assert unlock(locked.target(), state, lease) is Unlocking.DONE
    assert names(locked) == {"audit.log"}
    first, second = locked.root.joinpath("audit.log").read_text().splitlines()
    assert first == '{"event":"began"}'
    entry = json.loads(second)
    assert entry["event"] == "unlocked"
    assert (entry["run"], entry["command"]) == ("20261122T135900Z-a1b2c3", "unlock")
    assert entry["time"].endswith("Z")
    assert entry["who"]


def test_a_torn_line_of_the_log_does_not_swallow_the_new_one(locked: Host) -> None:
    locked.write("audit.log", '{"event":"beg')
    unlock(locked.target(), *seen(locked))
    lines = locked.root.joinpath("audit.log").read_text().splitlines()
    assert [line[:8] for line in lines] == ['{"event"', '{"time":']


def test_another_runs_lock_is_left_alone(locked: Host) -> None:
    state, lease = seen(locked)
    other = LOCK.replace("a1b2c3", "ffffff")
    locked.write("lock", other)
    assert unlock(locked.target(), state, lease) is Unlocking.CHANGED
    assert names(locked) == {"audit.log", "lock"}
    assert locked.root.joinpath("lock").read_text() == other
    assert "unlocked" not in locked.root.joinpath("audit.log").read_text()


def test_a_lock_that_was_released_meanwhile(locked: Host) -> None:
    state, lease = seen(locked)
    locked.root.joinpath("lock").unlink()
    assert unlock(locked.target(), state, lease) is Unlocking.GONE
    assert names(locked) == {"audit.log"}


@pytest.mark.parametrize("text", ["torn\tby \\ a 'power\" $cut\x07\n", "two\nlines\n\n"])
def test_a_damaged_lock_is_known_by_its_text(locked: Host, text: str) -> None:
    locked.write("lock", text)
    state, lease = seen(locked)
    locked.write("lock", "else")
    assert unlock(locked.target(), state, lease) is Unlocking.CHANGED
    locked.write("lock", text)
    assert unlock(locked.target(), state, lease) is Unlocking.DONE
    assert names(locked) == {"audit.log"}


def test_a_run_that_takes_the_lock_at_the_last_moment_keeps_it(dash_host: Host) -> None:
    locked = lock(dash_host)
    state, lease = seen(locked)
    other = locked.write("other", LOCK.replace("a1b2c3", "ffffff"))
    locked.program("mv", f'cp "{other}" "$2"; PATH=${{PATH#*:}} exec mv "$@"')
    assert unlock(locked.target(), state, lease) is Unlocking.CHANGED
    assert names(locked) == {"audit.log", "lock", "other"}
    assert locked.root.joinpath("lock").read_text() == other.read_text()


def test_a_lock_that_cannot_be_removed(dash_host: Host) -> None:
    locked = lock(dash_host)
    state, lease = seen(locked)
    locked.program("mv", 'echo "mv: read-only file system" >&2; exit 1')
    with pytest.raises(HostError, match="could not be removed: mv: read-only file system") as error:
        unlock(locked.target(), state, lease)
    assert str(Path(state.root, "lock")) in str(error.value.hint)
    assert "lock" in names(locked)
