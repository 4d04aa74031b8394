"""Putting the old policy back, and proving that it is in force."""

from __future__ import annotations

from paisctl.errors import CredentialsRefused, PolicyRefused, TailnetError
from paisctl.tailnet.control import ControlPlane, LivePolicy
from paisctl.tailnet.outcome import Listener, Outcome, Progress, Stage
from paisctl.tailnet.readback import fingerprint
from paisctl.tailnet.record import Started, State
from paisctl.tailnet.watch import Clock

_PATIENCE = 300.0  # seconds of trying, while the control plane is overloaded or out of reach
_PAUSE, _LONGEST_PAUSE = 2.0, 30.0  # seconds between attempts


class PuttingBack:
    """The way back to the old policy.

    Args:
        control: the control plane.
        started: the change that is undone.
    """

    def __init__(self, control: ControlPlane, started: Started) -> None:
        self._control, self._started = control, started
        self._was_set = started.state is not State.SETTING
        self._may_be_hidden = not self._was_set and not control.gives_what_is_in_use

    def insist(self, clock: Clock, listener: Listener) -> tuple[Outcome, str]:
        """Put the old policy back, unless somebody else has changed it in the meantime.

        Tries until it is in force, or there is no point in trying any more.

        Args:
            clock: the time.
            listener: is told of failures that are tried again.

        Returns:
            WENT_BACK or NOT_SET (the old policy was read back; the new one was never seen in
            force), OVERTAKEN, or NOT_BACK and why.
        """
        deadline, pause = clock.now() + _PATIENCE, _PAUSE
        while True:
            try:
                outcome, problem = self._attempt(), "the new policy is still in force"
            except (CredentialsRefused, PolicyRefused) as error:
                return Outcome.NOT_BACK, error.message
            except TailnetError as error:
                outcome, problem = None, error.message
            if outcome:
                return outcome, ""
            if clock.now() + pause > deadline:
                return Outcome.NOT_BACK, problem
            listener(Progress(Stage.NOT_YET_BACK, detail=problem))
            clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _attempt(self) -> Outcome | None:
        """Put it back and read it back; None if the new policy is in force nevertheless.

        Begins by reading which policy is in force, so that nothing has to be known of how the
        attempts before this one have ended. Where reading does not tell which policy is in use, the
        old one is set once in any case, unless somebody else's is there.
        """
        live = self._control.policy()
        self._was_set = self._was_set or is_new(live, self._started)
        hides_new = self._may_be_hidden and is_old(live, self._started)
        if hides_new or is_new(live, self._started):
            self._control.set_policy(self._started.before, live.etag)
            self._may_be_hidden = False
            live = self._control.policy()
        if is_old(live, self._started):
            return Outcome.WENT_BACK if self._was_set else Outcome.NOT_SET
        return None if is_new(live, self._started) else Outcome.OVERTAKEN


def is_old(live: LivePolicy, started: Started) -> bool:
    """Whether the policy in force is the one from before the change."""
    return fingerprint(live.text) == fingerprint(started.before)


def is_new(live: LivePolicy, started: Started) -> bool:
    """Whether the policy in force is the one that the change has set."""
    return fingerprint(live.text) == started.fingerprint and not is_old(live, started)
