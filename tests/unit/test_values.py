"""Values of settings, as templates see them."""

from __future__ import annotations

from typing import Any

import pytest

from paisctl.inventory.types import parse_duration, parse_size
from paisctl.rendering.bundle import Variable
from paisctl.rendering.values import coerce
from paisctl.secrets import token


def variable(kind: str) -> Variable:
    return Variable.model_validate({"type": kind, "description": "Test"})


@pytest.mark.parametrize(
    ("kind", "said", "seen"),
    [
        ("mapping", {"A": {"secret": "key"}, "B": 1}, {"A": token("key"), "B": 1}),
        ("mapping", {"A": {"B": [{"secret": "key"}]}}, {"A": {"B": [token("key")]}}),
        ("list", ["x", {"secret": "key"}], ["x", token("key")]),
        ("mapping", {"secret": "key"}, {"secret": "key"}),  # a variable that is called so
    ],
)
def test_secrets_in_lists_and_mappings_are_tokens(kind: str, said: Any, seen: Any) -> None:
    assert coerce(variable(kind), said, ["key"]) == seen


def test_an_unknown_secret_in_a_mapping_is_named() -> None:
    with pytest.raises(ValueError, match="unknown secret `kye`; did you mean `key`"):
        coerce(variable("mapping"), {"A": {"secret": "kye"}}, ["key"])


@pytest.mark.parametrize(
    "value", ["9" * 400, "9" * 400 + "g", "9" * 30, "8388608t", 2**63, "0", "0.1"]
)
def test_sizes_that_nobody_can_count(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(value)


@pytest.mark.parametrize("value", ["9" * 400 + "s", "9999999h", "1h" * 3_000_000])
def test_durations_that_nobody_can_count(value: str) -> None:
    with pytest.raises(ValueError, match="longer than Docker can count"):
        parse_duration(value)
