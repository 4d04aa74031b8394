"""A plan to be applied later, and what must be so still when it is. It holds no secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from paisctl import __version__
from paisctl.codec import encode
from paisctl.desired import HostSpec, Ignored
from paisctl.errors import PaisctlError
from paisctl.fingerprint import Fingerprint, take_fingerprint, what_moved
from paisctl.observed import HostState
from paisctl.operation import InstallFile
from paisctl.plan import HostPlan, Plan, PolicyPlan
from paisctl.proof import wanted_host
from paisctl.reconcile import Scope
from paisctl.secrets import Vault, names_in

SAVE_ANEW = "save a new plan: paisctl plan -o FILE"


@dataclass(frozen=True, slots=True)
class SavedHost:
    """One host's plan. `root` is the directory as the inventory had it, perhaps with `~/`.

    A host that the plan leaves as it is has no fingerprint. `ignored` is what the inventory left
    alone there: going back must not make it good, either.
    """

    root: str
    plan: HostPlan
    fingerprint: Fingerprint | None = None
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan, and what it was made from.

    Attributes:
        fleet: the name of the fleet.
        paisctl: the version that saved it.
        revision: the git revision of the inventory; empty when there was none.
        stacks: what the plan was limited to; empty for all stacks.
        scope: which differences it is about.
        key: keyed digest of nothing, which tells one key from another; empty without a key.
        secrets: keyed digests of the values that its stacks need, by name.
        hosts: every host of the plan, in its order.
        policy: the access policy's part; None if the plan is not about it.
    """

    fleet: str
    paisctl: str = ""
    revision: str = ""
    stacks: tuple[str, ...] = ()
    scope: Scope = Scope.ALL
    key: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[SavedHost, ...] = ()
    policy: PolicyPlan | None = None

    @property
    def plan(self) -> Plan:
        return Plan(tuple(host.plan for host in self.hosts), self.policy)

    @property
    def changing(self) -> dict[str, SavedHost]:
        """The hosts that have changes, by device."""
        return {host.plan.device: host for host in self.hosts if host.plan.changes}

    @property
    def wanted(self) -> dict[str, HostSpec]:
        """What is wanted of the hosts that have changes, as far as the plan is about them."""
        return {
            device: replace(wanted_host(host.plan, host.root), ignored=host.ignored)
            for device, host in self.changing.items()
        }

    def require_secrets(self, vault: Vault) -> None:
        """Insist on the secrets that the plan was made with.

        Raises:
            PaisctlError: one has no value here, or another one.
        """
        same_file = "apply it with the secrets file that it was made with"
        missing = vault.missing(self.secrets)
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            raise PaisctlError(
                f"the secrets file here lacks {names}, which the plan needs", same_file
            )
        if self.key and not (vault.key and self.key == vault.seal("")):
            raise PaisctlError(
                "the secrets file here has another `digest_key` than the one the plan was made with",
                f"{same_file}, or {SAVE_ANEW}",
            )
        changed = [name for name, seal in self.secrets.items() if seal != _value(vault, name)]
        if changed:
            have = "has another value" if len(changed) == 1 else "have other values"
            names = ", ".join(f"`{name}`" for name in changed)
            raise PaisctlError(f"{names} {have} now than when the plan was made", SAVE_ANEW)

    def moved(self, states: Mapping[str, HostState], vault: Vault) -> dict[str, list[str]]:
        """Which of the hosts to be changed are not as the plan found them; what of them, in words.

        Args:
            states: the hosts as they are now.
            vault: the key that the plan was made with.
        """
        found = {
            device: _moved(host, states[device], vault)
            for device, host in self.changing.items()
            if device in states
        }
        return {device: words for device, words in found.items() if words}


class Basis(Protocol):
    """What a plan was made from: what should be, what is, and the secrets (a session)."""

    @property
    def hosts(self) -> Mapping[str, HostSpec]: ...
    @property
    def states(self) -> Mapping[str, HostState]: ...
    @property
    def vault(self) -> Vault: ...


def save(
    plan: Plan,
    basis: Basis,
    *,
    fleet: str,
    revision: str = "",
    stacks: tuple[str, ...] = (),
    scope: Scope = Scope.ALL,
) -> SavedPlan:
    """What has to be known to carry a plan out later.

    Args:
        plan: the plan.
        basis: what it was made from.
        fleet: the fleet's name.
        revision: the git revision of the inventory.
        stacks: what the plan was limited to.
        scope: which differences it is about.
    """
    vault = basis.vault
    names = sorted(set(_secrets_of(plan)) & vault.values.keys())
    return SavedPlan(
        fleet,
        __version__,
        revision,
        stacks,
        scope,
        vault.seal("") if vault.key else "",
        {name: _value(vault, name) for name in names},
        tuple(_saved_host(host, basis) for host in plan.hosts),
        plan.policy,
    )


def _saved_host(plan: HostPlan, basis: Basis) -> SavedHost:
    wanted, state = basis.hosts[plan.device], basis.states[plan.device]
    fingerprint = take_fingerprint(plan, state, basis.vault) if plan.changes else None
    return SavedHost(wanted.root, plan, fingerprint, wanted.ignored)


def digest_of(plan: Plan) -> str:
    """A name for a plan: plans that say and do the same have the same."""
    text = json.dumps(encode(Plan, plan), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _secrets_of(plan: Plan) -> Iterator[str]:
    """The secrets in the files and services of a plan's stacks."""
    for stack in (stack for host in plan.hosts for stack in host.stacks):
        yield from names_in(json.dumps(json.loads(stack.entry or "null"), ensure_ascii=False))
        for operation in stack.operations:
            if isinstance(operation, InstallFile):
                yield from names_in(operation.file.content)


def _value(vault: Vault, name: str) -> str:
    """A keyed digest of a secret's value."""
    return vault.seal(f"{name}={vault.values[name]}")


def _moved(host: SavedHost, state: HostState, vault: Vault) -> list[str]:
    if state.problem:
        return [state.problem]
    if host.fingerprint is None:
        return ["nothing is known of how it was"]
    return what_moved(host.fingerprint, take_fingerprint(host.plan, state, vault))
