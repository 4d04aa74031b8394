"""What differs between the policy languages of the two control planes, and their words for it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.controlplane.selectors import ROLES


class Refused(Exception):
    """The control plane does not take a policy. `data` is what its answer carries beside."""

    def __init__(self, message: str, data: tuple[dict[str, object], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Dialect:
    """One control plane's policy language.

    `tests_need_devices`: a test whose source or target has no device fails (headscale,
    hscontrol/policy/v2/test.go); Tailscale judges people and tags that have none yet.
    """

    name: str
    sections: frozenset[str]
    source_autogroups: frozenset[str]
    target_autogroups: frozenset[str]
    unknown_field: str
    unknown_group: str
    unknown_host: str
    tests_need_devices: bool
    postures: bool


COMMON = frozenset(
    {
        "acls",
        "autoApprovers",
        "grants",
        "groups",
        "hosts",
        "nodeAttrs",
        "randomizeClientPort",
        "ssh",
        "sshTests",
        "tagOwners",
        "tests",
    }
)
_ROLES = frozenset(f"autogroup:{role}" for role in ROLES)
_MEMBERS = frozenset({"autogroup:member", "autogroup:members", "autogroup:tagged"})

# Sections: "Syntax reference for the tailnet policy file". The texts for unknown fields, groups and
# hosts were not captured from the control plane: they follow its captured texts for tags and targets.
TAILSCALE = Dialect(
    name="tailscale",
    sections=COMMON
    | {"derpMap", "disableIPv4", "ipsets", "OneCGNATRoute", "postures", "defaultSrcPosture"},
    source_autogroups=_ROLES | _MEMBERS | {"autogroup:shared", "autogroup:danger-all"},
    target_autogroups=_ROLES | _MEMBERS | {"autogroup:self", "autogroup:internet"},
    unknown_field='json: unknown field "{}"',
    unknown_group='group not found: "{}"',
    unknown_host='"{}": invalid address',
    tests_need_devices=False,
    postures=True,
)

# headscale v0.29, hscontrol/policy/v2/types.go.
HEADSCALE = Dialect(
    name="headscale",
    sections=COMMON,
    source_autogroups=frozenset({"autogroup:member", "autogroup:tagged", "autogroup:danger-all"}),
    target_autogroups=frozenset(
        {"autogroup:internet", "autogroup:member", "autogroup:tagged", "autogroup:self"}
    ),
    unknown_field='unknown field: "{}"',
    unknown_group='group not defined in policy: "{}"',
    unknown_host='host not defined in policy: "{}"',
    tests_need_devices=True,
    postures=False,
)
