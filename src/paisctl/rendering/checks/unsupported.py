"""Compose features that end up in a container as something other than what is written.

A plan compares a container with its definition. What Compose takes from elsewhere, or passes on in other
words, would differ after every apply, so it is refused; each has another way to be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.diagnostics import Diagnostics
from paisctl.rendering.checks.stack import Stack

_ONE_CONTAINER = "a service is one container per device; put the stack on more devices"
_IN_FILES = "use the stack's `files:`, or a secret in `environment`"
_ELSEWHERE = "write what it would add into the Compose template"

# https://github.com/compose-spec/compose-spec/blob/main/05-services.md
_KEYS: dict[tuple[str, ...], str] = {
    ("configs",): _IN_FILES,
    ("deploy", "replicas"): _ONE_CONTAINER,
    ("deploy", "restart_policy"): "use `restart`",
    ("env_file",): "use `environment`",
    ("extends",): _ELSEWHERE,
    ("label_file",): "use `labels`",
    ("scale",): _ONE_CONTAINER,
    ("secrets",): _IN_FILES,
    ("use_api_socket",): "mount the engine's socket under `volumes`",
    ("volumes_from",): "mount the same volumes under `volumes`",
}
_RANGE = re.compile(r"\d+-\d+")


@dataclass(frozen=True, slots=True)
class _Use:
    """A feature that is used, a text to find its line by, and what to write instead."""

    feature: str
    needle: str
    hint: str


def check_unsupported(stack: Stack, diagnostics: Diagnostics) -> None:
    """Refuse what could never be found to be as wanted."""
    uses = list(_of_document(stack.document))
    for service in stack.spec.services.values():
        uses += _of_service(service.definition)
    for use in dict.fromkeys(uses):
        diagnostics.error(
            "unsupported",
            f"{stack.title} uses {use.feature}, which paisctl cannot compare with what runs",
            stack.blame(use.needle),
            use.hint,
        )


def _of_document(document: Mapping[str, Any]) -> Iterator[_Use]:
    if "include" in document:
        yield _Use("`include`", "include:", _ELSEWHERE)
    for section in ("volumes", "networks"):
        for name, options in (document.get(section) or {}).items():
            for key in ("name", "external"):
                if (options or {}).get(key):
                    what = f"`{key}:` on {section.removesuffix('s')} `{name}`"
                    hint = f"leave it out: Compose names it after the stack, `<stack>_{name}`"
                    yield _Use(what, f"{key}:", hint)


def _of_service(definition: Mapping[str, Any]) -> Iterator[_Use]:
    for path, hint in _KEYS.items():
        value: Any = definition
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value not in ((None, 1) if hint is _ONE_CONTAINER else (None, False, [], {})):
            yield _Use(f"`{'.'.join(path)}`", path[-1], hint)
    for key in ("network_mode", "pid"):
        mode = str(definition.get(key, ""))
        if mode.startswith(("service:", "container:")):
            yield _Use(f"`{key}: {mode}`", mode, "let the services share a network, or the host's")
    for port in definition.get("ports") or []:
        numbers = str(port.get("published", "")) if isinstance(port, dict) else str(port)
        if _RANGE.search(numbers):
            yield _Use(f"the port range {numbers}", numbers, "list each port")
    for volume in definition.get("volumes") or []:
        source = str(volume.get("source", "") if isinstance(volume, dict) else volume)
        source = source.partition(":")[0]
        if source.startswith("~"):
            yield _Use(f"`~` in the mount {source}", source, "write an absolute path, or a volume")
    for option in map(str, definition.get("security_opt") or []):
        if re.match(r"seccomp[:=](?!unconfined)", option):
            yield _Use(f"the seccomp profile {option}", option, "use the engine's own profile")
