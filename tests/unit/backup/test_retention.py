from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from paisctl.backup.manifest import Backup, stamp_of
from paisctl.backup.retention import superfluous
from paisctl.inventory.backups import Keep

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
KEEP = Keep.model_validate({})


def backup(days: int, missing: str = "", only: str = "") -> Backup:
    return Backup(
        fleet="home",
        name="knowledge",
        stack="qdrant",
        stamp=stamp_of(NOW - timedelta(days=days)),
        bundle="",
        versions={},
        members=("k6",),
        pieces=(),
        missing={missing: "off"} if missing else {},
        only=(only,) if only else (),
    )


def removed(backups: list[Backup], keep: Keep = KEEP) -> set[int]:
    """How many days old those are that go."""
    return {(NOW - each.began).days for each in superfluous(backups, keep)}


def test_daily_backups_of_a_year_become_days_weeks_and_months() -> None:
    backups = [backup(days) for days in range(365)]
    left = set(range(365)) - removed(backups)
    assert set(range(14)) <= left
    assert len(left) == 14 + 6 + 5  # 2 of the 8 weeks and 1 of the 6 months are among the days
    assert max(left) == (NOW - datetime(2026, 6, 30, 3, 30, tzinfo=UTC)).days


def test_the_oldest_go_first() -> None:
    keep = Keep(last=1, daily=0, weekly=0, monthly=0)
    found = superfluous([backup(1), backup(3), backup(2), backup(0)], keep)
    assert [each.stamp[:8] for each in found] == ["20261119", "20261120", "20261121"]


def test_the_last_complete_one_stays_however_many_failed_since() -> None:
    backups = [*(backup(days, missing="k6") for days in range(60)), backup(60), backup(61)]
    left = {0, *range(62)} - removed(backups, Keep(last=1, daily=3, weekly=0, monthly=0))
    assert 60 in left
    assert left == {0, 1, 2, 60, 61}


def test_incomplete_ones_go_once_a_newer_one_is_complete() -> None:
    assert removed([backup(0), backup(1, missing="k6"), backup(2)]) == {1}


def test_what_restores_put_aside_stays_for_a_while() -> None:
    backups = [backup(0), *(backup(days, only="notes") for days in range(1, 5))]
    assert removed(backups, Keep(last=2, daily=0, weekly=0, monthly=0)) == {3, 4}


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.booleans(), st.booleans()),
        max_size=60,
        unique_by=lambda each: each[0],
    ),
    st.integers(1, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_a_complete_backup_is_never_the_last_to_go(
    made: list[tuple[int, bool, bool]], last: int, daily: int, weekly: int, monthly: int
) -> None:
    backups = [
        backup(days, "k6" if fails else "", "notes" if part else "") for days, fails, part in made
    ]
    keep = Keep(last=last, daily=daily, weekly=weekly, monthly=monthly)
    gone = {each.stamp for each in superfluous(backups, keep)}
    complete = [each.stamp for each in backups if each.is_complete]
    newest_first = sorted(complete, reverse=True)
    assert not set(newest_first[:last]) & gone
    again = [each for each in backups if each.stamp not in gone]
    assert superfluous(again, keep) == []
