"""What a control plane is to the rest of paisctl, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from paisctl.tailnet.hidden import Hidden


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """The policy in force.

    Attributes:
        text: HuJSON with its comments, as the control plane gives it.
        etag: names this version; without quotes.
    """

    text: str
    etag: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a control plane says of a policy that it was shown.

    Attributes:
        subject: whom it is about (the source of a test, a user); empty when it is about all.
        message: its own words.
        is_warning: whether it would take the policy nevertheless.
    """

    subject: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}" if self.subject else self.message


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that applies to whom a preview was asked for.

    Attributes:
        users: the rule's sources.
        ports: its targets with ports.
        line: where it stands in the policy, from 1; 0 when the control plane does not say.
    """

    users: tuple[str, ...]
    ports: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class TailnetDevice:
    """A machine of the tailnet.

    Attributes:
        id: stable, for `set_tags`.
        name: its name in the tailnet's DNS, without the domain.
        addresses: in the tailnet, IPv4 and IPv6.
        tags: with `tag:`; a tagged machine belongs to nobody.
        user: login of its owner; empty when it is tagged.
        aliases: other logins that policies may name its owner by.
        authorized: whether it may take part at all.
        expires: when its key does; None when it never does.
        is_foreign: shared from another tailnet.
    """

    id: str
    name: str
    addresses: tuple[str, ...]
    tags: tuple[str, ...] = ()
    user: str = ""
    aliases: tuple[str, ...] = ()
    authorized: bool = True
    expires: datetime | None = None
    client_version: str = ""
    update_available: bool = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class TailnetUser:
    """Somebody who can sign in to the tailnet.

    Attributes:
        login: as policies name them.
        aliases: other logins that policies may name them by.
        role: `owner`, `admin`, `member`, …; empty where the control plane knows no roles.
        status: `active`, `idle`, `suspended`, `needs-approval`, …; empty likewise.
        is_shared: belongs to another tailnet and only uses machines shared with them.
    """

    id: str
    login: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    role: str = ""
    status: str = ""
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class JoinKey:
    """A key that lets one machine join, pre-authorized and tagged.

    Attributes:
        id: names the key where it is no secret.
        value: for `tailscale up --auth-key`; shown once, by whoever reveals it.
        expires: until when it can be used.
    """

    id: str
    value: Hidden
    expires: datetime | None


PreviewKind = Literal["user", "ipport"]


class ControlPlane(Protocol):
    """A control plane; every method may raise TailnetError."""

    @property
    def name(self) -> str:
        """What to call it: `Tailscale`, `Headscale`."""

    @property
    def gives_what_is_in_use(self) -> bool:
        """Whether `policy` proves what is in use, even after a `set_policy` that went wrong."""

    def policy(self) -> LivePolicy:
        """The policy in force."""

    def validate(self, text: str) -> tuple[Finding, ...]:
        """What the control plane says of a policy; nothing is changed. Empty: it would take it."""

    def set_policy(self, text: str, etag: str) -> str:
        """Replace the policy, provided that it still is the one with this etag.

        Returns:
            The etag of the new policy.

        Raises:
            PolicyMoved: somebody else has changed the policy; nothing was changed.
            PolicyRefused: the control plane does not take it; nothing was changed.
            OutcomeUnknown: no answer came, and the policy could not be read to find out, or is
                still the old one but might be replaced yet; or the policy was refused, and may be
                in use nevertheless.
            TailnetError: nothing was changed.
        """

    def devices(self) -> tuple[TailnetDevice, ...]:
        """All machines, sorted by name."""

    def users(self) -> tuple[TailnetUser, ...]:
        """All people, sorted by login."""

    def set_tags(self, device_id: str, tags: Sequence[str]) -> None:
        """Give a machine these tags instead of those it has; it then belongs to nobody."""

    def make_key(self, tags: Sequence[str], description: str, expiry: int) -> JoinKey:
        """A key for one new machine, which then carries the tags.

        Args:
            tags: with `tag:`, at least one; the policy in force must know them.
            description: what the control plane's own pages show beside it.
            expiry: seconds until it must have been used.
        """

    def preview(self, text: str, kind: PreviewKind, who: str) -> tuple[Match, ...]:
        """Which rules of a policy apply to a user, or to an `address:port`; nothing is changed."""

    def close(self) -> None:
        """Close its connections."""
