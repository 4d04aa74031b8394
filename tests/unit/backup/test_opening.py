"""A run of a backup as a whole: whatever fails, the rest is done; and who has to wait for whom."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from paisctl import pipeline
from paisctl.backup import opening
from paisctl.backup.opening import Ground, run
from paisctl.backup.store import Store
from paisctl.backup.stored import Verification
from paisctl.cli import backup as command
from paisctl.cli import restore as bring_back
from paisctl.cluster.claims import Claims
from paisctl.cluster.place import Place
from paisctl.errors import HostBusy, HostError, PaisctlError
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
    places = {
        device: Place(
            Target(device, transport, ""), str(fleet.folder / device / "owned"), sudo=False
        )
        for device in ("k6", "m7", "nas")
    }
    return Ground(
        fleet.definition(keep=KEEP, store={"device": "nas", "path": str(root)}),
        fleet.members(),  # type: ignore[arg-type]
        {},
        Store(transport, "nas", str(root / "sql")),
        host,
        transport,
        Vault({}, ""),
        ["rolling"],
        {},
        places,
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


def test_a_backup_that_goes_while_it_is_read_is_not_damaged(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp, here = fleet.making().run().stamp, ground(fleet)

    def removed(*_: object) -> Verification:
        here.store.remove(stamp)
        return Verification(["k6/all.sql: it is not there"])

    monkeypatch.setattr(command, "definition_of", lambda *_: here.definition)
    monkeypatch.setattr(command, "open_backup", lambda *_, **__: nullcontext(here))
    monkeypatch.setattr(command, "verify", removed)
    with pytest.raises(HostError, match=f"sql {stamp} was removed meanwhile"):
        command._verify(Mock(), "sql", "latest", offsite=False)


def refuses(claims: Claims, who: str) -> None:
    with pytest.raises(HostBusy, match=who), claims:
        pytest.fail("it was let in")


def test_one_at_a_time_writes_into_a_store(fleet: Fleet) -> None:
    with ground(fleet).claim_store():
        refuses(ground(fleet).claim_store(), "sql is being backed up or restored by ")
        assert (fleet.folder / "nas" / "sql").stat().st_mode & 0o777 == 0o700
        assert not (fleet.folder / "nas" / "owned").exists()  # where login may not write
        assert run(ground(fleet), Watched(), offsite=False).succeeded


def test_nothing_is_restored_while_the_store_is_in_use(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.making().run()
    here = ground(fleet)
    monkeypatch.setattr(bring_back, "desired_of", Mock())
    monkeypatch.setattr(bring_back, "definition_of", lambda *_: here.definition)
    monkeypatch.setattr(bring_back, "open_backup", lambda *_, **__: nullcontext(here))
    (fleet.folder / "k6" / "database").write_text("spoilt")
    with ground(fleet).claim_store():
        with pytest.raises(HostBusy, match="sql is being backed up or restored by "):
            bring_back.restore(Mock(), "sql", when="latest", confirm=["all.sql"])
        bring_back.restore(Mock(), "sql", when="latest", dry_run=True)  # it only looks
    assert "dry run: nothing was changed" in capsys.readouterr().out
    assert (fleet.folder / "k6" / "database").read_text() == "spoilt"
    bring_back.restore(Mock(), "sql", when="latest", confirm=["all.sql"])
    assert (fleet.folder / "k6" / "database").read_text() == "the data of k6\n"


@pytest.mark.parametrize("offsite", [False, True])
def test_secrets_of_restic_are_needed_only_where_it_runs(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, offsite: bool
) -> None:
    repository = {"repository": "b2:bucket", "password": {"secret": "restic"}}
    definition = fleet.definition(offsite=repository)
    monkeypatch.setattr(pipeline, "open_vault", lambda *_: Vault({}, ""))
    monkeypatch.setattr(opening, "open_ground", lambda *_, **__: nullcontext())
    needs = pytest.raises(PaisctlError, match="restic") if offsite else nullcontext()
    with needs, command.open_backup(Mock(), definition, offsite=offsite):
        pass


def test_a_restore_is_beside_no_other_and_no_rollout(fleet: Fleet) -> None:
    with ExitStack() as held:
        for claims in ground(fleet).claim_data():
            held.enter_context(claims)
        other, rollout = ground(fleet).claim_data()
        refuses(other, "db is in use by a restore of ")
        refuses(rollout, "rolling is being rolled by a restore of ")


def test_no_restore_begins_while_somebody_rolls(fleet: Fleet) -> None:
    places = list(ground(fleet).places.values())[:2]
    _, rollout = ground(fleet).claim_data()
    with Claims(places, "rolling", "ann@desk", "rolling is being rolled", "wait"):
        refuses(rollout, "rolling is being rolled by ann@desk")


def test_a_file_system_without_hard_links_is_said(fleet: Fleet) -> None:
    (fleet.folder / "ln").write_text("#!/bin/sh\necho 'ln: Operation not permitted' >&2\nexit 1\n")
    (fleet.folder / "ln").chmod(0o755)
    poor = LocalTransport({"PATH": f"{fleet.folder}:/usr/bin:/bin"})
    with pytest.raises(HostError, match=r"cannot write below .*/sql: ln: Operation not permitted"):
        ground(fleet, poor).claim_store().__enter__()
