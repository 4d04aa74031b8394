"""Which backups are kept, and which are removed: pure decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paisctl.backup.manifest import Backup
from paisctl.inventory.backups import Keep

_Period = Callable[[Backup], object]


def superfluous(backups: Sequence[Backup], keep: Keep) -> list[Backup]:
    """Those to remove, the oldest first.

    Complete ones are kept as `keep` says, so at least the newest of them. Incomplete ones are kept in the
    same way, but only as long as no newer one is complete. Those of a part of the data, which restores
    made, are kept as the newest ones.

    Args:
        backups: all that there are.
        keep: how many of them are wanted.
    """
    newest_first = sorted(backups, key=lambda each: each.stamp, reverse=True)
    complete = [each for each in newest_first if each.is_complete]
    newest = complete[0].stamp if complete else ""
    broken = [each for each in newest_first if each.missing and each.stamp > newest]
    parts = [each for each in newest_first if each.only]
    kept = {each.stamp for each in [*_kept(complete, keep), *_kept(broken, keep)]}
    kept |= {each.stamp for each in parts[: keep.last]}
    return [each for each in reversed(newest_first) if each.stamp not in kept]


def _kept(newest_first: Sequence[Backup], keep: Keep) -> list[Backup]:
    wanted = list(newest_first[: keep.last])
    periods: tuple[tuple[int, _Period], ...] = (
        (keep.daily, lambda each: each.began.date()),
        (keep.weekly, lambda each: each.began.isocalendar()[:2]),
        (keep.monthly, lambda each: (each.began.year, each.began.month)),
    )
    for number, period in periods:
        first: dict[object, Backup] = {}
        for backup in newest_first:
            first.setdefault(period(backup), backup)
        wanted += list(first.values())[:number]
    return wanted
