"""`localhost` in a container means the container, never the host or another service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from paisctl.diagnostics import Diagnostics
from paisctl.rendering.checks.stack import COMMENT, Stack
from paisctl.rendering.graph import Graph
from paisctl.resources.compose import ServiceSpec, argv, as_mapping

_LOCAL = re.compile(
    r"(?<![\w.-])(?P<host>localhost|127\.0\.0\.1|\[::1\]):(?P<port>[0-9]{1,5})(?![0-9])"
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^\s@/]*@)?$")
_LISTENS = re.compile(r"\b(?:bind|listen|server-address)", re.IGNORECASE)
_BEFORE = 300  # characters that are looked at in front of a host: a line may have millions


@dataclass(frozen=True, slots=True)
class _Use:
    """A mention of localhost with a port: in what, the text itself, whether it is a URL."""

    where: str
    text: str
    port: int
    is_url: bool


def check_localhost(stack: Stack, graph: Graph, diagnostics: Diagnostics) -> None:
    """Report URLs to localhost that mean another service; a container may talk to itself."""
    for service in stack.spec.services.values():
        if service.definition.get("network_mode"):
            continue  # it shares the network of the host or of another container
        own = _own_ports(stack, service.name)
        for use in _uses(stack, service):
            if use.port in own:
                continue
            owners = _owners(stack, graph, use.port)
            if not (owners or use.is_url):
                continue
            diagnostics.error(
                "localhost",
                f"{use.where} says {use.text}, but in a container localhost is that container",
                stack.blame(use.text) or stack.instance.mark,
                owners or "name the other service, or connect to an export of its stack",
            )


def _own_ports(stack: Stack, service: str) -> set[int]:
    declared = {p.container for p in stack.instance.ports.values() if p.service == service}
    definition = stack.spec.services[service].definition
    exposed = {
        int(text) for port in definition.get("expose") or [] if (text := str(port)).isdecimal()
    }
    return declared | exposed


def _owners(stack: Stack, graph: Graph, port: int) -> str | None:
    """What listens on a port, as a hint; None when nothing known does."""
    for service in stack.spec.services:
        if port in _own_ports(stack, service):
            return f"for the service `{service}` of the same stack write {service}:{port}"
    for other in graph.instances.values():
        for name, theirs in other.ports.items():
            if port not in (theirs.container, theirs.published):
                continue
            export = next((e for e, p in other.stack.bundle.exports.items() if p == name), None)
            hint = f"`{other.name}` on {other.device.name} listens there, at {theirs.url}"
            if export is None:
                return hint
            declared = {connect.export for connect in stack.instance.stack.bundle.connects}
            if export in declared:
                return f"{hint}; templates find it by `endpoints('{export}')`"
            return (
                f"{hint}; with `export: {export}` under `connects:` of the bundle, templates find it "
                f"by `endpoints('{export}')`"
            )
    return None


def _uses(stack: Stack, service: ServiceSpec) -> Iterator[_Use]:
    for key, value in as_mapping(service.definition.get("environment")).items():
        yield from _found(f"{stack.title}: environment {key}", value, key)
    for part in ("command", "entrypoint"):
        words = argv(service.definition.get(part)) or []
        for before, word in zip(["", *words], words, strict=False):
            yield from _found(f"{stack.title}: {part}", word, before)
    if service.name == next(iter(stack.spec.services)):
        yield from _in_files(stack)


def _in_files(stack: Stack) -> Iterator[_Use]:
    """Uses in config files, once per stack; a file belongs to the service it is read by."""
    ports: dict[Any, set[int]] = {n: _own_ports(stack, n) for n in stack.spec.services}
    everyone = set().union(*ports.values())
    for file in stack.spec.files.values():
        if file.path in ("compose.yaml", "compose.override.yaml"):
            continue
        own = ports.get(file.service, everyone)
        for line in file.content.splitlines():
            if not COMMENT.match(line):
                yield from (
                    u for u in _found(f"{stack.title}: {file.path}", line) if u.port not in own
                )


def _found(where: str, text: str, before: str = "") -> Iterator[_Use]:
    for match in _LOCAL.finditer(text):
        said = text[max(0, match.start() - _BEFORE) : match.start()]
        if not _LISTENS.search(before + said):
            is_url = _SCHEME.search(said) is not None
            yield _Use(where, f"{match['host']}:{match['port']}", int(match["port"]), is_url)
