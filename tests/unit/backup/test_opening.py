"""A run of a backup as a whole: whatever fails, the rest is done; and who has to wait for whom."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from paisctl.backup.opening import Ground, run
from paisctl.backup.store import Store
from paisctl.cluster.place import Place
from paisctl.errors import HostError
from paisctl.observed import HostFacts, HostState
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.transports import Channel
from paisctl.transports.local import LocalTransport

from .places import Watched
from .test_make import NOW, Fleet

KEEP = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}


class Breaking(LocalTransport):
    """A connection that breaks when the first command has said a word, until it is closed."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.broken = word, False

    def open(self, command: str) -> Channel:
        self.broken = self.broken or self.word in command
        if self.broken:
            raise HostError("nas: the connection is lost")
        return super().open(command)

    def close(self) -> None:
        self.broken, self.word = False, "\0"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def ground(fleet: Fleet, transport: LocalTransport | None = None) -> Ground:
    transport = transport or LocalTransport()
    root = fleet.folder / "nas"
    root.mkdir(exist_ok=True)
    facts = HostFacts("Linux", "admin", ("docker",), files_sudo=False)
    host = HostState("nas", root=str(root), facts=facts)
    return Ground(
        fleet.definition(keep=KEEP),
        fleet.members(),  # type: ignore[arg-type]
        {},
        Store(transport, "nas", str(root / "sql")),
        host,
        transport,
        Vault({}, ""),
        {},
        Place(Target("nas", transport, str(root)), str(root), sudo=False),
    )


def metrics(fleet: Fleet) -> str:
    return (fleet.folder / "nas/metrics/paisctl_backup_sql.prom").read_text()


def test_a_run_that_fails_removes_what_is_too_old_nevertheless(fleet: Fleet) -> None:
    made = [fleet.making(NOW + timedelta(seconds=n)).run().stamp for n in range(3)]
    for device in ("k6", "m7"):
        (fleet.folder / device / "database").unlink()
    outcome = run(ground(fleet), Watched(), offsite=False)
    assert (outcome.backup, outcome.removed) == (None, tuple(made[:2]))
    assert not outcome.succeeded
    assert 'last_run_ok{backup="sql"} 0' in metrics(fleet)


def test_one_cause_is_said_once(fleet: Fleet) -> None:
    here = ground(fleet)
    (fleet.folder / "nas" / "sql").write_text("no directory")
    outcome = run(here, Watched(), offsite=False)
    assert len(outcome.problems) == 1


def test_prometheus_is_told_although_the_connection_broke(fleet: Fleet) -> None:
    breaking = Breaking('rm -f "$1/begun"')
    outcome = run(ground(fleet, breaking), Watched(), offsite=False)
    assert outcome.backup is None
    assert 'last_run_ok{backup="sql"} 0' in metrics(fleet)
