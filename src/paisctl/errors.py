"""Every exception that paisctl raises on purpose.

PaisctlError                 has a message for a person and, where there is one, a hint
├── InvalidInput             the inventory or a bundle is wrong; carries diagnostics
├── UsageError               the command line asks for something that does not exist
├── BadPolicy                a text is no tailnet policy, or one that no control plane takes
└── HostError                one host cannot be reached, read or changed; others go on
    ├── HostUnreachable      no connection: wrong name, nothing listens, no route, too slow
    ├── HostKeyUnknown       strict host keys: nothing is known about the host
    ├── HostKeyChanged       strict host keys: it is known by another key
    ├── AuthenticationRefused    the host does not accept who we are
    ├── ConnectionLost       the connection broke while a command ran
    ├── HostBusy             somebody else is changing the host
    │   └── HostOvertaken    somebody else has changed it since the plan was made
    └── UnexpectedAnswer     the host answered with something that cannot be understood
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paisctl.diagnostics import Diagnostics


class PaisctlError(Exception):
    """A failure with an answer.

    Args:
        message: what happened, one sentence, no trailing full stop.
        hint: the next thing to do or type, if there is one.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(PaisctlError):
    """The inventory, a bundle or a template has problems; `diagnostics` lists them all."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__(diagnostics.summary())
        self.diagnostics = diagnostics


class UsageError(PaisctlError):
    """The command line names a device, stack or file that does not exist."""


class BadPolicy(PaisctlError):
    """A text is no tailnet policy, or a rule in one means nothing."""


class HostError(PaisctlError):
    """One host cannot be reached, read or changed."""


class HostUnreachable(HostError):
    """No connection to the host could be made."""


class HostKeyUnknown(HostError):
    """The host's key is neither in known_hosts nor pinned."""


class HostKeyChanged(HostError):
    """The host is known by another key than the one it offers."""


class AuthenticationRefused(HostError):
    """The host does not accept any of our keys for this user."""


class ConnectionLost(HostError):
    """The connection broke while a command ran; the command may have gone on."""


class HostBusy(HostError):
    """Somebody else is changing the host."""


class HostOvertaken(HostBusy):
    """Somebody else has changed the host since the plan was made."""


class UnexpectedAnswer(HostError):
    """The host's answer is cut off, or not what was asked for."""
