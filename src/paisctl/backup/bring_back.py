"""Replaces data by what a backup has, and keeps what is there before."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from paisctl.backup.events import Watcher
from paisctl.backup.make import Making
from paisctl.cluster.backup_driver import BackupDriver, Replacement, Stored
from paisctl.errors import HostError
from paisctl.events import Noted


@dataclass
class BringingBack:
    """One restore.

    Args:
        driver: on the members.
        stored: the backup.
        making: for a backup of what is there now.
        watcher: told what happens.

    Attributes:
        done: what is there now, in a few words, by the names of what was brought back.
        kept: the backup of what was there before; empty where there is none.
    """

    driver: BackupDriver
    stored: Stored
    making: Making
    watcher: Watcher
    done: dict[str, str] = field(default_factory=dict)
    kept: str = ""

    def run(self, replacements: Sequence[Replacement], expendable: Collection[str] = ()) -> None:
        """Back up what is there, then replace it, one after the other.

        Args:
            replacements: in their order.
            expendable: names of data that may be lost where it cannot be backed up.

        Raises:
            HostError: what is there cannot be backed up whole; nothing was replaced.
            PaisctlError: something did not come back; `done` says what did before.
        """
        replaced = [each.name for each in replacements if each.now]
        if replaced:
            self._say(f"first a backup of what is there now: {', '.join(replaced)}")
            if lacking := self._keep(replaced):
                self._accept(lacking, replaced, expendable)
        for each in replacements:
            self.done[each.name] = self.driver.restore(self.stored, each, self._say)

    def _keep(self, names: Sequence[str]) -> str:
        """Back up what is there now; what could not be."""
        try:
            before = self.making.run(names)
        except HostError as error:
            return f"{error.message}: {error.hint}" if error.hint else error.message
        self.kept = before.stamp
        return "; ".join(f"{what}: {why}" for what, why in before.missing.items())

    def _accept(self, lacking: str, replaced: Sequence[str], expendable: Collection[str]) -> None:
        """Go on only where all that is replaced may be lost."""
        if not set(replaced) <= set(expendable):
            self.kept = ""  # it was not replaced
            options = " ".join(f"--accept-loss {shlex.quote(name)}" for name in replaced)
            raise HostError(
                f"what is there now cannot be backed up whole, so nothing was replaced: {lacking}",
                f"if it may be lost: {options}",
            )
        self._say(f"what is there now cannot be backed up whole, and may be lost: {lacking}")

    def _say(self, text: str) -> None:
        self.watcher(Noted(text))
