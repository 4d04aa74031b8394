"""Data that a command writes to its stdout, and maybe another takes back: what bundles declare."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from functools import partial

from paisctl.cluster.backup_driver import Kept, Kind, Lost, Piece, Replacement, Stored
from paisctl.cluster.driver import Obstacle, Say
from paisctl.cluster.member import Member
from paisctl.errors import HostError
from paisctl.inventory.types import format_size
from paisctl.rendering.bundle import Dump
from paisctl.threads import start_thread
from paisctl.transports import chunks

_KINDS: tuple[tuple[str, Kind], ...] = (
    (".tar.gz", "tar.gz"),
    (".tgz", "tar.gz"),
    (".gz", "gz"),
    (".tar", "tar"),
    (".json", "json"),
)


class DumpDriver:
    """The driver of a bundle that declares `dumps`.

    Args:
        members: those that can be asked.
        dumps: what the bundle declares.
        versions: of the software that the inventory wants, by device.
    """

    def __init__(
        self, members: Sequence[Member], dumps: Sequence[Dump], versions: dict[str, str]
    ) -> None:
        self._members = {member.device: member for member in members}
        self._dumps = {dump.name: dump for dump in dumps}
        self._versions = versions

    def version(self, device: str) -> str:
        """The images that run; what the inventory wants where that is not known."""
        member = self._members[device]
        services = dict.fromkeys(dump.service for dump in self._dumps.values())
        running = {_image(member, service) for service in services} - {""}
        return ", ".join(sorted(running)) or self._versions[device]

    def pieces(
        self,
        device: str,
        only: Collection[str] = (),
        say: Say = lambda _: None,  # noqa: ARG002 # the interface
    ) -> Generator[Piece | Lost]:
        member = self._members[device]
        for dump in self._dumps.values():
            if not only or dump.name in only:
                yield Piece(dump.name, kind_of(dump.name), partial(_output, member, dump))

    def missing(self, stored: Stored, only: Collection[str] = ()) -> dict[str, str]:  # noqa: ARG002
        """Dumps of one device say nothing about those of another."""
        return {}

    def check(self, stored: Stored, piece: Kept) -> None:
        """Nothing is known of what is in it."""

    def obstacles(self, stored: Stored, only: Collection[str] = ()) -> list[Obstacle]:
        found = []
        for piece in self._wanted(stored, only):
            dump = self._dumps.get(piece.name)
            if dump is None or dump.restore is None:
                what = f"the bundle does not say how {piece.name} is brought back"
                found.append(Obstacle(what, "add `restore:` to it, or do it by hand"))
            elif piece.device not in self._members:
                found.append(Obstacle("it does not answer", device=piece.device))
        if not found and not self._wanted(stored, only):
            found.append(Obstacle("there is nothing of that name in the backup"))
        return found

    def replacements(self, stored: Stored, only: Collection[str] = ()) -> list[Replacement]:
        wanted = self._wanted(stored, only)
        names = dict.fromkeys(piece.name for piece in wanted)
        return [self._replacement(n, [p for p in wanted if p.name == n]) for n in names]

    def restore(self, stored: Stored, replacement: Replacement, say: Say) -> str:
        for piece in replacement.pieces:
            say(f"{piece.device}: {piece.name} goes back, {format_size(piece.size)}")
            self._feed(piece, stored)
        return replacement.then

    def _wanted(self, stored: Stored, only: Collection[str]) -> list[Kept]:
        return [piece for piece in stored.pieces if not only or piece.name in only]

    def _replacement(self, name: str, pieces: Sequence[Kept]) -> Replacement:
        then = ", ".join(f"{format_size(piece.size)} on {piece.device}" for piece in pieces)
        now = self._dumps[name].replaces or "the data that is there"
        return Replacement(name, now, then, tuple(pieces))

    def _feed(self, piece: Kept, stored: Stored) -> None:
        dump = self._dumps[piece.name]
        channel = self._members[piece.device].open(dump.service, dump.restore or [])
        printed = start_thread(lambda each: each.read(), channel)
        with closing(stored.chunks(piece)) as chunks:
            for chunk in chunks:
                channel.write(chunk)
        channel.close_stdin()
        last = printed.result().decode("utf-8", "replace").strip().rpartition("\n")[2]
        if status := channel.wait():
            why = _last_line(channel.stderr) or last or f"exit status {status}"
            raise HostError(f"{piece.device} does not take {piece.name}: {why}")


def _image(member: Member, service: str) -> str:
    """The image that a container was made from, as it was named; empty if that is not known."""
    return str(member.inspect(service).get("Config", {}).get("Image") or "")


def _output(member: Member, dump: Dump) -> Generator[bytes]:
    channel = member.open(dump.service, dump.command)
    yield from chunks(channel)
    if status := channel.wait():
        why = _last_line(channel.stderr) or f"exit status {status}"
        raise HostError(f"{dump.command[0]} in {dump.service} failed: {why}")


def _last_line(text: bytes) -> str:
    return text.decode("utf-8", "replace").strip().rpartition("\n")[2]


def kind_of(name: str) -> Kind:
    """As what a file of that name can be opened."""
    return next((kind for ending, kind in _KINDS if name.endswith(ending)), "plain")
