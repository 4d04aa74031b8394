"""A rendered Compose document against the compose-spec's own JSON Schema.

The schema comes with check-jsonschema, which vendors it from
https://github.com/compose-spec/compose-spec. What the schema allows and paisctl cannot manage (a
service without an image, a size that is none) is refused here too.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.source import Path_, Source
from paisctl.inventory.types import parse_duration, parse_size
from paisctl.resources.compose import argv

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


def check_compose(source: Source, diagnostics: Diagnostics) -> None:
    """Check a rendered document; problems are marked at its own lines."""
    document = source.data
    if not (isinstance(document, dict) and isinstance(document.get("services"), dict)):
        diagnostics.error("compose", "it has no mapping `services`", source.mark(("services",)))
        return
    for path, message in list(_schema_problems(document)) or list(_own_problems(document)):
        at_key = isinstance(_value(document, path), dict | None)
        mark = source.key_mark(path) if at_key else source.mark(path)
        diagnostics.error("compose", f"not a valid Compose file: {message}", mark)


@cache
def _validator() -> Validator:
    from jsonschema.validators import validator_for  # noqa: PLC0415 - 0.1 s that only rendering needs

    # The package's own import pulls in its command line; its data file is all that is needed.
    found = importlib.util.find_spec("check_jsonschema")
    if found is None or not found.submodule_search_locations:
        raise ImportError("check-jsonschema is not installed")
    package = Path(found.submodule_search_locations[0])
    schema = json.loads((package / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8"))
    validator: Validator = validator_for(schema)(schema)
    return validator


def _schema_problems(document: Any) -> Iterator[tuple[Path_, str]]:
    from jsonschema.exceptions import best_match, relevance  # noqa: PLC0415 - as above

    for error in sorted(_validator().iter_errors(document), key=lambda e: list(map(str, e.path))):
        deepest = best_match([error], key=relevance) or error
        path = tuple(deepest.absolute_path)
        unknown = list(_unknown_keys(deepest))
        for key in unknown:
            yield (*path, key), f"{_dotted(path)} has an unknown key `{key}`"
        # With nothing but known keys it only repeats that something is wrong inside of one.
        if not unknown and deepest.validator != "unevaluatedProperties":
            yield path, f"{_dotted(path)}: {_worded(deepest)}"


def _unknown_keys(error: ValidationError) -> Iterator[str]:
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        # The message is all that says which keys they are: `('a', 'b' were unexpected)`.
        # A key whose value is wrong counts as unexpected, too, and then so do all beside it.
        document: Any = error.instance
        known = _known_keys(error.schema)
        unexpected = (key for key in document if f"'{key}'" in error.message)
        yield from (key for key in unexpected if key not in known and key[:2] != "x-")


def _known_keys(schema: Any) -> set[str]:
    """The properties of a schema, with those of the definitions that it is put together from."""
    parts = [part["$ref"].rpartition("/")[2] for part in schema.get("allOf", [])]
    whole: Any = _validator().schema
    definitions = whole["$defs"]
    return set(schema.get("properties", {})).union(*(_known_keys(definitions[p]) for p in parts))


def _worded(error: ValidationError) -> str:
    """The validator's message without the whole value, which may be long."""
    value = error.instance
    if error.validator == "type":
        wanted = error.validator_value
        words = " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
        said = "a mapping" if isinstance(value, dict) else json.dumps(value, default=str)
        return f"must be {words}, not {said if len(said) < 60 else 'this'}"
    return str(error.message)


def _own_problems(document: Mapping[str, Any]) -> Iterator[tuple[Path_, str]]:
    for name, service in document["services"].items():
        at = ("services", name)
        if not isinstance(service.get("image"), str):
            yield at, f"service `{name}` has no `image`; paisctl builds none"
        for key, parse in _READERS.items():
            value = _value(service, key)
            try:
                if value is not None:
                    parse(value)
            except ValueError as error:
                yield (*at, *key), f"{_dotted((*at, *key))}: {error}"
        for listed, missing in (("volumes", _missing_in_volume), ("ports", _missing_in_port)):
            for position, entry in enumerate(service.get(listed) or []):
                path = (*at, listed, position)
                if message := missing(entry):
                    yield path, f"{_dotted(path)} {message}"


def _whole_number(value: Any) -> int:
    try:
        return int(value)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"`{value}` is not a whole number") from None


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"`{value}` is not a number")
    return number


_READERS: dict[tuple[str, ...], Callable[[Any], object]] = {
    ("mem_limit",): parse_size,
    ("mem_reservation",): parse_size,
    ("cpus",): _number,
    ("cpu_shares",): _whole_number,
    ("cpu_quota",): _whole_number,
    ("cpu_period",): _whole_number,
    ("pids_limit",): _whole_number,
    ("deploy", "resources", "limits", "memory"): parse_size,
    ("deploy", "resources", "limits", "cpus"): _number,
    ("deploy", "resources", "limits", "pids"): _whole_number,
    ("deploy", "resources", "reservations", "memory"): parse_size,
    ("stop_grace_period",): parse_duration,
    ("healthcheck", "interval"): parse_duration,
    ("healthcheck", "timeout"): parse_duration,
    ("healthcheck", "start_period"): parse_duration,
    ("healthcheck", "retries"): _whole_number,
    ("command",): argv,
    ("entrypoint",): argv,
}


def _value(data: Any, path: Path_) -> Any:
    for step in path:
        if isinstance(data, list) and isinstance(step, int):
            data = data[step]
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def _missing_in_volume(volume: Any) -> str | None:
    if isinstance(volume, dict):
        has_source = bool(volume.get("source")) or volume.get("type") == "tmpfs"
        has_target = bool(volume.get("target"))
    else:
        source, _, target = str(volume).partition(":")
        has_source, has_target = bool(source and target), True
    if not has_source:
        return "has no source; name a volume, so that its data can be found again"
    return None if has_target else "has no target in the container"


def _missing_in_port(port: Any) -> str | None:
    return "has no `target`" if isinstance(port, dict) and "target" not in port else None


def _dotted(path: Path_) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the document"
