"""The dead-man's switch: a new policy stays only if every host can be logged in to under it.

What was there before is kept in a record first. Whenever something goes wrong after that, be it a
host that is gone or an interrupt, the old policy is put back; after a crash, `finish` or `go_back`
takes the change up from the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from paisctl.errors import OutcomeUnknown, PaisctlError, TailnetError
from paisctl.tailnet.control import ControlPlane, LivePolicy
from paisctl.tailnet.outcome import (
    Listener,
    Outcome,
    Progress,
    Result,
    Sighting,
    Stage,
    SwitchInterrupted,
)
from paisctl.tailnet.putting_back import PuttingBack, is_new, is_old
from paisctl.tailnet.readback import fingerprint
from paisctl.tailnet.record import Record, Started, State
from paisctl.tailnet.watch import Clock, Reach, look, watch


@dataclass(frozen=True, slots=True)
class Switch:
    """What it takes to change the policy.

    Attributes:
        control: the control plane.
        record: keeps the change while it lasts.
        reach: logs in to a host over a new connection.
        clock: the time.
        listener: is told what happens.
        settle: seconds that a policy may take until it holds everywhere.
        limit: seconds after which a host that was not reached brings the old policy back.
    """

    control: ControlPlane
    record: Record
    reach: Reach
    clock: Clock
    listener: Listener
    settle: float
    limit: float

    def change_policy(self, text: str, live: LivePolicy, hosts: Sequence[str]) -> Result:
        """Set a policy, and go back if a host is lost by it.

        Args:
            text: the new policy.
            live: the policy in force, as it was when the new one was planned.
            hosts: those that must stay reachable; who cannot be reached now is left out.

        Returns:
            How it went; a success only if its outcome is KEPT.

        Raises:
            SwitchInterrupted: somebody wanted to stop; its result tells what is in force.
            PolicyMoved: somebody else has changed the policy since `live`; nothing was done.
            PolicyRefused: the control plane does not take the policy; nothing was done.
            TailnetError: nothing was done.
            PaisctlError: an earlier change has not been ended; nothing was done.
        """
        with self.record.alone():
            if self.record.read():
                raise self.record.unfinished()
            self._tell(Stage.LOOKING)
            seen = look(hosts, self.reach, self.clock, self.limit)
            result = Result(Outcome.NOBODY_REACHED)
            if _reached(seen):
                result = self._change(text, live, tuple(s.host for s in _reached(seen)))
            return replace(result, left_out=_gone(seen))

    def finish(self) -> Result:
        """End a change that a crash has left: keep the new policy if every host can be reached.

        Returns:
            How it went. KEPT, or as `change_policy` says; NOT_SET or WENT_BACK if the old policy
            was in force already; OVERTAKEN if somebody else's was.

        Raises:
            SwitchInterrupted: as `change_policy`.
            TailnetError: the policy cannot be read; nothing was done.
            PaisctlError: there is no such change, or its record is of no use.
        """
        with self.record.alone():
            return self._finish(self._begun())

    def go_back(self) -> Result:
        """End a change that a crash has left: put the old policy back.

        Returns:
            How it went: WENT_BACK, NOT_SET, OVERTAKEN or NOT_BACK.

        Raises:
            SwitchInterrupted: as `change_policy`.
            PaisctlError: there is no such change, or its record is of no use.
        """
        with self.record.alone():
            return self._undo(self._begun(), is_late=True)

    def _change(self, text: str, live: LivePolicy, hosts: tuple[str, ...]) -> Result:
        started = self.record.begin(
            self.control.name, live.text, live.etag, fingerprint(text), hosts
        )
        try:
            with self._guard(started):
                self._tell(Stage.SETTING)
                etag = self.control.set_policy(text, live.etag)
                started = self.record.advance(started, State.SET, etag)
                watched = self._watch(started)
        except OutcomeUnknown as unknown:
            return self._undo(started, problem=unknown.message)
        except TailnetError:
            self.record.remove()
            raise
        return self._decide(started, watched)

    def _finish(self, started: Started) -> Result:
        live = self.control.policy()
        if is_new(live, started):
            with self._guard(started):
                started = self.record.advance(started, State.SET, live.etag)
                watched = self._watch(started)
            return self._decide(started, watched)
        if is_old(live, started) and started.state is State.SETTING:
            return self._undo(started, is_late=True)  # it may be the new one that is in use
        return self._not_ours(started, live)

    def _not_ours(self, started: Started, live: LivePolicy) -> Result:
        """The end of a change whose policy is no longer the one in force."""
        if is_old(live, started):
            self.record.remove()
            return Result(Outcome.WENT_BACK, is_old_proven=True)
        seen = look(started.hosts, self.reach, self.clock, self.limit)
        gone = _gone(seen)
        if not gone:
            self.record.remove()
        return Result(Outcome.OVERTAKEN, _reached(seen), gone, is_record_kept=bool(gone))

    def _begun(self) -> Started:
        started = self.record.read()
        if started is None:
            raise PaisctlError("no change of the policy is waiting to be ended")
        if started.control != self.control.name:
            message = f"the change that was begun is of {started.control}'s policy"
            raise PaisctlError(message, f"it is not known to {self.control.name}")
        return started

    def _watch(self, started: Started) -> tuple[Sighting, ...]:
        """Log in to every host anew, by connections that began after the policy has settled."""
        since = self.clock.now()
        self._tell(Stage.SETTLING)
        self.clock.sleep(self.settle)
        self._tell(Stage.WATCHING)
        return watch(started.hosts, self.reach, self.clock, since, self.limit, self.listener)

    def _decide(self, started: Started, watched: tuple[Sighting, ...]) -> Result:
        if _gone(watched):
            return self._undo(started, watched)
        problem = ""
        with self._guard(started):
            try:
                live = self.control.policy()
            except TailnetError as error:
                live = None  # every host was reached: no reason to go back
                problem = f"the policy could not be read again in the end: {error.message}"
        if live and fingerprint(live.text) != started.fingerprint:
            problem = "somebody else has replaced the policy while the hosts were watched"
            return replace(self._not_ours(started, live), problem=problem)
        self.record.remove()
        return Result(Outcome.KEPT, reached=watched, problem=problem)

    @contextlib.contextmanager
    def _guard(self, started: Started) -> Iterator[None]:
        """Undo a change whose watching ends early, be it by an interrupt or by an error of ours."""
        try:
            yield
        except TailnetError:
            raise  # of setting the policy
        except KeyboardInterrupt:
            raise SwitchInterrupted(self._undo(self._latest(started))) from None
        except BaseException:
            self._undo(self._latest(started))
            raise

    def _latest(self, started: Started) -> Started:
        with contextlib.suppress(PaisctlError):
            return self.record.read() or started
        return started

    def _undo(
        self,
        started: Started,
        watched: tuple[Sighting, ...] = (),
        problem: str = "",
        *,
        is_late: bool = False,
    ) -> Result:
        """Put the old policy back, and look at the hosts again.

        Nothing that fails beside the control plane, as a full disk or a closed terminal, may keep
        it from being put back.

        Args:
            started: the change.
            watched: the hosts under the new policy.
            problem: why, if not for a host.
            is_late: whether all requests of the change have ended long ago; else one that got no
                answer may still be carried out, so that the record is kept.
        """
        self._tell_quietly(Progress(Stage.GOING_BACK, detail=problem))
        if started.state is State.SET:
            with contextlib.suppress(OSError):
                started = self.record.advance(started, State.GOING_BACK)
        result = Result(Outcome.NOT_BACK, _reached(watched), _gone(watched), is_record_kept=True)
        try:
            way = PuttingBack(self.control, started)
            outcome, failure = way.insist(self.clock, self._tell_quietly)
        except KeyboardInterrupt:
            stopped = "interrupted while the old policy was put back"
            raise SwitchInterrupted(replace(result, problem=stopped)) from None
        is_over = outcome is Outcome.WENT_BACK or (outcome is Outcome.NOT_SET and is_late)
        result = replace(
            result,
            outcome=outcome,
            problem=failure or problem,
            is_old_proven=outcome in (Outcome.WENT_BACK, Outcome.NOT_SET),
            is_record_kept=not (is_over and self._forgotten()),
        )
        return self._seen_again(started, result) if outcome is Outcome.WENT_BACK else result

    def _seen_again(self, started: Started, result: Result) -> Result:
        """The result with the hosts as they are under the old policy."""
        self._tell_quietly(Progress(Stage.BACK))
        since = self.clock.now()
        try:
            seen = watch(
                started.hosts, self.reach, self.clock, since, self.limit, self._tell_quietly
            )
        except KeyboardInterrupt:
            raise SwitchInterrupted(result) from None
        return replace(result, after=seen)

    def _forgotten(self) -> bool:
        with contextlib.suppress(OSError):
            self.record.remove()
            return True
        return False

    def _tell(self, stage: Stage) -> None:
        self.listener(Progress(stage))

    def _tell_quietly(self, progress: Progress) -> None:
        with contextlib.suppress(Exception):
            self.listener(progress)


def _reached(seen: Sequence[Sighting]) -> tuple[Sighting, ...]:
    return tuple(sighting for sighting in seen if not sighting.problem)


def _gone(seen: Sequence[Sighting]) -> tuple[Sighting, ...]:
    return tuple(sighting for sighting in seen if sighting.problem)
