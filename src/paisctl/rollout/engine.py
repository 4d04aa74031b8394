"""A rollout under way: prepare, then member after member, then put back what was changed for it.

Whatever is about to be done is on the hosts before it is done, and every step may be done again, so
that a rollout that broke off anywhere can go on from any laptop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from paisctl.cluster.claims import Claims
from paisctl.cluster.driver import Diagnosis, Obstacle, RolloutDriver
from paisctl.cluster.place import Place
from paisctl.errors import HostBusy, HostError, PaisctlError
from paisctl.events import Noted
from paisctl.inventory.types import parse_duration
from paisctl.rollout.balancers import Reached, drain, use_again
from paisctl.rollout.definition import Definition
from paisctl.rollout.events import Doing, Entered, Watcher
from paisctl.rollout.gates import GateFailed, pass_gates
from paisctl.rollout.hands import Failure, Hands
from paisctl.rollout.memory import recall, remember
from paisctl.rollout.record import REBUILDING, Phase, Progress, Record

_PATIENCE = 60.0  # seconds in which the others must be whole before the next member is touched


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a rollout stopped, and what is known about the member it was at, if it was at one."""

    message: str
    device: str = ""
    log: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    obstacles: tuple[Obstacle, ...] = ()


class Halt(Exception):  # it says what is done
    """The rollout goes no further; carries the trouble."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class Overtaken(PaisctlError):
    """Somebody else works on the rollout now; nothing more is done or written here."""


@dataclass
class Engine:
    """Carries out one rollout, from where its record says it is.

    Attributes:
        record: replaced and written to the hosts with every step.
        places: where it is remembered.
        claims: held while it works.
        sleep: waits for some seconds.
    """

    definition: Definition
    driver: RolloutDriver
    hands: Hands
    balancers: Sequence[Reached]
    places: Sequence[Place]
    claims: Claims
    record: Record
    watcher: Watcher
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    # ---- the driver's journal ---------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        """What the driver has kept under a key."""
        return self.record.journal.get(key, default)

    def keep(self, key: str, value: Any) -> None:
        """Keep something for the driver; it is on the hosts when this returns."""
        self._write(journal={**self.record.journal, key: value})

    # ---- the whole of it --------------------------------------------------------------------

    def run(self, rebuild: str = "") -> Trouble | None:
        """Go on to the end.

        Args:
            rebuild: a member to be emptied and filled again by the others.

        Returns:
            Why it stopped; None when it is done.
        """
        try:
            self._write(progress=Progress.RUNNING, problem="")
            self._show_done()
            self._prepare()
            while remaining := self._in_order(rebuild):
                self._step(remaining[0], rebuild=remaining[0] in (rebuild, self.record.rebuilding))
                if len(remaining) > 1:
                    self._settle()
                    self._prepare()  # what was created meanwhile would refuse writes, too
            self._finish(Progress.DONE)
        except Overtaken as overtaken:
            return Trouble(overtaken.message)  # the record is theirs now
        except Halt as halt:
            trouble = halt.trouble
        except KeyboardInterrupt:
            self._stop("interrupted")
            raise
        except PaisctlError as error:
            trouble = Trouble(error.message)
        else:
            return None
        self._stop(f"{trouble.device}: {trouble.message}" if trouble.device else trouble.message)
        return trouble

    def abort(self) -> Trouble | None:
        """Put back what was changed for the time of the rollout, and forget about going on."""
        found = []
        for device in self.record.members:
            try:
                use_again(self.balancers, device)
            except HostError as error:
                found.append(Obstacle(error.message, error.hint or "", device))
        try:
            self._finish(Progress.ABORTED, found)
        except Halt as halt:
            return halt.trouble
        except PaisctlError as error:
            return Trouble(error.message)
        return None

    def _show_done(self) -> None:
        for device, phase in self.record.members.items():
            if phase is Phase.DONE:
                self.watcher(Entered(device, phase))

    def _prepare(self) -> None:
        self.driver.prepare(self.record.task, self, self._say)
        if not self.record.is_prepared:
            self._write(is_prepared=True)

    def _in_order(self, rebuild: str) -> list[str]:
        """The members that remain, the next one first: one that was begun comes before all others.

        One that is to be rebuilt comes before it: its gates may wait for that.
        """
        first = (rebuild, self.record.rebuilding)
        begun = sorted(self.record.begun, key=lambda device: device not in first)
        waiting = [device for device in self.record.remaining if device not in begun]
        if begun or self.definition.settings.order == "inventory":
            return begun + waiting
        return self.driver.order(waiting) if waiting else []

    def _step(self, device: str, *, rebuild: bool) -> None:
        """Change one member, and come back when it is as good as the others."""
        was_changed = self.record.members[device] is Phase.CHECKING and not rebuild
        self._await_others(device)
        if self.balancers:
            self._drain(device)
        self._enter(device, Phase.CHANGING)
        if rebuild:
            self._empty(device)
        failure = self.hands.change(
            device,
            self.watcher,
            restart=self.record.task.is_restart and not rebuild,
            was_changed=was_changed,
        )
        if failure:
            raise Halt(self._trouble(device, failure))
        if rebuild:
            self.watcher(Doing(device, "filling it from the other members"))
            self.driver.refill(device, self, self._say)
            self.keep(REBUILDING, {})
        self._enter(device, Phase.CHECKING)
        self._pass_gates(device)
        use_again(self.balancers, device)
        self._enter(device, Phase.DONE)

    def _empty(self, device: str) -> None:
        """Have a member start without data, once: what has been filled in since is not to be lost."""
        if self.get(REBUILDING) == {"device": device, "is_emptied": True}:
            return
        self.keep(REBUILDING, {"device": device, "is_emptied": False})
        self.watcher(Doing(device, "taking it out of the cluster, its data put aside"))
        self.driver.dismiss(device, self, self._say)
        self.keep(REBUILDING, {"device": device, "is_emptied": True})

    def _drain(self, device: str) -> None:
        self._enter(device, Phase.DRAINING)
        timeout = parse_duration(self.definition.settings.drain_timeout)
        for busy in drain(self.balancers, device, timeout, clock=self.clock, sleep=self.sleep):
            self._say(f"{busy} has open connections to {device} after {timeout:g} s; they are cut")

    def _pass_gates(self, device: str) -> None:
        gates = self.driver.gates(device, self.record.task)
        limits = self.definition.limits
        try:
            pass_gates(device, gates, limits, self.watcher, clock=self.clock, sleep=self.sleep)
        except GateFailed as failed:
            raise Halt(self._trouble(device, Failure(failed.message))) from failed

    def _await_others(self, device: str) -> None:
        """Nobody is touched while another one is not whole; that may take a moment."""
        deadline = self.clock() + _PATIENCE
        while obstacles := self.driver.before(device, self.record.task):
            if self.clock() >= deadline:
                message = f"{device} must not be taken away now"
                raise Halt(Trouble(message, obstacles=tuple(obstacles)))
            self.watcher(Doing(device, f"waits: {obstacles[0]}"))
            self.sleep(2.0)

    def _settle(self) -> None:
        seconds = parse_duration(self.definition.settings.settle)
        if seconds:
            self._say(f"resting for {seconds:g} s")
            self.sleep(seconds)

    def _finish(self, progress: Progress, left: Sequence[Obstacle] = ()) -> None:
        obstacles = [*left, *self.driver.finish(self.record.task, self, self._say)]
        if obstacles:
            raise Halt(Trouble("not all could be put back", obstacles=tuple(obstacles)))
        self._write(progress=progress, problem="")

    def _trouble(self, device: str, failure: Failure) -> Trouble:
        try:
            diagnosis = self.driver.diagnose(device, self.record.task)
        except PaisctlError as error:
            diagnosis = Diagnosis((f"nothing more is known: {error.message}",))
        if failure.hint:
            diagnosis = replace(diagnosis, hints=(failure.hint, *diagnosis.hints))
        return Trouble(failure.message, device, failure.log, diagnosis)

    # ---- the record -------------------------------------------------------------------------

    def _enter(self, device: str, phase: Phase) -> None:
        self._write(members=self.record.with_phase(device, phase).members)
        self.watcher(Entered(device, phase))

    def _stop(self, problem: str) -> None:
        try:
            self._write(progress=Progress.STOPPED, problem=problem)
        except PaisctlError as error:
            self._say(f"that it stopped could not be written down: {error.message}")

    def _write(self, **changes: Any) -> None:
        self._stay_alone()
        self.record = replace(self.record, **changes, sequence=self.record.sequence + 1)
        for device in remember(self.places, self.record):
            self._say(f"{device} could not write down how far the rollout is; the others did")

    def _stay_alone(self) -> None:
        """Notice when somebody else has gone on with it while a claim was lost."""
        try:
            if not self.claims.hold():
                return
        except HostBusy as busy:
            raise Overtaken(busy.message) from busy
        if recall(self.places, self.record.name) != self.record:
            raise Overtaken("somebody else has gone on with it meanwhile")
        self._say("a connection was lost; nobody else was here meanwhile")

    def _say(self, text: str) -> None:
        self.watcher(Noted(text))
