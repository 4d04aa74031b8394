"""What may be refused of grants and of the older rules."""

from __future__ import annotations

from collections.abc import Iterator

from paisctl.policy import port_syntax
from paisctl.policy.checks.names import Names
from paisctl.policy.checks.problem import Control, Path, Problem
from paisctl.policy.document import Acl, Grant, Policy
from paisctl.policy.networks import INTERNET
from paisctl.policy.selectors import SELF

# Captured as refused; other capabilities of Tailscale's own domain are for rules to give.
_RESERVED = tuple(f"tailscale.com/cap/{name}" for name in ("funnel", "ingress", "relay-target"))


def grant_problems(policy: Policy, control: Control) -> Iterator[Problem]:
    """Everything foreseen about `grants`."""
    names = Names(policy, control)
    for i, grant in enumerate(policy.grants or ()):
        path: Path = ("grants", i)
        yield from _ends(names, grant.src, grant.dst, path)
        yield from _extra(grant.extra, path, control)
        if not grant.ip and not grant.app:
            yield Problem("ip and app can not both be empty", path)
        for j, entry in enumerate(grant.ip):
            yield from _port_problem(entry, (*path, "ip", j))
        yield from _app(grant, path)
        yield from _via(names, grant, path)
        yield from names.postures(grant.posture, (*path, "srcPosture"))
        if SELF in grant.dst:
            yield from names.of_self(grant.src, (*path, "src"), may_be_any=False)


def acl_problems(policy: Policy, control: Control) -> Iterator[Problem]:
    """Everything foreseen about `acls`. For policies by others: paisctl writes grants."""
    names = Names(policy, control)
    for i, acl in enumerate(policy.acls or ()):
        path: Path = ("acls", i)
        if acl.action != "accept":
            hint = "nothing is allowed but what a rule allows: leave the rule out"
            said = f'action="{acl.action}" is not supported'
            yield Problem(said, (*path, "action"), hint if acl.action == "deny" else None)
        ends = [port_syntax.split(entry)[0] for entry in acl.dst]
        bad = [j for j, entry in enumerate(acl.dst) if _target_problem(acl, entry)]
        yield from _ends(names, acl.src, tuple(ends), path, skip=frozenset(bad))
        yield from _extra(acl.extra, path, control)
        for j in bad:
            yield Problem(_target_problem(acl, acl.dst[j]), (*path, "dst", j))
        yield from names.postures(acl.posture, (*path, "srcPosture"))
        if SELF in ends:
            yield from names.of_self(acl.src, (*path, "src"), may_be_any=True)


def _ends(
    names: Names,
    src: tuple[str, ...],
    dst: tuple[str, ...],
    path: Path,
    skip: frozenset[int] = frozenset(),
) -> Iterator[Problem]:
    for i, selector in enumerate(src):
        problem = names.problem(selector, "src", (*path, "src", i))
        if problem:
            yield problem
    for i, selector in enumerate(dst):
        problem = names.problem(selector, "dst", (*path, "dst", i))
        if problem and i not in skip:
            yield problem


def _extra(extra: object, path: Path, control: Control) -> Iterator[Problem]:
    for name in extra if isinstance(extra, dict) and control == "headscale" else ():
        yield Problem(f'unknown field: "{name}"', (*path, name))


def _port_problem(entry: str, path: Path) -> Iterator[Problem]:
    try:
        port_syntax.of_grant(entry)
    except ValueError as error:
        known = entry.isalpha() and port_syntax.is_protocol(entry)
        yield Problem(str(error), path, f'write "{entry}:*"' if known else None)


def _target_problem(acl: Acl, entry: str) -> str:
    """Why the destination of an older rule is none; `` if it is one."""
    _, ports = port_syntax.split(entry)
    try:
        port_syntax.of_rule(ports, acl.proto)
    except ValueError as error:
        return f'dst="{entry}": {error}' if str(error).startswith("port range") else str(error)
    return ""


def _app(grant: Grant, path: Path) -> Iterator[Problem]:
    for name in grant.app:
        where = (*path, "app", name)
        domain, slash, rest = name.partition("/")
        if not (domain and slash and rest) or ":" in domain:
            yield Problem("capability name must have the form {domain}/{path}", where)
        elif name in _RESERVED:
            yield Problem("capability name must not be in the tailscale.com domain", where)
    if grant.app and INTERNET in grant.dst:
        yield Problem(f"cannot use app grants with {INTERNET}", (*path, "app"))


def _via(names: Names, grant: Grant, path: Path) -> Iterator[Problem]:
    for i, tag in enumerate(grant.via):
        if not tag.startswith("tag:"):
            yield Problem("via can only be a tag", (*path, "via", i))
        elif tag not in names.policy.tag_owners:
            yield Problem(f'tag "{tag}" not found', (*path, "via", i))
