"""Every exception that paisctl raises on purpose.

PaisctlError                 has a message for a person and, where there is one, a hint
├── InvalidInput             the inventory or a bundle is wrong; carries diagnostics
├── UsageError               the command line asks for something that does not exist
├── CannotEdit               a file cannot be changed in place; the hint says what to write by hand
├── BadPolicy                a text is no tailnet policy, or one that no control plane takes
├── TailnetError             the tailnet's control plane cannot be asked, or will not do it
│   ├── ControlUnreachable   no answer that is one: no connection, too slow, overloaded, down
│   ├── CredentialsRefused   it does not know who we are, or does not let us
│   ├── PolicyRefused        it does not take the policy; carries what it says
│   ├── PolicyMoved          somebody else has changed the policy in the meantime
│   └── OutcomeUnknown       whether it did what it was asked to is not known
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


class CannotEdit(PaisctlError):
    """A change of a file that a person wrote cannot be made without rewriting the rest of it."""


class BadPolicy(PaisctlError):
    """A text is no tailnet policy, or a rule in one means nothing."""


class TailnetError(PaisctlError):
    """The tailnet's control plane cannot be asked, or does not do what it is asked."""


class ControlUnreachable(TailnetError):
    """No answer came, or none of the control plane's; nothing was changed."""


class CredentialsRefused(TailnetError):
    """The credential is missing, unknown, expired, or does not allow this."""


class PolicyRefused(TailnetError):
    """The control plane does not take the policy; `problems` are its own words, one each."""

    def __init__(self, message: str, problems: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.problems = problems


class PolicyMoved(TailnetError):
    """Somebody else has changed the policy since it was read."""

    def __init__(
        self,
        message: str = "somebody else has changed the policy in the meantime",
        hint: str = "look at what changed: paisctl acl plan",
    ) -> None:
        super().__init__(message, hint)


class OutcomeUnknown(TailnetError):
    """A request was sent and no answer came: it may have been carried out, or may be yet."""


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
