"""Who uses the platform: the people, and what each role may reach and spend."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paisctl.inventory.base import Model
from paisctl.inventory.types import Login, Name


class Limits(Model):
    """What a person may use of models and of the cloud; what a user leaves out, the role says."""

    allowed_models: list[str] | None = Field(
        None, description='Models by name; `["*"]` means all of them'
    )
    allow_cloud: bool | None = Field(None, description="Whether requests may leave for the cloud")
    cloud_budget_monthly: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Spending limit in the cloud, US dollars a month",
    )
    content_filter: Literal["off", "moderate", "strict"] | None = Field(
        None, description="How strictly questions and answers are filtered"
    )


class Role(Limits):
    """A role: what its people may reach in the tailnet, and their limits."""

    description: str = Field("", description="Who has this role")
    group: Name | None = Field(
        None, description="Its group in the access policy, without `group:`; else the role's name"
    )
    services: list[Name | Literal["*"]] = Field(
        default_factory=list,
        description="Exports of stacks and devices that it may reach; `*` means all but those that "
        "only peers may",
    )
    ssh: bool = Field(False, description="Whether it may log in to the machines")


class User(Limits):
    """A person."""

    id: Login = Field(description="Login name in the tailnet, for example `name@example.com`")
    role: Name = Field(description="One of the roles")


def limits_of(user: User, role: Role) -> Limits:
    """The limits that hold for a user: their own, and where they have none, their role's."""
    own = user.model_dump(include=set(Limits.model_fields), exclude_none=True)
    return Limits(**(role.model_dump(include=set(Limits.model_fields)) | own))


def group_of(name: str, role: Role) -> str:
    """The group of a role in the access policy, without `group:`."""
    return role.group or name
