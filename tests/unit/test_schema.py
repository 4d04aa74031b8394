from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.schema import inventory_schema
from paisctl.inventory.source import read_yaml
from paisctl.rendering.catalog import load_catalog
from paisctl.rendering.settings_schema import stack_schemas

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return inventory_schema(stack_schemas(load_catalog([ROOT], Diagnostics())))


def errors(schema: dict[str, Any], document: Any) -> list[str]:
    found = Draft202012Validator(schema).iter_errors(document)
    return sorted(".".join(map(str, error.absolute_path)) for error in found)


def reference() -> Any:
    return read_yaml(ROOT / "inventory" / "pais.yaml", Diagnostics()).data


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_the_one_beside_the_inventory_is_current(schema: dict[str, Any]) -> None:
    """Editors read it there: the first line of the inventory names it. `make docs` writes it."""
    assert json.loads((ROOT / "inventory" / "pais.schema.json").read_text("utf-8")) == schema


def test_the_reference_inventory_meets_it(schema: dict[str, Any]) -> None:
    assert errors(schema, reference()) == []


def test_a_setting_that_a_stack_does_not_have_is_refused(schema: dict[str, Any]) -> None:
    document = reference()
    document["stacks"]["qdrant"]["memroy"] = "4g"
    assert errors(schema, document) == ["stacks.qdrant"]


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    for name, definition in {"": schema, **schema["$defs"]}.items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
