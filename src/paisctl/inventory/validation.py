"""From pydantic's errors to diagnostics that a person can act on."""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.leaks import is_secret_name
from paisctl.inventory.source import Path_, Source

M = TypeVar("M", bound=BaseModel)

_TYPE_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
}


def validate(model: type[M], source: Source, diagnostics: Diagnostics, at: Path_ = ()) -> M | None:
    """Check the data at `at` in a source against a model.

    Returns:
        The typed value, or None after adding a diagnostic for every problem.
    """
    data: Any = source.data
    for step in at:
        data = data[step]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if diagnostics.is_full:
                break
            _report(detail, model, source, diagnostics, at)
        return None


def _report(
    detail: ErrorDetails, model: type[BaseModel], source: Source, into: Diagnostics, at: Path_
) -> None:
    # A `[key]` step means that the key itself, not its value, is wrong.
    path: Path_ = (*at, *(step for step in detail["loc"] if step != "[key]"))
    kind = detail["type"]
    name = path[-1] if path else "the file"
    if kind == "extra_forbidden":
        known = _fields_at(model, detail["loc"][:-1])
        hint = did_you_mean(str(name), known, "keys here")
        into.error("unknown-key", f"unknown key `{name}`", source.key_mark(path), hint)
    elif kind == "missing":
        message = f"{_named(path[:-1])} lacks `{name}`" if len(path) > 1 else f"`{name}` is missing"
        into.error("missing-key", message, source.key_mark(path[:-1]), _describe(model, detail))
    elif kind in _TYPE_WORDS:
        said = "what is written" if is_secret_name(str(name)) else _said(detail["input"])
        message = f"{_named(path)} must be {_TYPE_WORDS[kind]}, not {said}"
        into.error("wrong-type", message, source.mark(path), _describe(model, detail))
    elif kind == "literal_error":
        expected = detail.get("ctx", {}).get("expected", "")
        message = f"{_named(path)} cannot be {_said(detail['input'])}"
        choices = str(expected).replace("'", "`")
        into.error("bad-value", message, source.mark(path), f"it is one of {choices}")
    else:
        message = detail["msg"].removeprefix("Value error, ")
        if kind == "string_pattern_mismatch":
            message = f"`{detail['input']}` is not a valid {_what(detail)}"
        elif kind == "too_short":
            message = f"{_named(path)} must not be empty"
        elif kind == "greater_than_equal":
            message = f"{_named(path)} must be {detail['ctx']['ge']:g} or more"
        mark = source.key_mark(path) if "[key]" in detail["loc"] else source.mark(path)
        into.error("bad-value", message, mark, _describe(model, detail))


def _named(path: Path_) -> str:
    """The last step of a path in words; people count the entries of a list from 1."""
    if not path:
        return "the file"
    last = path[-1]
    if isinstance(last, int):
        return f"entry {last + 1} of {_named(path[:-1])}"
    return f"`{last}`"


def _what(detail: ErrorDetails) -> str:
    if "[key]" in detail["loc"]:
        joint = "underscores" if "_" in str(detail.get("ctx", {}).get("pattern")) else "dashes"
        return f"name: use lower-case letters, digits and {joint}"
    return f"value for `{detail['loc'][-1]}`" if detail["loc"] else "value"


def _said(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"`{value}`"


def _describe(model: type[BaseModel], detail: ErrorDetails) -> str | None:
    owner = _model_at(model, detail["loc"][:-1])
    field = owner.model_fields.get(str(detail["loc"][-1])) if owner and detail["loc"] else None
    return f"`{detail['loc'][-1]}`: {field.description}" if field else None


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    owner = _model_at(model, loc)
    return list(owner.model_fields) if owner else []


def _model_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Follow a location through nested models and mappings of models."""
    current: Any = model
    for step in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(step))
            current = field.annotation if field else None
        elif get_origin(current) in (dict, list):
            current = get_args(current)[-1]
        current = _without_none(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _without_none(annotation: Any) -> Any:
    args = [arg for arg in get_args(annotation) if arg is not type(None)]
    is_optional = len(args) < len(get_args(annotation))
    return args[0] if is_optional and len(args) == 1 else annotation
