"""That nobody else works on a rollout: a claim on every member's host, held by a process there."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from types import TracebackType
from typing import Self

from paisctl.errors import HostBusy, HostError
from paisctl.hostside import assignments, script
from paisctl.rollout.memory import Place
from paisctl.threads import start_thread
from paisctl.transports import Channel

_PULSE = 10.0  # seconds; a host that hears nothing for a minute takes us to be gone
_FAREWELL = 5.0  # seconds that hosts are given to take the claims away
_HELD = "@paisctl held"
_TAKEN = "@paisctl taken "


class Claims:
    """The claims of one run; a context in which they are held.

    Args:
        places: the hosts, in the inventory's order, in which everybody asks them.
        name: the rollout.
        holder: who we are and since when, for others.

    Raises:
        HostBusy: somebody else works on it.
        HostError: a host could not be asked.
    """

    def __init__(self, places: Sequence[Place], name: str, holder: str) -> None:
        self._places = places
        self._name = name
        self._holder = holder
        self._held: dict[str, Channel] = {}
        self._ends: list[Future[None]] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        try:
            self.hold()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    def hold(self) -> None:
        """Take what is not held, or not any more, as after a connection was lost."""
        for place in self._places:
            if place.device not in self._held:
                self._held[place.device] = self._take(place)
                start_thread(self._keep, place.device)

    def _take(self, place: Place) -> Channel:
        values = assignments(
            ROOT=place.root,
            NAME=self._name,
            RUN=secrets.token_hex(8),
            HOLDER=json.dumps(self._holder),
        )
        channel = place.target.transport.open(place.command)
        channel.write((values + script("claim.sh")).encode())
        for line in channel.lines():
            if line == _HELD:
                return channel
            if line.startswith(_TAKEN):
                channel.wait()
                who = line.removeprefix(_TAKEN)
                raise HostBusy(
                    f"{self._name} is being rolled by {who}",
                    f"watch it with paisctl rollout {self._name} status",
                )
        channel.wait()
        said = channel.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise HostError(f"{place.device} cannot write below {place.root}/rollouts: {said}")

    def _keep(self, device: str) -> None:
        """Give signs of life for as long as the host's process lives."""
        channel = self._held[device]
        ended = start_thread(_end, channel)
        self._ends.append(ended)
        with suppress(HostError):
            while not self._over.wait(_PULSE) and not ended.done():
                channel.write(b"here\n")
        if not self._over.is_set():
            self._held.pop(device, None)

    def _release(self) -> None:
        self._over.set()
        for channel in self._held.values():
            with suppress(HostError):
                channel.close_stdin()
        self._held.clear()
        wait(self._ends, timeout=_FAREWELL)


def _end(channel: Channel) -> None:
    """Read what nobody needs until the process has ended."""
    with suppress(HostError):
        channel.read()
        channel.wait()


def holder(places: Sequence[Place], name: str) -> str:
    """Who works on a rollout right now; empty when nobody does.

    Raises:
        HostError: a host could not be asked.
    """
    for place in places:
        values = assignments(CLAIM=f"{place.root}/rollouts/{name}.claim")
        done = place.target.transport.run(place.command, (values + _LOOK).encode())
        if said := done.stdout.decode("utf-8", "replace").strip():
            return said
    return ""


# A claim without a sign of life for a minute is nobody's (hostside/claim.sh).
_LOOK = r"""
[ -f "$CLAIM" ] || exit 0
beat=$(sed -n 's/.*"heartbeat":\([0-9]*\).*/\1/p' "$CLAIM")
[ $(($(date +%s) - ${beat:-0})) -gt 60 ] || sed -n 's/.*"holder":"\(.*\)","heartbeat.*/\1/p' "$CLAIM"
"""
