"""Where backups are kept: a directory of one backup's on a host, reached through its shell.

It takes no more than POSIX sh and one of `sha256sum`, `shasum`, `openssl`: so a NAS, a Mac and a
BusyBox box will do. No file is ever in memory as a whole, neither here nor there.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import tarfile
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass

from paisctl.cluster.member import said
from paisctl.errors import HostError
from paisctl.threads import start_thread
from paisctl.transports import Channel, Transport, chunks

MANIFEST = "manifest.json"
_MARK = "@paisctl "
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")

# One line each: a csh takes no quoted argument of several.
# With something left to do after `cat`, the shell does not become it: then its stdout would be the file, and
# the end of what we read from it would look like its own.
_WRITE = 'umask 077; f=$1; mkdir -p "${f%/*}" && cat >"$f"; exit $?'
_HASH = (
    'f=$1; [ -f "$f" ] || { echo "it is not there" >&2; exit 1; }; '
    "if command -v sha256sum >/dev/null 2>&1; then set -- sha256sum; "
    "elif command -v shasum >/dev/null 2>&1; then set -- shasum -a 256; "
    'else set -- openssl dgst -sha256 -r; fi; wc -c <"$f" && "$@" <"$f"'
)
_AWAY = "is not there: is it mounted?"
_EXISTS = f'[ -d "${{1%/*}}" ] || {{ echo "${{1%/*}} {_AWAY}" >&2; exit 1; }}; '
_MANIFESTS = (
    _EXISTS
    + '[ -e "$1" ] || exit 0; cd "$1" || exit 1; for d in [0-9]*Z; do [ -f "$d/'
    + MANIFEST
    + '" ] || continue; '
    f'printf "\\n{_MARK}%s\\n" "$d"; cat "$d/{MANIFEST}" || exit 1; done'
)
_PARTIALS = (
    _EXISTS
    + '[ -e "$1" ] || exit 0; cd "$1" || exit 1; for d in .[0-9]*Z.partial; do [ -f "$d/begun" ] || continue; '
    f'printf "\\n{_MARK}%s\\n" "$d"; cat "$d/begun" || exit 1; done'
)
_PREPARE = _EXISTS + 'umask 077; mkdir -p "$1"'
# Without its marker it would be nobody's, and stay.
_BEGIN = 'umask 077; mkdir "$1" || exit 1; printf %s "$2" >"$1/begun" && exit; rm -rf "$1"; exit 1'
_FINISH = '[ ! -e "$2" ] && rm -f "$1/begun" && sync && mv "$1" "$2" && sync'


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, by what was sent: its size in bytes and its SHA-256."""

    size: int
    sha256: str


class Store:
    """The directory of one backup's copies. Every method raises HostError.

    Args:
        transport: the connection to its host.
        device: the host's name, for messages.
        path: absolute; paths of files are below it.
    """

    def __init__(self, transport: Transport, device: str, path: str) -> None:
        self._transport = transport
        self.device = device
        self.path = path

    # ---- directories ---------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the directory, if it is not there; what is above it has to be."""
        self._run(_PREPARE, self.path, what=f"{self.path} cannot be used")

    def begin(self, stamp: str, marker: str) -> str:
        """Make the directory of a backup that is not finished; its name.

        Args:
            stamp: when it begins, as it will be called.
            marker: says whose it is, for whoever finds it unfinished.
        """
        partial = partial_name(stamp)
        self.prepare()
        self._run(_BEGIN, self._at(partial), marker, what=f"{self.path} cannot be used")
        return partial

    def finish(self, stamp: str) -> None:
        """Give the directory its name, once its manifest is there."""
        arguments = (self._at(partial_name(stamp)), self._at(stamp))
        self._run(_FINISH, *arguments, what=f"{self._at(stamp)} cannot be made")

    def manifests(self) -> dict[str, str]:
        """The manifest of each finished backup, as text, by its directory's name; oldest first."""
        return self._marked(_MANIFESTS)

    def partials(self) -> dict[str, str]:
        """The marker of each that was begun and not finished, by its directory's name."""
        return self._marked(_PARTIALS)

    def remove(self, name: str) -> None:
        """Remove the directory of one backup.

        Raises:
            ValueError: that is no name of such a directory.
        """
        if not _STAMP.fullmatch(name.removeprefix(".").removesuffix(".partial")):
            raise ValueError(f"{name} is no backup")
        self._run('rm -rf "$1"', self._at(name), what=f"{self._at(name)} cannot be removed")

    # ---- files ---------------------------------------------------------------------------

    def write(
        self, path: str, chunks: Iterable[bytes], told: Callable[[int], None] = lambda _: None
    ) -> Written:
        """Write a file as its content comes.

        Args:
            path: where.
            chunks: the content; what it raises goes through.
            told: called with the number of bytes written so far.
        """
        channel = self._transport.open(_command(_WRITE, self._at(path)))
        ended = start_thread(lambda each: each.read(), channel)  # it prints nothing while it lives
        total, size, is_whole = hashlib.sha256(), 0, True
        try:
            for chunk in chunks:
                if ended.done():  # the disk is full, for example: why read on?
                    is_whole = False
                    break
                channel.write(chunk)
                total.update(chunk)
                size += len(chunk)
                told(size)
        finally:
            with suppress(HostError):  # `wait` raises it
                channel.close_stdin()
            ended.result()
            status = channel.wait()
        if status or not is_whole:
            raise HostError(
                f"{self.device} cannot write {self._at(path)}: {_words(channel)}",
                f"is there room, and may the login write there? ssh {self.device} df -h {self.path}",
            )
        return Written(size, total.hexdigest())

    def discard(self, path: str) -> None:
        """Remove a file that is not as it should be, if it is there."""
        self._run('rm -f "$1"', self._at(path), what=f"{self._at(path)} cannot be removed")

    def digest(self, path: str) -> Written:
        """Read a file on its host, and say what it is."""
        answer = self._run(_HASH, self._at(path), what=f"{self._at(path)} cannot be read")
        size, _, rest = answer.decode("ascii", "replace").strip().partition("\n")
        found = _DIGEST.search(rest)
        if not found or not size.strip().isdigit():
            raise HostError(f"{self.device} has no program that computes SHA-256")
        return Written(int(size), found[0])

    def chunks(self, path: str) -> Generator[bytes]:
        """The content of a file."""
        return self._output('cat "$1"', self._at(path))

    def text(self, path: str) -> bytes:
        """The content of a small file."""
        return b"".join(self.chunks(path))

    def members(self, path: str, *, zipped: bool = False) -> list[str]:
        """The names in an archive, which is read to its end for that."""
        option = "-tzf" if zipped else "-tf"
        listing = b"".join(self._output(f'tar {option} "$1"', self._at(path)))
        return listing.decode("utf-8", "surrogateescape").splitlines()

    def member(self, path: str, name: str) -> bytes:
        """The content of one small file in an archive."""
        return b"".join(self._output('tar -xOf "$1" "$2"', self._at(path), name))

    def opens_holes(self) -> bool:
        """Whether its tar knows sparse files as GNU tar writes them: that of BusyBox does not."""
        return not self._transport.run(_command("tar -tf - >/dev/null"), _archive()).exit_status

    def unzips(self, path: str) -> None:
        """Read a file of gzip to its end."""
        self._run('gzip -t "$1"', self._at(path), what=f"{self._at(path)} is damaged")

    # ---- how -----------------------------------------------------------------------------

    def _at(self, path: str) -> str:
        return f"{self.path}/{path}"

    def _run(self, script: str, *arguments: str, what: str) -> bytes:
        done = self._transport.run(_command(script, *arguments))
        if not done.exit_status:
            return done.stdout
        words, above = said(done), shlex.quote(self.path.rpartition("/")[0])
        hint = f"if it is new: ssh {self.device} mkdir {above}" if _AWAY in words else None
        raise HostError(f"{self.device}: {what}: {words}", hint)

    def _output(self, script: str, path: str, *arguments: str) -> Generator[bytes]:
        channel = self._transport.open(_command(script, path, *arguments))
        yield from chunks(channel)
        if channel.wait():
            raise HostError(f"{self.device}: {path} cannot be read: {_words(channel)}")

    def _marked(self, script: str) -> dict[str, str]:
        """Texts that a script printed, each below a line with its name."""
        printed = self._run(script, self.path, what=f"{self.path} cannot be read")
        parts = printed.decode("utf-8", "surrogateescape").split(f"\n{_MARK}")
        named = (part.partition("\n") for part in parts[1:])
        return {name: text for name, _, text in named}


def partial_name(stamp: str) -> str:
    """What the directory of a backup is called until it is finished."""
    return f".{stamp}.partial"


def _archive() -> bytes:
    """A GNU tar of one sparse file, which is a hole of 512 bytes.

    https://www.gnu.org/software/tar/manual/html_node/Standard.html, `struct oldgnu_header`
    """
    member = tarfile.TarInfo("hole")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (512, 0)  # its only piece: where, how long
    header[483:495] = b"%011o\0" % 512  # its size with the hole
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def _words(channel: Channel) -> str:
    """The last line that a command has printed on stderr."""
    lines = channel.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it ended"


def _command(script: str, *arguments: str) -> str:
    return f"sh -c {shlex.quote(script)} sh {shlex.join(arguments)}"
