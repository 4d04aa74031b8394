"""The JSON Schema of an inventory, for editors: the model, and the settings of each known stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paisctl.inventory.model import Inventory

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def inventory_schema(stacks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of an inventory file.

    Args:
        stacks: for each stack that can be used, the schema of its settings.

    Returns:
        A JSON Schema document (2020-12) in which stacks have completion and descriptions too.
    """
    schema = Inventory.model_json_schema()
    shared = {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/stack-{name}"} for name in sorted(stacks)},
        "additionalProperties": False,
    }
    for owner in (schema, schema["$defs"]["Device"]):
        description = owner["properties"]["stacks"].get("description")
        owner["properties"]["stacks"] = shared | {"description": description}
    for name, settings in sorted(stacks.items()):
        schema["$defs"][f"stack-{name}"] = {"anyOf": [dict(settings), {"type": "null"}]}
    return {"$schema": DIALECT, "title": "paisctl inventory", **_without_titles(schema)}


def _without_titles(schema: Any) -> Any:
    """Drop the class and field names that pydantic adds; editors would show them as headings."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_schema = not isinstance(schema.get("title"), dict)  # else a mapping with a key `title`
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and is_schema)
    }
