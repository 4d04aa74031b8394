"""A tailnet policy as frozen data, and its one JSON form.

The sections are those of Tailscale's "Syntax reference for the tailnet policy file". What this
package has no use for is kept as it was written (`others`, `extra`), so that nothing of a policy is
lost by reading it, and a digest sees every change of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule: whatever is in `src` reaches whatever is in `dst`.

    `ip` are ports and protocols, `app` capabilities of applications; one of them is needed. `via`
    are the tags of the routers to go through, `posture` is `srcPosture`.
    """

    src: tuple[str, ...]
    dst: tuple[str, ...]
    ip: tuple[str, ...] = ()
    app: Mapping[str, Any] = field(default_factory=dict)
    via: tuple[str, ...] = ()
    posture: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {"src": list(self.src), "dst": list(self.dst)} | _filled(
            ip=self.ip, app=self.app, via=self.via, srcPosture=self.posture, **self.extra
        )


@dataclass(frozen=True, slots=True)
class Acl:
    """A rule of the older kind; `dst` are selectors with ports, as `tag:web:80,443`."""

    src: tuple[str, ...]
    dst: tuple[str, ...]
    proto: str = ""
    posture: tuple[str, ...] = ()
    action: str = "accept"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        ends = {"src": list(self.src), "dst": list(self.dst)}
        more = _filled(proto=self.proto, srcPosture=self.posture, **self.extra)
        return _filled(action=self.action) | ends | more


@dataclass(frozen=True, slots=True)
class Test:
    """What the control plane checks before it takes a policy: `src` reaches, or does not.

    Targets are a selector and one port, as `tag:web:443`. `attributes` is `srcPostureAttrs`, what
    the source's posture is taken to be.
    """

    __test__ = False  # pytest takes what is named so for one of its own

    src: str
    accept: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    proto: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {"src": self.src} | _filled(
            proto=self.proto,
            accept=self.accept,
            deny=self.deny,
            srcPostureAttrs=self.attributes,
            **self.extra,
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy.

    Without `grants` and without `acls` everybody reaches everything; with either, even an empty
    one, only what a rule allows [Headscale docs, Policy: "Allow All", "Deny All"].
    """

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    tag_owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grants: tuple[Grant, ...] | None = None
    acls: tuple[Acl, ...] | None = None
    ssh: tuple[Mapping[str, Any], ...] = ()
    tests: tuple[Test, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)


def document(policy: Policy) -> dict[str, Any]:
    """What `json.dumps` takes, keys in a fixed order, without sections that are empty.

    An empty list of rules stays: it means that nothing is allowed.
    """
    rules = {
        name: [rule.document() for rule in given]
        for name, given in (("grants", policy.grants), ("acls", policy.acls))
        if given is not None
    }
    return {
        **_filled(groups=policy.groups, hosts=policy.hosts, tagOwners=policy.tag_owners),
        **rules,
        **_filled(ssh=policy.ssh),
        **{name: _plain(policy.others[name]) for name in sorted(policy.others)},
        **_filled(tests=tuple(test.document() for test in policy.tests)),
    }


def canonical(policy: Policy) -> str:
    """The policy as compact JSON with sorted keys: equal for equal policies."""
    return json.dumps(
        document(policy), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(policy: Policy) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(policy).encode(errors="surrogatepass")).hexdigest()


def _filled(**values: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
