"""The driver of stacks that bring none: their gates are commands, and nothing else is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from paisctl.cluster.asking import ask_all
from paisctl.cluster.driver import Answer, Ask, Diagnosis, Journal, Obstacle, Say, Task
from paisctl.cluster.member import Member, said
from paisctl.errors import HostError, PaisctlError
from paisctl.rendering.bundle import RolloutGate


class CommandDriver:
    """Rolls by the commands that a bundle declares: each must pass on every member.

    Args:
        members: those that can be asked.
        gates: the bundle's, by name.
        stack: for messages.
    """

    def __init__(
        self, members: Sequence[Member], gates: Mapping[str, RolloutGate], stack: str
    ) -> None:
        self._members = {member.device: member for member in members}
        self._gates = gates
        self._stack = stack

    def preflight(self, task: Task, away: Collection[str] = ()) -> list[Obstacle]:  # noqa: ARG002
        return self._obstacles([m for d, m in self._members.items() if d not in away])

    def prepare(self, task: Task, journal: Journal, say: Say) -> None:
        """Nothing is known that would have to be prepared."""

    def order(self, devices: Sequence[str]) -> list[str]:
        return list(devices)

    def before(self, device: str, task: Task) -> list[Obstacle]:
        return self.preflight(task, {device})

    def gates(self, device: str, task: Task) -> Mapping[str, Ask]:  # noqa: ARG002
        member = self._members[device]
        return {name: partial(_ask, gate, member) for name, gate in self._gates.items()}

    def finish(self, task: Task, journal: Journal, say: Say) -> list[Obstacle]:  # noqa: ARG002
        return []

    def diagnose(self, device: str, task: Task) -> Diagnosis:
        answers = {name: ask() for name, ask in self.gates(device, task).items()}
        facts = [f"{name}: {answer.said}" for name, answer in answers.items() if not answer.passed]
        return Diagnosis(tuple(facts))

    def dismiss(self, device: str, journal: Journal, say: Say) -> None:  # noqa: ARG002
        raise PaisctlError(f"{self._stack} has no driver that knows how to rebuild {device}")

    def refill(self, device: str, journal: Journal, say: Say) -> None:
        self.dismiss(device, journal, say)

    def _obstacles(self, members: Sequence[Member]) -> list[Obstacle]:
        def ask(member: Member) -> list[Obstacle]:
            return [
                Obstacle(f"{gate.description}: {answer.said}", device=member.device)
                for gate in self._gates.values()
                if not (answer := _ask(gate, member)).passed
            ]

        return [obstacle for found in ask_all(members, ask).values() for obstacle in found]


def _ask(gate: RolloutGate, member: Member) -> Answer:
    assert gate.service and gate.command  # noqa: S101, PT018 # lint has seen to it
    try:
        done = member.run(gate.service, gate.command)
    except HostError as error:
        return Answer(passed=False, said=error.message)
    return Answer(passed=False, said=said(done)) if done.exit_status else Answer(passed=True)
