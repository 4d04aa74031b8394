"""The models that an Ollama stand-in has been told to have, kept where Ollama keeps its own."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KEEP_ALIVE = timedelta(minutes=5)
DEFAULT_DIMENSIONS = 768
DIMENSIONS = {
    "nomic-embed-text": 768,
    "mxbai-embed-large": 1024,
    "bge-m3": 1024,
    "all-minilm": 384,
    "snowflake-arctic-embed": 1024,
}


@dataclass(frozen=True)
class Model:
    """A model by its full name, such as `nomic-embed-text:latest`."""

    name: str
    modified_at: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def dimensions(self) -> int:
        """The length of its embeddings."""
        return DIMENSIONS.get(self.name.partition(":")[0], DEFAULT_DIMENSIONS)

    def listed(self) -> dict[str, Any]:
        """Its entry in `/api/tags`; the size is the truth, there are no weights."""
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": self.modified_at,
            "size": 0,
            "digest": self.digest,
            "details": self._details(),
        }

    def shown(self) -> dict[str, Any]:
        """The reply of `/api/show`."""
        return {
            "details": self._details(),
            "model_info": {"stand-in.embedding_length": self.dimensions},
            "capabilities": ["embedding"],
            "modified_at": self.modified_at,
        }

    def _details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "stand-in",
            "family": "stand-in",
            "families": ["stand-in"],
            "parameter_size": "0",
            "quantization_level": "none",
        }


class Models:
    """The models, in a file; changed by several threads."""

    def __init__(self, path: Path, models: list[Model]) -> None:
        self._path = path
        self._models = {model.name: model for model in models}
        self._loaded: dict[str, datetime] = {}
        self._lock = threading.Lock()

    @classmethod
    def load_or_create(cls) -> Models:
        """Those in OLLAMA_MODELS, by default `~/.ollama/models`; `OSError` if it is read-only."""
        directory = Path(os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models")
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "stand-in.json"
        kept = json.loads(path.read_text()) if path.exists() else []
        models = cls(path, [Model(**model) for model in kept])
        models._save()
        return models

    def all(self) -> list[Model]:
        with self._lock:
            return sorted(self._models.values(), key=lambda model: model.name)

    def find(self, name: str) -> Model | None:
        """The model called `name`, whose tag is `latest` if it has none."""
        return self._models.get(_full_name(name))

    def add(self, name: str) -> Model:
        """Record a model as pulled now."""
        model = Model(_full_name(name), _text(datetime.now(UTC)))
        with self._lock:
            self._models[model.name] = model
            self._save()
        return model

    def load(self, model: Model) -> None:
        """Count a model as loaded for the usual five minutes from now."""
        with self._lock:
            self._loaded[model.name] = datetime.now(UTC) + KEEP_ALIVE

    def loaded(self) -> list[dict[str, Any]]:
        """The entries of `/api/ps`."""
        with self._lock:
            return [
                {**self._models[name].listed(), "expires_at": _text(expiry), "size_vram": 0}
                for name, expiry in self._loaded.items()
                if expiry > datetime.now(UTC)
            ]

    def _save(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps([asdict(model) for model in self._models.values()]))
        temporary.replace(self._path)


def _full_name(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
