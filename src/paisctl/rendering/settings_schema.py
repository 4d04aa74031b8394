"""The JSON Schema of what an inventory may set for a stack, from its bundle."""

from __future__ import annotations

from typing import Any

from paisctl.inventory.types import DURATION_SCHEMA, SIZE_SCHEMA
from paisctl.rendering.bundle import StackBundle, Variable, VariableType
from paisctl.rendering.catalog import Catalog, Found, variables_of
from paisctl.rendering.enabled import DESCRIPTION, SETTING

_TYPES: dict[VariableType, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "size": SIZE_SCHEMA,
    "duration": DURATION_SCHEMA,
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "list": {"type": "array"},
    "mapping": {"type": "object"},
    "secret": {
        "type": "object",
        "properties": {"secret": {"type": "string", "description": "Name of the secret"}},
        "required": ["secret"],
        "additionalProperties": False,
    },
}


def stack_schemas(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """The schema of each stack's settings, by the stack's name."""
    return {name: _schema(found, catalog) for name, found in catalog.stacks.items()}


def _schema(found: Found[StackBundle], catalog: Catalog) -> dict[str, Any]:
    bundle = found.bundle
    properties = {n: _variable(v) for n, v in variables_of(found, catalog).items()}
    image = {
        "type": "object",
        "properties": {"repository": {"type": "string"}, "tag": {"type": "string"}},
        "additionalProperties": False,
    }
    properties["images"] = _object("Pins of its images", dict.fromkeys(bundle.images, image))
    ports = {n: _TYPES["port"] | {"description": p.description} for n, p in bundle.ports.items()}
    properties["ports"] = _object("Ports on the host", ports)
    flags = {"type": "object", "additionalProperties": {"type": "boolean"}}
    properties[SETTING] = {"anyOf": [{"type": "boolean"}, flags], "description": DESCRIPTION}
    return _object(bundle.description, properties)


def _object(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    schema = _TYPES[variable.type] | {"description": variable.description}
    return schema if variable.required else schema | {"default": variable.default}
