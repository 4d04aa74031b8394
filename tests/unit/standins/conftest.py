"""Stand-in processes that end with the test that started them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .processes import Program, QdrantNode

NodeFactory = Callable[..., QdrantNode]
ProgramFactory = Callable[..., Program]


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Programs that are killed at the end of the test, if they still run."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process is not None and program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.fixture
def new_node(tmp_path: Path, programs: list[Program]) -> NodeFactory:
    """Makes nodes, not started yet; `member=True` makes them take part in a cluster."""

    def make(name: str, *, member: bool = True, **settings: str) -> QdrantNode:
        node = QdrantNode(tmp_path / name, settings)
        if member:
            node.settings = {
                "QDRANT__CLUSTER__ENABLED": "true",
                "QDRANT_URI": node.uri,
                **settings,
            }
        programs.append(node.program)
        return node

    return make


@pytest.fixture
def cluster(new_node: NodeFactory) -> list[QdrantNode]:
    """Three nodes that form a cluster, started one after the other as upstream asks."""
    first, *others = nodes = [new_node(name) for name in ("k6", "m7-1", "m7-2")]
    first.start_and_wait()
    for node in others:
        node.settings["QDRANT_BOOTSTRAP"] = first.uri
        node.start_and_wait()
    return nodes
