"""Reading request bodies: what Qdrant would refuse is refused, and so is what is not simulated."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from qdrant_standin.metadata import Collection, RefusedError
from qdrant_standin.settings import Settings
from qdrant_standin.shards import Point, PointId

T = TypeVar("T")

DISTANCES = {"Cosine", "Euclid", "Dot", "Manhattan"}
NAME = re.compile(r'(?!\.{1,2}$)[^<>:"/\\|?*\x00-\x1f]{1,255}')
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


PARAMETERS = ("replication_factor", "write_consistency_factor")


def check_collection_name(name: str) -> None:
    """Raises `RefusedError` for what cannot be the name of a collection."""
    if NAME.fullmatch(name) is None:
        raise RefusedError(422, f"Validation error in path parameters: collection_name {name!r}")


def new_collection(name: str, body: Any, settings: Settings) -> dict[str, Any]:
    """A collection's wanted configuration, with this node's defaults; raises `RefusedError`."""
    check_collection_name(name)
    vectors = body.get("vectors", {})
    for parameters in vector_parameters(vectors).values():
        size, distance = parameters.get("size"), parameters.get("distance")
        if not isinstance(size, int) or size < 1 or distance not in DISTANCES:
            raise RefusedError(400, f"Format error in JSON body: vector parameters {parameters}")
    return {
        "vectors": vectors,
        "shard_number": _count(body, "shard_number", None),
        "replication_factor": _count(body, "replication_factor", settings.replication_factor),
        "write_consistency_factor": _count(
            body, "write_consistency_factor", settings.write_consistency_factor
        ),
    }


def changed_parameters(body: Any) -> dict[str, int]:
    """What a PATCH of a collection changes; raises `RefusedError` for what is not simulated."""
    parameters = body.get("params") or {}
    unknown = {*body, *parameters} - {"params", *PARAMETERS}
    if unknown:
        raise RefusedError(
            400, f"Bad request: the stand-in changes {PARAMETERS}, not {sorted(unknown)}"
        )
    return {name: positive(parameters, name, 1) for name in PARAMETERS if parameters.get(name)}


def field(body: Any, name: str, kind: type[T]) -> T:
    """The value of a field that must be there and of that kind; raises `RefusedError`."""
    value = body.get(name)
    if not isinstance(value, kind):
        raise RefusedError(400, f"Format error in JSON body: missing field `{name}`")
    return value


def vector_parameters(vectors: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Parameters by vector name; the single unnamed vector has the empty name."""
    return {"": vectors} if isinstance(vectors.get("size"), int) else vectors


def points_to_store(body: Any, collection: Collection) -> list[Point]:
    """The points of an upsert; raises `RefusedError` for ids or vectors that do not fit."""
    if "points" not in body:
        raise RefusedError(
            400, "Bad request: the stand-in stores points given as a list of `points`"
        )
    return [_point(point, vector_parameters(collection["vectors"])) for point in body["points"]]


def without_filter(body: Any) -> Any:
    """`body`, unless it filters: answering all points then would be a wrong answer."""
    if body.get("filter"):
        raise RefusedError(400, "Bad request: the stand-in does not filter")
    return body


def point_id(value: object) -> PointId:
    """A point id, which is a number or a UUID; raises `RefusedError`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and UUID.fullmatch(value):
        return value.lower()
    raise RefusedError(
        400,
        f"Format error in JSON body: value {value} is not a valid point ID, "
        "valid values are either an unsigned integer or a UUID",
    )


def positive(body: Any, field: str, default: int) -> int:
    """A whole number from 1 up; raises `RefusedError`."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or value < 1:
        raise RefusedError(422, f"Validation error in JSON body: [{field}: value {value} invalid]")
    return value


def _count(body: Any, field: str, default: int | None) -> int | None:
    return default if body.get(field) is None else positive(body, field, 1)


def _point(point: Any, parameters: dict[str, dict[str, Any]]) -> Point:
    vector = point.get("vector", {})
    named = vector if isinstance(vector, dict) else {"": vector}
    for name, values in named.items():
        if name not in parameters:
            raise RefusedError(400, f"Wrong input: Not existing vector name error: {name}")
        expected = parameters[name]["size"]
        if len(values) != expected:
            raise RefusedError(
                400,
                f"Wrong input: Vector dimension error: expected dim: {expected}, got {len(values)}",
            )
    return {"id": point_id(point["id"]), "vector": vector, "payload": point.get("payload")}
