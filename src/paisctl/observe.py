"""Reading a fleet: all hosts at once, one connection and one read-only execution each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from paisctl.errors import HostError, HostUnreachable
from paisctl.events import Listener, Probed, Probing
from paisctl.observed import HostState
from paisctl.probe import listen, probe
from paisctl.targets import Begun, Target
from paisctl.threads import one_at_a_time, start_thread
from paisctl.timings import at_host, stage


def observe(
    targets: Sequence[Target],
    listener: Listener,
    *,
    texts: bool = False,
    history: bool = False,
    begun: Mapping[str, Begun] = MappingProxyType({}),
) -> dict[str, HostState]:
    """Read hosts; their connections stay open for a later apply.

    Args:
        targets: the hosts.
        listener: is told of each host's beginning and end, one event at a time.
        texts: whether to read the files' contents, too, for showing differences.
        history: whether to read the generations and audit logs, too.
        begun: those that are being read already, by `begin_to_read` with the same `texts`.

    Returns:
        Every host by device, in the order of `targets`; one that cannot be read has a `problem`.
    """
    listener = one_at_a_time(listener)

    def read(target: Target) -> HostState:
        listener(Probing(target.device))
        start = time.monotonic()
        try:
            on_its_way = begun.get(target.device)
            state = _hear(target, on_its_way) if on_its_way else _ask(target, texts, history)
        except HostError as error:
            is_away = isinstance(error, HostUnreachable)
            hint = error.hint or ""
            state = HostState(target.device, problem=error.message, hint=hint, is_away=is_away)
        listener(Probed(target.device, time.monotonic() - start, state.problem))
        return state

    with stage("connect to hosts and read them"):
        futures = [start_thread(read, target) for target in targets]
        states = [future.result() for future in futures]
    return {state.device: state for state in states}


def _hear(target: Target, begun: Begun) -> HostState:
    probing = begun.probe.result()
    with at_host("read", target.device):
        return listen(target, probing)


def _ask(target: Target, texts: bool, history: bool) -> HostState:
    with at_host("connect", target.device):
        target.transport.connect()
    with at_host("read", target.device):
        return probe(target, texts=texts, history=history)
