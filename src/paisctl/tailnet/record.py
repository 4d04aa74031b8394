"""What is kept of a change of the policy while it lasts, for whoever comes after a crash.

Two files: the policy as it was, and what was about to be done. Neither holds a credential. They are
private all the same: a policy tells who may reach what.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from paisctl.errors import PaisctlError
from paisctl.private_file import sync_folder, write_private

_FORMAT = 1
_POLICY, _CHANGE = "policy-before.hujson", "change.json"


class State(Enum):
    """How far a change has come, as far as its record knows."""

    SETTING = "setting"  # the new policy may be in force, or not
    SET = "set"  # it is, and not every host has been reached since
    GOING_BACK = "going back"  # the old one may be in force again, or not


@dataclass(frozen=True, slots=True)
class Started:
    """A change of the policy that was begun.

    Attributes:
        control: the control plane's name.
        since: when it was begun, RFC 3339 in UTC.
        who: began it, as `user@machine`.
        before: the old policy's text, as the control plane gave it.
        etag_before: the old policy's.
        etag_after: the new policy's; empty until the control plane has told it.
        fingerprint: of the new policy.
        hosts: those that could be reached under the old policy.
        state: how far it came.
    """

    control: str
    since: str
    who: str
    before: str
    etag_before: str
    etag_after: str
    fingerprint: str
    hosts: tuple[str, ...]
    state: State


class Record:
    """The record of the change that is under way, if one is.

    Args:
        folder: where it is kept; made if need be, and closed to others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> Started | None:
        """The change that was begun and not ended; None when there is none.

        Raises:
            PaisctlError: the files are damaged.
        """
        try:
            data = json.loads((self.folder / _CHANGE).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise self._damaged() from None
        try:
            before = (self.folder / _POLICY).read_bytes().decode()
            return _started(data, before)
        except (OSError, ValueError, KeyError, TypeError):
            raise self._damaged() from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one on this machine who changes the policy; ends with the process, too.

        Raises:
            PaisctlError: somebody else is doing it.
            OSError: the folder cannot be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def begin(
        self, control: str, before: str, etag: str, fingerprint: str, hosts: tuple[str, ...]
    ) -> Started:
        """Keep the old policy, before the new one is set. Only while `alone`.

        Raises:
            OSError: it cannot be kept.
        """
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        started = Started(control, since, who, before, etag, "", fingerprint, hosts, State.SETTING)
        write_private(self.folder / _POLICY, before.encode())
        write_private(self.folder / _CHANGE, _bytes(started))
        return started

    def advance(self, started: Started, state: State, etag_after: str | None = None) -> Started:
        """Keep how far the change has come."""
        etag = started.etag_after if etag_after is None else etag_after
        started = replace(started, state=state, etag_after=etag)
        write_private(self.folder / _CHANGE, _bytes(started))
        return started

    def remove(self) -> None:
        """Forget the change: it is certain which policy is in force, and that it is wanted."""
        (self.folder / _CHANGE).unlink(missing_ok=True)
        sync_folder(self.folder)  # first of all, so that no record is left that has lost its policy
        (self.folder / _POLICY).unlink(missing_ok=True)

    def unfinished(self) -> PaisctlError:
        """What to say to whoever wants to begin a change while another waits to be ended."""
        hint = "`paisctl acl finish` ends it, `paisctl acl back` brings the old policy back"
        return PaisctlError("an earlier change of the policy has not been ended", hint)

    def _damaged(self) -> PaisctlError:
        message = f"the record of a change of the policy, {self.folder / _CHANGE}, is damaged"
        hint = f"the old policy may be in {self.folder / _POLICY}; look, then remove {_CHANGE}"
        return PaisctlError(message, hint)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = "another paisctl is changing the policy at this moment"
        raise PaisctlError(message, "wait until it has ended") from None


def _bytes(started: Started) -> bytes:
    data = {"format": _FORMAT, **asdict(started), "state": started.state.value}
    del data["before"]  # in a file of its own, which a person can put into the admin console
    return json.dumps(data, indent=2).encode() + b"\n"


def _started(data: Mapping[str, Any], before: str) -> Started:
    if data["format"] != _FORMAT:
        raise ValueError("a record of another paisctl")
    texts = {
        name: str(data[name])
        for name in ("control", "since", "who", "etag_before", "etag_after", "fingerprint")
    }
    hosts = tuple(str(host) for host in data["hosts"])
    return Started(before=before, hosts=hosts, state=State(data["state"]), **texts)
