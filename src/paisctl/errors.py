"""Every exception that paisctl raises on purpose.

    PaisctlError                 has a message for a person and, where there is one, a hint
    ├── InvalidInput             the inventory or a bundle is wrong; carries diagnostics
    ├── UsageError               the command line asks for something that does not exist
    └── HostError                one host cannot be reached, read or changed; others go on
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


class HostError(PaisctlError):
    """One host cannot be reached, read or changed."""
