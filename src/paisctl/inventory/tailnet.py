"""The private network all devices share: who controls it, and rules that are written by hand."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from paisctl.inventory.base import Model
from paisctl.inventory.types import Duration, Name, parse_duration


class SecretName(Model):
    """A secret of the inventory."""

    secret: str = Field(description="Its name under `secrets:`")


class Api(Model):
    """How to sign in to the control plane; environment variables win over it."""

    token: SecretName | None = Field(None, description="An API access token, as `{secret: NAME}`")
    client_id: str | None = Field(None, description="The id of an OAuth client")
    client_secret: SecretName | None = Field(
        None, description="The secret of the OAuth client, as `{secret: NAME}`"
    )

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("an OAuth client is a `client_id` and a `client_secret`")
        if self.token and self.client_id:
            raise ValueError("give either a `token` or an OAuth client")
        return self


class Reasoned(Model):
    """A rule that somebody wrote by hand, and why."""

    reason: str = Field(description="Why it is there; the policy repeats it")

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: str) -> str:
        if not reason.strip() or not reason.isprintable():
            raise ValueError("`reason` says on one line why the rule is there")
        return reason


class HandGrant(Reasoned):
    """A rule beside those that are derived.

    Selectors are those of the policy language (`autogroup:member`, `group:admins`, a login, an
    address, an alias of `hosts`), and names of the inventory: a device, or `tag:NAME` for all
    devices that carry the tag.
    """

    src: list[str] = Field(min_length=1, description="Who may")
    dst: list[str] = Field(min_length=1, description="What they reach")
    ip: list[str] = Field(
        default_factory=list, description="Ports: `*`, `443`, `tcp:8000-8100`, `icmp:*`"
    )
    app: dict[str, Any] = Field(
        default_factory=dict, description="Application capabilities, as Tailscale defines them"
    )
    via: list[str] = Field(default_factory=list, description="Routers or exit nodes to go through")
    src_posture: list[str] = Field(
        default_factory=list, description="Device postures that the source must meet"
    )


class SshRule(Reasoned):
    """Who may log in by Tailscale SSH, which each host has to enable (`tailscale set --ssh`)."""

    action: Literal["accept", "check"] = Field(
        "accept", description="`check` asks to sign in again"
    )
    src: list[str] = Field(min_length=1, description="Who may; as in `grants`")
    dst: list[str] = Field(min_length=1, description="Where; as in `grants`")
    users: list[str] = Field(
        min_length=1, description="As whom: login names of the host, `root`, `autogroup:nonroot`"
    )
    check_period: Duration | None = Field(
        None, description="How long a check lasts, 1m to 168h; Tailscale's default is 12h"
    )

    @field_validator("check_period")
    @classmethod
    def _lasts(cls, period: str | None) -> str | None:
        if period is not None and not 60 <= parse_duration(period) <= 168 * 3600:
            raise ValueError("`check_period` is from 1m to 168h")
        return period


class ForeignTag(Model):
    """A tag of machines that are not in the inventory."""

    description: str = Field(description="Which machines carry it")
    owners: list[str] | None = Field(
        None, description="Who may give it to a machine; the tailnet's admins if left out"
    )


class Switch(Model):
    """The dead-man's switch: after a new policy all hosts are logged in to anew."""

    settle: Duration = Field(
        "10s", description="How long the new policy may take until it holds everywhere"
    )
    limit: Duration = Field(
        "1m", description="A host that cannot be reached for so long brings the old policy back"
    )


class Tailnet(Model):
    """The tailnet."""

    dns_name: str = Field(
        pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$",
        description="The tailnet's DNS name, for example `tail1234.ts.net`",
    )
    control: Literal["tailscale", "headscale"] = Field(
        "tailscale", description="Whose control plane it is"
    )
    url: str | None = Field(
        None, description="Address of the control plane's API; Headscale has no other way to know"
    )
    api: Api = Field(
        default_factory=lambda: Api.model_validate({}), description="How to sign in to it"
    )
    policy: bool = Field(
        True, description="Whether `plan` and `apply` look after the access policy, too"
    )
    deployers: list[str] = Field(
        default_factory=list,
        description="Tags of machines that run paisctl without a person, as CI: they may log in to "
        "the hosts and reach what paisctl itself talks to",
    )
    tags: dict[Name, ForeignTag] = Field(
        default_factory=dict, description="Tags of machines that are not in the inventory"
    )
    hosts: dict[Name, str] = Field(
        default_factory=dict, description="Names for addresses and networks, for use in rules"
    )
    grants: list[HandGrant] = Field(
        default_factory=list, description="Rules beside those derived from stacks and roles"
    )
    ssh: list[SshRule] = Field(default_factory=list, description="Rules of Tailscale SSH")
    sections: dict[str, Any] = Field(
        default_factory=dict,
        description="Other sections of the policy, as they are: `nodeAttrs`, `autoApprovers`, …",
    )
    switch: Switch = Field(
        default_factory=lambda: Switch.model_validate({}),
        description="How a new policy is proven not to lock anybody out",
    )

    @model_validator(mode="after")
    def _is_found(self) -> Self:
        if self.control == "headscale" and not self.url:
            raise ValueError("`control: headscale` needs the `url` of its API")
        return self
