"""A rendered Compose template to the Compose files that a host gets.

- `name:` and paisctl's labels are added, and `extra_hosts` for connections that ask for them.
- A literal `$` stays one: Compose's own interpolation is never used, so `$` is written `$$`.
- An environment value with a secret moves to `compose.override.yaml`, mode 0600, which Compose
  merges by itself (https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/), also
  when a person types `docker compose` in that directory.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import yaml

from paisctl.resources.compose import LABEL_DIGEST, LABEL_STACK, ServiceSpec, as_mapping
from paisctl.resources.file import FileSpec
from paisctl.secrets import has_token, quoted

COMPOSE_FILE = "compose.yaml"
OVERRIDE_FILE = "compose.override.yaml"


def complete(document: Mapping[str, Any], hosts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services of a rendered document, with the names of other devices they need.

    Args:
        document: the parsed Compose template.
        hosts: names and addresses of devices that its containers know by name.
    """
    services: dict[str, dict[str, Any]] = {}
    for name, definition in document["services"].items():
        service = copy.deepcopy(definition)
        if hosts and service.get("network_mode") != "host":
            known = service.get("extra_hosts") or []
            if isinstance(known, dict):
                known = [f"{host}:{address}" for host, address in known.items()]
            service["extra_hosts"] = [*known, *(f"{n}:{a}" for n, a in sorted(hosts.items()))]
        if "environment" in service:
            service["environment"] = as_mapping(service["environment"])
        services[name] = service
    return services


def compose_files(
    stack: str, document: Mapping[str, Any], services: Mapping[str, ServiceSpec]
) -> list[FileSpec]:
    """The Compose file of a stack, and the override with its secrets if it has any."""
    public: dict[str, Any] = {}
    private: dict[str, Any] = {}
    for name, service in services.items():
        definition = dict(service.definition)
        environment = dict(definition.get("environment", {}))
        hidden = {k: v for k, v in environment.items() if has_token(v)}
        if hidden:
            private[name] = {"environment": {k: _Quoted(v) for k, v in hidden.items()}}
            definition["environment"] = {k: environment[k] for k in environment.keys() - hidden}
        labels = as_mapping(definition.get("labels"))
        labels |= {LABEL_STACK: stack, LABEL_DIGEST: service.digest}
        public[name] = definition | {"labels": labels}
    rest = {k: v for k, v in document.items() if k not in ("name", "services", "version")}
    heading = f"# Written by paisctl for the stack `{stack}`. Edits here are drift.\n"
    whole = {"name": stack, "services": public, **rest}
    files = [FileSpec(COMPOSE_FILE, heading + _dump(whole))]
    if private:
        text = quoted(_dump({"services": private}), "compose")
        files.append(FileSpec(OVERRIDE_FILE, heading + text, "0600"))
    return files


class _Quoted(str):
    """A text that stands between double quotes in YAML, whatever it looks like."""

    __slots__ = ()


class _Dumper(yaml.CSafeDumper):
    """Compose files as people write them."""


_Dumper.add_representer(
    _Quoted,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'),
)


# Compose's parser takes more texts for numbers and dates than PyYAML, which leaves them unquoted
# (go-yaml, resolve.go: `0o17`, `1e3`, `2006-1-2`).
_NUMBER = re.compile(
    r"[-+]?(0[box][0-9a-fA-F_]*|([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9_]+)?)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="'" if _NUMBER.fullmatch(text) else None
    ),
)


def _dump(document: Any) -> str:
    text: str = yaml.dump(
        _escape(document),
        Dumper=_Dumper,
        sort_keys=True,
        allow_unicode=True,
        default_flow_style=False,
        width=1000,
    )
    return text


def _escape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, str):
        return type(value)(value.replace("$", "$$"))
    # A subclass of int (a size) is written as text, in the unit it was given.
    return value if type(value) in (int, float, bool, type(None)) else str(value)
