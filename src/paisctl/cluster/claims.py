"""That nobody else works on something: a claim on every host of it, held by a process there."""

from __future__ import annotations

import getpass
import json
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from paisctl.cluster.place import Place
from paisctl.errors import HostBusy, HostError
from paisctl.hostside import assignments, script
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
        name: what is worked on; also the name of a file.
        holder: who we are and since when, for others.
        doing: what is being done with it, for whoever finds it taken.
        hint: the command that tells more.
        folder: the directory for such claims, below a place's.

    Raises:
        HostBusy: somebody else works on it.
        HostError: a host could not be asked.
    """

    def __init__(
        self,
        places: Sequence[Place],
        name: str,
        holder: str,
        doing: str,
        hint: str,
        *,
        folder: str = "rollouts",
    ) -> None:
        self._places = places
        self._name = name
        self._holder = holder
        self._doing = doing
        self._hint = hint
        self._folder = folder
        self._held: dict[str, _Claim] = {}
        self._over = threading.Event()

    def __enter__(self) -> Self:
        try:
            for place in self._places:
                self._held[place.device] = self._take(place)
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

    def hold(self) -> bool:
        """Take again what was lost, as with a connection. A host that is away meanwhile can wait.

        Returns:
            Whether anything was taken again: somebody else may have had it in between.

        Raises:
            HostBusy: somebody else has it now.
            HostError: no claim is held, nor can be taken.
        """
        lost = [p for p in self._places if p.device not in self._held or self._has_ended(p.device)]
        for place in lost:
            self._held.pop(place.device, None)
            try:
                self._held[place.device] = self._take(place)
            except HostBusy:
                raise
            except HostError:
                place.target.close()  # it is connected to anew the next time
                if not self._held:
                    raise
        return any(place.device in self._held for place in lost)

    def _has_ended(self, device: str) -> bool:
        return self._held[device].ended.done()

    def _take(self, place: Place) -> _Claim:
        values = assignments(
            ROOT=place.root,
            FOLDER=self._folder,
            NAME=self._name,
            RUN=secrets.token_hex(8),
            HOLDER=json.dumps(self._holder),
        )
        channel = place.target.transport.open(place.command)
        channel.write((values + script("claim.sh")).encode())
        for line in channel.lines():
            if line == _HELD:
                claim = _Claim(channel, start_thread(_end, channel))
                start_thread(self._keep, claim)
                return claim
            if line.startswith(_TAKEN):
                channel.wait()
                who = _decoded(line.removeprefix(_TAKEN)) or "somebody"
                raise HostBusy(f"{self._doing} by {who}", self._hint)
        channel.wait()
        said = channel.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise HostError(f"{place.device} cannot write below {place.root}/{self._folder}: {said}")

    def _keep(self, claim: _Claim) -> None:
        """Give signs of life for as long as the host's process lives."""
        with suppress(HostError):
            while not self._over.wait(_PULSE) and not claim.ended.done():
                claim.channel.write(b"here\n")

    def _release(self) -> None:
        self._over.set()
        for claim in self._held.values():
            with suppress(HostError):
                claim.channel.close_stdin()
        wait([claim.ended for claim in self._held.values()], timeout=_FAREWELL)
        self._held.clear()


@dataclass(frozen=True, slots=True)
class _Claim:
    """One that is held; `ended` is done when its process, or the connection, is gone."""

    channel: Channel
    ended: Future[None]


def _end(channel: Channel) -> None:
    """Read what nobody needs until the process has ended."""
    with suppress(HostError):
        channel.read()
        channel.wait()


def ourselves() -> str:
    """Who we are, and since when, for others."""
    return f"{getpass.getuser()}@{socket.gethostname()} (since {time.strftime('%H:%M UTC', time.gmtime())})"


def holder(places: Sequence[Place], name: str) -> str:
    """Who works on something right now; empty when nobody does.

    Raises:
        HostError: a host could not be asked.
    """
    for place in places:
        values = assignments(CLAIM=f"{place.root}/rollouts/{name}.claim")
        done = place.target.transport.run(place.command, (values + _LOOK).encode())
        if said := done.stdout.decode("utf-8", "replace").strip():
            return _decoded(said)
    return ""


def _decoded(inside: str) -> str:
    """The inside of a JSON string, as the shell cut it out, as text."""
    try:
        return str(json.loads(f'"{inside}"'))
    except ValueError:
        return inside


# A claim without a sign of life for a minute is nobody's (hostside/claim.sh).
_LOOK = r"""
[ -f "$CLAIM" ] || exit 0
beat=$(sed -n 's/.*"heartbeat":\([0-9]*\).*/\1/p' "$CLAIM")
[ $(($(date +%s) - ${beat:-0})) -gt 60 ] || sed -n 's/.*"holder":"\(.*\)","heartbeat.*/\1/p' "$CLAIM"
"""
