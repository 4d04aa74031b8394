"""The conversation with one host while it applies its part of a plan."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from paisctl.errors import HostError, UnexpectedAnswer
from paisctl.events import (
    HostEnded,
    HostResult,
    Listener,
    Outcome,
    StackEnded,
    StackWaiting,
    StepStarted,
)
from paisctl.execution.coordinate import Coordinator, Word
from paisctl.execution.delivery import Delivery
from paisctl.hostside import COMMAND
from paisctl.observed import HostState
from paisctl.plan import HostPlan
from paisctl.probe import understand
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.transports import Channel

_EVENT = "@paisctl "
_WORDS = {Word.GO: b"go\n", Word.SKIP: b"skip\n"}


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

    def hold(self, delivery: Delivery) -> HostResult:
        """Apply, to the end; a host that fails is a result, too."""
        start = time.monotonic()
        problem, state = "", None
        try:
            state = self._apply(delivery)
        except HostError as error:
            problem = self.vault.redact(error.message)
        finally:
            self._abandon(problem or "the host never came to it")
        self.listener(HostEnded(self.plan.device, time.monotonic() - start, problem))
        stacks = self.coordinator.results(self.plan.device)
        return HostResult(self.plan.device, stacks, state, problem, self.changing)

    def _apply(self, delivery: Delivery) -> HostState:
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

    def _listen(self, channel: Channel, delivery: Delivery) -> HostState:
        noise = ""
        lines = channel.lines()
        for line in lines:
            if not line.startswith(_EVENT):
                noise = line or noise
                continue
            event = self._parse(line)
            if event["event"] == "observation":
                return self._observation(lines, channel)
            self._react(event, channel, delivery)
        status = channel.wait()
        said = channel.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or noise
        raise HostError(f"the apply broke off with exit status {status}" + (said and f": {said}"))

    def _parse(self, line: str) -> dict[str, Any]:
        try:
            return {"event": "", **json.loads(line.removeprefix(_EVENT))}
        except (ValueError, TypeError):
            raise UnexpectedAnswer(
                f"{self.plan.device} says something that cannot be understood: {line[:200]}"
            ) from None

    def _observation(self, lines: Iterator[str], channel: Channel) -> HostState:
        text = "\n".join(["", *lines])
        channel.wait()
        state = understand(self.target, text.encode("utf-8", "surrogateescape"))
        # Seen by root, where root applied; what holds for the next run was found out before.
        return replace(state, facts=self.before.facts)

    def _react(self, event: dict[str, Any], channel: Channel, delivery: Delivery) -> None:
        stack, step = event.get("stack", ""), event.get("step", "")
        detail = self.vault.redact(event.get("detail", ""))
        match event["event"]:
            case "ready":
                channel.write(delivery.archive)
            case "refused":
                raise HostError(f"{self.plan.device} refuses: {detail}")
            case "waiting":
                self._give_word(stack, channel)
            case "step":
                self.listener(StepStarted(self.plan.device, stack, step, detail))
            case "failed":
                log = tuple(self.vault.redact(line) for line in event.get("log", ()))
                self._end(stack, Outcome.FAILED, step, detail, log)
            case "skipped":
                self._end(stack, Outcome.SKIPPED, message=self._why)
            case "applied":
                self._end(stack, Outcome.APPLIED)

    def _give_word(self, stack: str, channel: Channel) -> None:
        key = (self.plan.device, stack)
        if needs := self.coordinator.waits_for(key):
            names = tuple(f"{device}/{name}" for device, name in needs)
            self.listener(StackWaiting(self.plan.device, stack, names))
        word, self._why = self.coordinator.may_begin(key)
        if word is Word.STOP:
            channel.close_stdin()
            return
        if word is Word.GO:
            self.changing = stack
        channel.write(_WORDS[word])

    def _end(
        self,
        stack: str,
        outcome: Outcome,
        step: str = "",
        message: str = "",
        log: tuple[str, ...] = (),
    ) -> None:
        self.changing = ""
        end = StackEnded(self.plan.device, stack, outcome, step, message, log)
        self.coordinator.ended(end)
        self.listener(end)

    def _abandon(self, reason: str) -> None:
        """Give every stack that the host did not finish an end, for others may wait for it."""
        known = self.coordinator.results(self.plan.device)
        changing = self.changing
        for stack in self.plan.stacks:
            if stack.name not in known:
                outcome = Outcome.FAILED if stack.name == changing else Outcome.SKIPPED
                self._end(stack.name, outcome, message=reason)
        self.changing = changing
