"""The conversation with one host while it applies its part of a plan."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field, replace

from paisctl.errors import HostBusy, HostError, HostOvertaken, UnexpectedAnswer
from paisctl.events import (
    GoingBack,
    HostEnded,
    HostResult,
    Listener,
    LockAwaited,
    Outcome,
    StackEnded,
    StackWaiting,
    StepStarted,
)
from paisctl.execution.coordinate import Coordinator, Word
from paisctl.execution.delivery import Delivery
from paisctl.execution.host_event import PREFIX, HostEvent, parse_event
from paisctl.hostside import COMMAND
from paisctl.manifest import parse_manifest
from paisctl.observed import HostState
from paisctl.plan import HostPlan, Plan
from paisctl.probe import listen
from paisctl.proof import unproven
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.threads import start_thread
from paisctl.transports import Channel

_WORDS = {Word.LOCK: b"lock\n", Word.GO: b"go\n", Word.SKIP: b"skip\n"}
_HERE = b"here\n"
_PULSE = 10.0  # seconds; a host that hears nothing for a minute takes us to be gone
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_OF_A_STACK = {"waiting", "step", "broken", "going-back", *_OUTCOMES}


@dataclass
class Conversation:
    """One host's part: sends the delivery, gives the word for each stack, notes what happens."""

    plan: HostPlan
    target: Target
    before: HostState
    vault: Vault
    coordinator: Coordinator
    listener: Listener
    changing: str = field(default="", init=False)
    _why: str = field(default="", init=False)
    _generation: int | None = field(default=None, init=False)
    _broken: dict[str, list[_Broken]] = field(default_factory=dict, init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, init=False)

    def hold(self, delivery: Delivery) -> HostResult:
        """Apply, to the end; a host that fails is a result, too."""
        start = time.monotonic()
        problem, hint, state, is_overtaken = "", "", None, False
        is_as_planned = True
        try:
            state = self._apply(delivery)
            is_as_planned = self._is_as_planned(state)
        except HostError as error:
            problem, hint = self.vault.redact(error.message), error.hint or ""
            is_overtaken = isinstance(error, HostOvertaken)
            if isinstance(error, HostBusy):
                self.coordinator.stop(f"{self.plan.device}: {problem}")
        finally:
            self._over.set()
            stopped = self.coordinator.stopped
            if problem:
                self.coordinator.lost(self.plan.device)  # before others go on
            self.coordinator.locked(self.plan.device)
            self._abandon(problem, stopped)
            self.coordinator.over(self.plan.device, is_as_planned=is_as_planned)
        self.listener(HostEnded(self.plan.device, time.monotonic() - start, problem))
        stacks = self.coordinator.results(self.plan.device)
        return HostResult(
            self.plan.device,
            stacks,
            state,
            problem,
            hint,
            self.changing,
            self._generation,
            is_overtaken,
            self.coordinator.stopped,
        )

    def _apply(self, delivery: Delivery) -> HostState | None:
        facts = self.before.facts
        command = f"sudo -n {COMMAND}" if facts and facts.files_sudo else COMMAND
        channel = self.target.transport.open(command)
        try:
            channel.write(delivery.receive)
            return self._listen(channel, delivery)
        except HostError:
            with contextlib.suppress(HostError):
                channel.close_stdin()  # else the host would wait for the next word
                channel.read()
                channel.wait()
            raise

    def _listen(self, channel: Channel, delivery: Delivery) -> HostState | None:
        noise = ""
        for line in channel.lines():
            if not line.startswith(PREFIX):
                noise = line or noise
                continue
            event = self._parse(line)
            match event.kind:
                case "observation":
                    return self._observation(channel)
                case "withdrawn":
                    channel.wait()
                    return None
                case kind if kind in _OUTCOMES:
                    self._ended(event, _OUTCOMES[kind])
                case _:
                    self._react(event, channel, delivery)
        status = channel.wait()
        said = channel.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or noise
        raise HostError(f"the apply broke off with exit status {status}" + (said and f": {said}"))

    def _parse(self, line: str) -> HostEvent:
        event = parse_event(line)
        if event is None or (event.kind in _OF_A_STACK and event.stack not in self._stacks):
            said = f"{self.plan.device} says something that cannot be understood: {line[:200]}"
            raise UnexpectedAnswer(said)
        return event

    @property
    def _stacks(self) -> list[str]:
        return [stack.name for stack in self.plan.stacks]

    def _observation(self, channel: Channel) -> HostState:
        self._over.set()
        with self._writing:  # no sign of life among the questions
            state = listen(self.target, channel)
        # Seen by root, where root applied; what holds for the next run was found out before.
        return replace(state, facts=self.before.facts)

    def _is_as_planned(self, state: HostState | None) -> bool:
        """Whether what was applied is there, as the host was read again; so it is if it was not."""
        device = self.plan.device
        ends = self.coordinator.results(device).items()
        applied = {(device, stack) for stack, end in ends if end.outcome is Outcome.APPLIED}
        after = {device: state} if state else {}
        left = unproven(Plan((self.plan,)), {device: self.before}, after, self.vault)
        return not left.only(applied).changes

    def _react(self, event: HostEvent, channel: Channel, delivery: Delivery) -> None:
        device, stack, step = self.plan.device, event.stack, event.step
        detail = self.vault.redact(event.detail)
        match event.kind:
            case "ready":
                channel.write(delivery.archive)
                start_thread(self._pulse, channel)
            case "refused":
                raise HostError(f"{device} refuses: {detail}")
            case "held":
                hint = f"add --wait 10m to wait for it; paisctl unlock {device}, if nobody is there"
                raise HostBusy(detail, hint)
            case "moved":
                raise HostOvertaken(detail, f"paisctl plan {device}")
            case "locking":
                self._say(self.coordinator.may_lock(device), channel)
            case "lock-awaited":
                self.listener(LockAwaited(device, detail))
            case "locked":
                self.coordinator.locked(device)
            case "waiting":
                self._give_word(stack, channel)
            case "step":
                self.listener(StepStarted(device, stack, step, detail))
            case "broken":
                log = tuple(self.vault.redact(line) for line in event.log)
                self._broken.setdefault(stack, []).append(_Broken(step, detail, log))
            case "going-back":
                self._generation = parse_manifest(self.before.manifest).generation
                self.listener(GoingBack(device, stack, self._generation))

    def _give_word(self, stack: str, channel: Channel) -> None:
        key = (self.plan.device, stack)
        if needs := self.coordinator.waits_for(key):
            names = tuple(f"{device}/{name}" for device, name in needs)
            self.listener(StackWaiting(self.plan.device, stack, names))
        word, self._why = self.coordinator.may_begin(key)
        if word is Word.GO:
            self.changing = stack
        self._say(word, channel)

    def _say(self, word: Word, channel: Channel) -> None:
        with self._writing:
            if word is Word.STOP:
                channel.close_stdin()
            else:
                channel.write(_WORDS[word])

    def _pulse(self, channel: Channel) -> None:
        """Tell the host that somebody is there, as long as it works."""
        with contextlib.suppress(HostError):  # whoever reads from the channel will notice
            while not self._over.wait(_PULSE):
                with self._writing:
                    channel.write(_HERE)

    def _ended(self, event: HostEvent, outcome: Outcome) -> None:
        message = self.vault.redact(event.detail) or self._why
        first, *others = self._broken.get(event.stack) or [_Broken("", message, ())]
        for broken in others[-1:] if outcome is Outcome.STRANDED else []:
            said = f"{first.message}; then going back failed at: {broken.step}: {broken.message}"
            first = _Broken(first.step, said, (*first.log, *broken.log))
        self._end(event.stack, outcome, first)

    def _end(self, stack: str, outcome: Outcome, broken: _Broken) -> None:
        self.changing = ""
        end = StackEnded(self.plan.device, stack, outcome, broken.step, broken.message, broken.log)
        self.listener(end)  # before what others begin for it
        self.coordinator.ended(end)

    def _abandon(self, problem: str, stopped: str) -> None:
        """Give every stack that the host did not finish an end, for others may wait for it."""
        known = self.coordinator.results(self.plan.device)
        changing, never = self.changing, "the host never came to it"
        for stack in self._stacks:
            if stack == changing and stack not in known:
                self._end(stack, Outcome.FAILED, _Broken("", problem or stopped or never, ()))
            elif stack not in known:
                self._end(stack, Outcome.SKIPPED, _Broken("", stopped or problem or never, ()))
        self.changing = changing


@dataclass(frozen=True, slots=True)
class _Broken:
    """A step that failed: its text, why, and the last lines of what it printed."""

    step: str
    message: str
    log: tuple[str, ...]
