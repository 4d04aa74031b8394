"""Carrying a plan out: the only code that changes a host. It decides nothing."""

from __future__ import annotations

import getpass
import secrets
import socket
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait

from paisctl.events import HostResult, Listener, Stopping
from paisctl.execution.batches import Pace, divide
from paisctl.execution.conduct import Conduct
from paisctl.execution.conversation import Conversation
from paisctl.execution.coordinate import (
    Coordinator,
    in_common_order,
    missing_needs,
    needs_within,
)
from paisctl.execution.delivery import Run, pack
from paisctl.execution.turns import Turns
from paisctl.observed import HostState
from paisctl.plan import HostPlan, Plan
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.threads import one_at_a_time, start_thread

_FAREWELL = 30.0  # seconds that hosts are given to end the stack they are in


class Interrupted(KeyboardInterrupt):
    """An apply was interrupted; `results` are those of the hosts that have ended, by device."""

    def __init__(self, results: Mapping[str, HostResult]) -> None:
        super().__init__()
        self.results = results


def execute(
    plan: Plan,
    targets: Mapping[str, Target],
    states: Mapping[str, HostState],
    vault: Vault,
    listener: Listener,
    conduct: Conduct,
) -> dict[str, HostResult]:
    """Apply a plan to all hosts that it changes, side by side, with one execution on each.

    All hosts are locked before any is changed. A stack begins when its batch has its turn and the
    stacks of the plan that it needs have been applied, and is skipped when one of them was not, or
    is on a host that could not be read. An interrupt, or too many failures, let every host finish
    the stack it is in.

    Args:
        plan: what to do.
        targets: the hosts, by device, still connected.
        states: the hosts as they were planned for.
        vault: the secrets that go into files, and are kept out of everything else.
        listener: is told what happens, one event at a time.
        conduct: how to go about it.

    Raises:
        Interrupted: what the hosts were in is done, or goes on without us.
        HostError: a host has not been read, so that nothing can be executed on it.
        UsageError: the plan's stacks need one another in a circle.
    """
    listener, run = one_at_a_time(listener), _run(conduct)
    hosts, coordinator = _in_batches(plan, conduct.pace, listener)
    deliveries = [pack(h, targets[h.device], states[h.device], vault, run) for h in hosts]
    talks = (
        Conversation(h, targets[h.device], states[h.device], vault, coordinator, listener)
        for h in hosts
    )
    futures = [
        start_thread(*each) for each in zip((t.hold for t in talks), deliveries, strict=True)
    ]
    return {result.device: result for result in _results(futures, coordinator, listener)}


def _in_batches(plan: Plan, pace: Pace, listener: Listener) -> tuple[list[HostPlan], Coordinator]:
    """The hosts that change, and who tells them when."""
    needs = needs_within(plan)
    batches = divide(needs, pace)
    hosts = in_common_order(plan, batches)
    turns = Turns(batches, pace, listener)
    return hosts, Coordinator([host.device for host in hosts], needs, missing_needs(plan), turns)


def _results(
    futures: list[Future[HostResult]], coordinator: Coordinator, listener: Listener
) -> list[HostResult]:
    try:
        return [future.result() for future in futures]
    except KeyboardInterrupt:
        listener(Stopping())
        coordinator.stop("stopped before it began")
        ended, _ = wait(futures, timeout=_FAREWELL)
        results = [future.result() for future in futures if future in ended]
        raise Interrupted({result.device: result for result in results}) from None


def _run(conduct: Conduct) -> Run:
    now = time.gmtime()
    return Run(
        f"{time.strftime('%Y%m%dT%H%M%SZ', now)}-{secrets.token_hex(3)}",
        getpass.getuser(),
        socket.gethostname(),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
        conduct,
    )
