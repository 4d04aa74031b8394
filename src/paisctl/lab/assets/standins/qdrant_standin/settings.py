"""Settings from the environment, under the names that Qdrant reads (src/settings.rs, src/main.rs)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True}
_BOOLEANS |= {"false": False, "0": False, "no": False, "off": False}


class InvalidSettingError(Exception):
    """A variable that Qdrant reads holds a value it cannot use."""


@dataclass(frozen=True)
class Settings:
    """What the process was told; times are in seconds."""

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int | None
    api_key: str | None
    read_only_api_key: str | None
    cluster_enabled: bool
    p2p_port: int
    uri: str | None
    bootstrap: str | None
    tick: float
    bootstrap_timeout: float
    storage_path: Path
    snapshots_path: Path
    init_file: Path
    replication_factor: int
    write_consistency_factor: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `environment`; names that Qdrant does not know are ignored, as it ignores them.

        Raises `InvalidSettingError` where Qdrant would refuse to start.
        """

        def setting(name: str, default: T, convert: Callable[[str], T]) -> T:
            text = environment.get(f"QDRANT__{name}")
            if text is None:
                return default
            try:
                return convert(text)
            except (ValueError, KeyError) as error:
                raise InvalidSettingError(f"invalid value {text!r} of QDRANT__{name}") from error

        uri = _peer_uri(environment, "QDRANT_URI")
        bootstrap = _peer_uri(environment, "QDRANT_BOOTSTRAP")
        return cls(
            host=setting("SERVICE__HOST", "0.0.0.0", str),  # noqa: S104 - Qdrant's own default
            http_port=setting("SERVICE__HTTP_PORT", 6333, int),
            grpc_port=setting("SERVICE__GRPC_PORT", 6334, int),
            metrics_port=setting("SERVICE__METRICS_PORT", None, int),
            # An empty key is no key (src/common/auth/mod.rs).
            api_key=environment.get("QDRANT__SERVICE__API_KEY") or None,
            read_only_api_key=environment.get("QDRANT__SERVICE__READ_ONLY_API_KEY") or None,
            cluster_enabled=setting("CLUSTER__ENABLED", False, lambda s: _BOOLEANS[s.lower()]),
            p2p_port=setting("CLUSTER__P2P__PORT", 6335, int),
            uri=uri,
            # A peer told to bootstrap from itself is the first peer (src/main.rs).
            bootstrap=None if bootstrap == uri else bootstrap,
            tick=setting("CLUSTER__CONSENSUS__TICK_PERIOD_MS", 100, int) / 1000,
            bootstrap_timeout=setting("CLUSTER__CONSENSUS__BOOTSTRAP_TIMEOUT_SEC", 15, int),
            storage_path=setting("STORAGE__STORAGE_PATH", Path("storage"), Path),
            snapshots_path=setting("STORAGE__SNAPSHOTS_PATH", Path("snapshots"), Path),
            init_file=Path(environment.get("QDRANT_INIT_FILE_PATH", ".qdrant-initialized")),
            replication_factor=setting("STORAGE__COLLECTION__REPLICATION_FACTOR", 1, int),
            write_consistency_factor=setting(
                "STORAGE__COLLECTION__WRITE_CONSISTENCY_FACTOR", 1, int
            ),
        )


def _peer_uri(environment: Mapping[str, str], name: str) -> str | None:
    uri = environment.get(name)
    if uri == "":
        raise InvalidSettingError(f"invalid value '' of {name}: empty string")
    return uri.rstrip("/") if uri else None
