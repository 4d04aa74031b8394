"""The proof finds mistakes of the derivation, whatever the checks before it have let through."""

from __future__ import annotations

import pytest

from paisctl.inventory.load import Fleet
from paisctl.pipeline import lint
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet import derive
from paisctl.rendering.tailnet.access import Declaration, Door, Origin, declared_access
from paisctl.rendering.tailnet.names import Names
from tests.simulated.fleet import REPOSITORY

PEERS = Door("k6", "tcp", 6335)  # of the Qdrant cluster


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("tag:m7-1", []),
        (
            "tag:mac-mini",
            ["tag:mac-mini reaches k6 tcp 6335, but only the instances of its own stack may"],
        ),
        (
            "group:admins",
            ["group:admins reaches k6 tcp 6335, but only the instances of its own stack may"],
        ),
    ],
)
def test_a_port_for_peers_is_not_declared_to_others(
    source: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_one_more(fleet: Fleet, graph: Graph, names: Names) -> list[Declaration]:
        more = Declaration("a mistake", {(source, PEERS): Origin("a mistake", None)})
        return [*declared_access(fleet, graph, names), more]

    monkeypatch.setattr(derive, "declared_access", with_one_more)
    said = lint([REPOSITORY / "inventory/pais.yaml"])
    assert [item.message.removesuffix(" reach it") for item in said.errors] == found
