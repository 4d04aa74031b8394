"""The shapes of the answers of Qdrant's REST API, as JSON Schemas.

Written down from Qdrant's OpenAPI document (docs/redoc/master/openapi.json at v1.19.0): the fields that it
lists, which of them are required, their types and their enumerations. No object may have a field that
the document does not list.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema

Schema = dict[str, Any]

INTEGER: Schema = {"type": "integer"}
NATURAL: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    """An object with whatever keys, whose values have one shape."""
    return {"type": "object", "additionalProperties": values}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


POINT_ID = any_of(NATURAL, {"type": "string", "pattern": r"^[0-9a-f-]{36}$"})
VECTOR = any_of(array(NUMBER), array(array(NUMBER)), by_name(ANYTHING))
MEMORY = one_of("cold", "cached", "pinned")
SHARD_KEY = any_of(STRING, INTEGER)

REPLICA_STATE = one_of(
    *("Active", "Dead", "Partial", "Initializing", "Listener", "PartialSnapshot", "Recovery"),
    *("Resharding", "ReshardingScaleDown", "ActiveRead", "ManualRecovery"),
)
TRANSFER_METHOD = one_of("stream_records", "snapshot", "wal_delta", "resharding_stream_records")

VERSION = record({"title": STRING, "version": STRING}, {"commit": nullable(STRING)})

CONSENSUS_THREAD = any_of(
    record({"consensus_thread_status": one_of("working"), "last_update": STRING}),
    record({"consensus_thread_status": one_of("stopped")}),
    record({"consensus_thread_status": one_of("stopped_with_err"), "err": STRING}),
)
RAFT_INFO = record(
    {"term": NATURAL, "commit": NATURAL, "pending_operations": NATURAL, "is_voter": BOOLEAN},
    {
        "leader": nullable(NATURAL),
        "role": nullable(one_of("Follower", "Candidate", "Leader", "PreCandidate")),
    },
)
SEND_FAILURES = record(
    {"count": NATURAL},
    {"latest_error": nullable(STRING), "latest_error_timestamp": nullable(STRING)},
)
CLUSTER = any_of(
    record({"status": one_of("disabled")}),
    record(
        {
            "status": one_of("enabled"),
            "peer_id": NATURAL,
            "peers": by_name(record({"uri": STRING})),
            "raft_info": RAFT_INFO,
            "consensus_thread_status": CONSENSUS_THREAD,
            "message_send_failures": by_name(SEND_FAILURES),
        }
    ),
)

COLLECTIONS = record({"collections": array(record({"name": STRING}))})
VECTOR_PARAMETERS = record(
    {"size": NATURAL, "distance": one_of("Cosine", "Euclid", "Dot", "Manhattan")},
    {
        "hnsw_config": ANYTHING,
        "quantization_config": ANYTHING,
        "on_disk": nullable(BOOLEAN),
        "memory": nullable(MEMORY),
        "datatype": ANYTHING,
        "multivector_config": ANYTHING,
    },
)
COLLECTION_PARAMETERS = record(
    {},
    {
        "vectors": any_of(VECTOR_PARAMETERS, by_name(VECTOR_PARAMETERS)),
        "shard_number": NATURAL,
        "sharding_method": nullable(one_of("auto", "custom")),
        "replication_factor": NATURAL,
        "write_consistency_factor": NATURAL,
        "read_fan_out_factor": nullable(NATURAL),
        "read_fan_out_delay_ms": nullable(NATURAL),
        "on_disk_payload": nullable(BOOLEAN),
        "payload": nullable(record({}, {"memory": nullable(MEMORY)})),
        "sparse_vectors": nullable(by_name(ANYTHING)),
    },
)
HNSW_CONFIG = record(
    {"m": NATURAL, "ef_construct": NATURAL, "full_scan_threshold": NATURAL},
    {
        "max_indexing_threads": NATURAL,
        "on_disk": nullable(BOOLEAN),
        "memory": nullable(MEMORY),
        "payload_m": nullable(NATURAL),
        "inline_storage": nullable(BOOLEAN),
    },
)
OPTIMIZER_CONFIG = record(
    {"default_segment_number": NATURAL, "flush_interval_sec": NATURAL},
    {
        "deleted_threshold": NUMBER,
        "vacuum_min_vector_number": NATURAL,
        "max_segment_size": nullable(NATURAL),
        "memmap_threshold": nullable(NATURAL),
        "indexing_threshold": nullable(NATURAL),
        "max_optimization_threads": nullable(NATURAL),
        "prevent_unoptimized": nullable(BOOLEAN),
    },
)
WAL_CONFIG = record(
    {"wal_capacity_mb": NATURAL, "wal_segments_ahead": NATURAL}, {"wal_retain_closed": NATURAL}
)
COLLECTION_CONFIG = record(
    {
        "params": COLLECTION_PARAMETERS,
        "hnsw_config": HNSW_CONFIG,
        "optimizer_config": OPTIMIZER_CONFIG,
    },
    {
        "wal_config": nullable(WAL_CONFIG),
        "quantization_config": ANYTHING,
        "strict_mode_config": ANYTHING,
        "metadata": ANYTHING,
    },
)
COLLECTION = record(
    {
        "status": one_of("green", "yellow", "grey", "red"),
        "optimizer_status": any_of(one_of("ok"), record({"error": STRING})),
        "segments_count": NATURAL,
        "config": COLLECTION_CONFIG,
        "payload_schema": by_name(ANYTHING),
    },
    {
        "warnings": array(record({"message": STRING})),
        "indexed_vectors_count": nullable(NATURAL),
        "points_count": nullable(NATURAL),
        "update_queue": nullable(
            record({"length": NATURAL}, {"deferred_points": nullable(NATURAL)})
        ),
    },
)
ALIASES = record({"aliases": array(record({"alias_name": STRING, "collection_name": STRING}))})

COLLECTION_CLUSTER = record(
    {
        "peer_id": NATURAL,
        "shard_count": NATURAL,
        "local_shards": array(
            record(
                {"shard_id": NATURAL, "points_count": NATURAL, "state": REPLICA_STATE},
                {"shard_key": nullable(SHARD_KEY)},
            )
        ),
        "remote_shards": array(
            record(
                {"shard_id": NATURAL, "peer_id": NATURAL, "state": REPLICA_STATE},
                {"shard_key": nullable(SHARD_KEY)},
            )
        ),
        "shard_transfers": array(
            record(
                {"shard_id": NATURAL, "from": NATURAL, "to": NATURAL, "sync": BOOLEAN},
                {
                    "to_shard_id": nullable(NATURAL),
                    "method": nullable(TRANSFER_METHOD),
                    "comment": nullable(STRING),
                },
            )
        ),
    },
    {
        "resharding_operations": nullable(
            array(
                record(
                    {"direction": one_of("up", "down"), "shard_id": NATURAL, "peer_id": NATURAL},
                    {"shard_key": nullable(SHARD_KEY)},
                )
            )
        )
    },
)

POINT = record(
    {"id": POINT_ID},
    {
        "payload": nullable(by_name(ANYTHING)),
        "vector": nullable(VECTOR),
        "shard_key": nullable(SHARD_KEY),
        "order_value": nullable(NUMBER),
    },
)
WRITTEN = record(
    {"status": one_of("acknowledged", "completed", "wait_timeout")},
    {"operation_id": nullable(NATURAL)},
)
SNAPSHOT = record(
    {"name": STRING, "size": NATURAL},
    {
        "creation_time": nullable(
            {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}
        ),
        "checksum": nullable({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    },
)

TELEMETRY = record(
    {
        "id": STRING,
        "collections": record(
            {"number_of_collections": NATURAL},
            {
                "snapshots": nullable(
                    array(record({"id": STRING}, {"running_snapshots": nullable(NATURAL)}))
                )
            },
        ),
    }
)

# The `result` of each operation that the stand-in has, by method and path.
RESULTS: dict[str, Schema] = {
    "GET /cluster": CLUSTER,
    "POST /cluster/recover": BOOLEAN,
    "DELETE /cluster/peer/{}": BOOLEAN,
    "GET /telemetry": TELEMETRY,
    "GET /aliases": ALIASES,
    "POST /collections/aliases": BOOLEAN,
    "GET /collections": COLLECTIONS,
    "GET /collections/{}": COLLECTION,
    "PUT /collections/{}": BOOLEAN,
    "PATCH /collections/{}": BOOLEAN,
    "DELETE /collections/{}": BOOLEAN,
    "GET /collections/{}/exists": record({"exists": BOOLEAN}),
    "GET /collections/{}/aliases": ALIASES,
    "GET /collections/{}/cluster": COLLECTION_CLUSTER,
    "POST /collections/{}/cluster": BOOLEAN,
    "PUT /collections/{}/points": WRITTEN,
    "POST /collections/{}/points": array(POINT),
    "GET /collections/{}/points/{}": POINT,
    "POST /collections/{}/points/delete": WRITTEN,
    "POST /collections/{}/points/count": record({"count": NATURAL}),
    "POST /collections/{}/points/scroll": record(
        {"points": array(POINT)}, {"next_page_offset": nullable(POINT_ID)}
    ),
    "GET /collections/{}/snapshots": array(SNAPSHOT),
    "POST /collections/{}/snapshots": SNAPSHOT,
    "DELETE /collections/{}/snapshots/{}": BOOLEAN,
    "POST /collections/{}/snapshots/upload": BOOLEAN,
    "PUT /collections/{}/snapshots/recover": BOOLEAN,
}
ACCEPTED = record({"time": NUMBER, "status": STRING})
REFUSED = record(
    {"time": NUMBER, "status": record({"error": STRING})}, {"result": {"type": "null"}}
)


def operation(method: str, path: str) -> str:
    """The key in `RESULTS` of a request; a path without braces is preferred."""
    fitting = [
        key
        for key in RESULTS
        if re.fullmatch(key.replace("{}", "[^/?]+"), f"{method} {path.split('?', maxsplit=1)[0]}")
    ]
    return min(fitting, key=lambda key: key.count("{}"))


def check(method: str, path: str, status: int, body: Any) -> str:
    """Raise `jsonschema.ValidationError` if an answer has not its shape; which operation it was."""
    key = operation(method, path)
    result = record({"time": NUMBER, "status": one_of("ok"), "result": RESULTS[key]})
    schema = {200: result, 202: ACCEPTED}.get(status, REFUSED)
    jsonschema.validate(body, schema)
    return key
