"""What is there is kept before it is replaced, or nobody may miss it."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import typer

from paisctl.backup.bring_back import BringingBack
from paisctl.backup.manifest import Backup, backups_in
from paisctl.backup.stored import StoredBackup
from paisctl.cli import restore as command
from paisctl.cluster.backup_driver import Replacement
from paisctl.errors import HostError, PaisctlError, UsageError
from paisctl.events import Noted
from paisctl.views import backup as view

from .test_make import DUMP, NOW, Fleet


def restoring(fleet: Fleet, later: int = 60, away: tuple[str, ...] = ()) -> BringingBack:
    """A restore of a first backup, after which all databases have changed."""
    backup = fleet.making().run()
    for device in ("k6", "m7"):
        (fleet.folder / device / "database").write_text(f"newer data of {device}\n")
    making = fleet.making(NOW.replace(minute=31, second=later % 60), away)
    return BringingBack(
        fleet.definition().driver(fleet.members()),
        StoredBackup(fleet.store, backup),
        making,
        fleet.watched,
    )


def run(restore: BringingBack, *expendable: str) -> None:
    restore.run(restore.driver.replacements(restore.stored), expendable)


def data_of(fleet: Fleet, device: str) -> str:
    return (fleet.folder / device / "database").read_text()


def noted(fleet: Fleet) -> list[str]:
    return [each.text for each in fleet.watched.events if isinstance(each, Noted)]


def kept_in(fleet: Fleet) -> list[Backup]:
    return backups_in(fleet.store, "home", "sql")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_what_is_there_is_kept_and_can_be_had_back(fleet: Fleet) -> None:
    first = restoring(fleet)
    run(first)
    assert data_of(fleet, "m7") == "the data of m7\n"
    assert list(first.done) == ["all.sql"]
    before, original = kept_in(fleet)
    assert (first.kept, before.only) == (before.stamp, ("all.sql",))
    assert original.is_complete
    back = BringingBack(
        first.driver,
        StoredBackup(fleet.store, before),
        fleet.making(NOW.replace(minute=40)),
        fleet.watched,
    )
    run(back)
    assert data_of(fleet, "m7") == "newer data of m7\n"
    assert noted(fleet)[0] == "first a backup of what is there now: all.sql"


def test_nothing_is_replaced_while_a_part_of_it_cannot_be_kept(fleet: Fleet) -> None:
    restore = restoring(fleet, away=("m7",))
    with pytest.raises(HostError, match="nothing was replaced: m7: it does not answer") as raised:
        run(restore)
    assert raised.value.hint == "if it may be lost: --accept-loss all.sql"
    assert (restore.done, restore.kept) == ({}, "")
    assert data_of(fleet, "k6") == "newer data of k6\n"


def test_what_may_be_lost_is_replaced_and_the_rest_of_it_kept(fleet: Fleet) -> None:
    restore = restoring(fleet, away=("m7",))
    run(restore, "all.sql")
    assert data_of(fleet, "m7") == "the data of m7\n"
    assert restore.kept == kept_in(fleet)[0].stamp
    assert noted(fleet)[1] == (
        "what is there now cannot be backed up whole, and may be lost: m7: it does not answer"
    )


def test_all_that_is_replaced_has_to_be_expendable(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, DUMP, DUMP | {"name": "roles.sql"})
    restore = restoring(fleet, away=("m7",))
    with pytest.raises(HostError) as raised:
        run(restore, "all.sql")
    options = "--accept-loss all.sql --accept-loss roles.sql"
    assert raised.value.hint == f"if it may be lost: {options}"
    assert restore.done == {}


@pytest.mark.parametrize("expendable", [(), ("all.sql",)])
def test_when_nothing_at_all_can_be_kept(fleet: Fleet, expendable: tuple[str, ...]) -> None:
    restore = restoring(fleet, away=("k6", "m7"))
    if expendable:
        run(restore, *expendable)
        assert (list(restore.done), restore.kept) == (["all.sql"], "")
        return
    with pytest.raises(HostError, match="nothing could be backed up: k6: it does not answer; m7"):
        run(restore)
    assert data_of(fleet, "k6") == "newer data of k6\n"


def test_where_nothing_is_nothing_is_kept(fleet: Fleet) -> None:
    restore = restoring(fleet)
    [planned] = restore.driver.replacements(restore.stored)
    restore.run([Replacement(planned.name, "", planned.then, planned.pieces)])
    assert (list(restore.done), restore.kept) == (["all.sql"], "")
    assert noted(fleet) == [f"{d}: all.sql goes back, 15 B" for d in ("k6", "m7")]


def test_what_came_back_before_a_failure_is_known(fleet: Fleet) -> None:
    restore = restoring(fleet)
    driver = Mock()
    driver.restore.side_effect = ["60 points", PaisctlError("notes did not come back")]
    restore.driver = driver
    two = [Replacement(name, "", "then", ()) for name in ("documents", "notes")]
    with pytest.raises(PaisctlError, match="notes did not"):
        restore.run(two)
    assert restore.done == {"documents": "60 points"}
    assert view.restored("sql", restore.done, restore.kept) == "✓ documents  60 points\n"


def test_the_end_says_where_the_former_data_is() -> None:
    assert view.restored("sql", {"all.sql": "15 B on k6"}, "20261122T213100Z").splitlines() == [
        "✓ all.sql  15 B on k6",
        "What was there before: paisctl restore sql --from 20261122T213100Z",
    ]


TWO = [Replacement("documents", "60 points", "", ()), Replacement("my notes", "", "", ())]


def test_without_a_terminal_all_names_that_are_needed_are_said() -> None:
    with pytest.raises(UsageError, match="there is no terminal to ask on") as raised:
        command._to_ask(TWO, ())
    hint = "add --confirm documents --confirm 'my notes' to go ahead without"
    assert raised.value.hint == hint
    assert command._to_ask(TWO, ("my notes", "documents")) == []


def test_on_a_terminal_only_the_names_that_were_not_given_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Mock(isatty=lambda: True))
    assert command._to_ask(TWO, ("documents",)) == ["my notes"]


def test_another_name_than_the_one_asked_for_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: "yes")
    with pytest.raises(typer.Exit):
        command._ask(["documents"])
    assert capsys.readouterr().err == "nothing was changed\n"
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: "documents")
    command._ask(["documents"])


def test_nothing_is_read_for_long_before_it_is_clear_who_agrees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "verify", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UsageError):
        command._agree(Mock(), Mock(), TWO, ())
