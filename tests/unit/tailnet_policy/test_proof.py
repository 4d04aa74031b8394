"""The proof finds mistakes of the derivation, whatever the checks before it have let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.inventory.load import Fleet
from paisctl.pipeline import lint
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet import derive
from paisctl.rendering.tailnet.access import Declaration, Door, Origin, declared_access
from paisctl.rendering.tailnet.names import Names
from tests.simulated.fleet import REPOSITORY
from tests.unit.test_graph import BUNDLE, fleet

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


def test_a_port_for_peers_is_shut_even_if_nothing_exports_it(tmp_path: Path) -> None:
    path = fleet(tmp_path, {"web": ""}, {"box": "{web: {}}", "pad": "{}"})
    bundle = path / "stacks/web/bundle.yaml"
    bundle.write_text(BUNDLE.replace("port: 80,", "port: 80, peers_only: true,"))
    grant = "  grants: [{reason: to look, src: [pad], dst: [box], ip: ['80-90']}]\n"
    overlay = path / "overlay.yaml"
    overlay.write_text(f"tailnet:\n{grant}")
    said = lint([path / "pais.yaml", overlay])
    assert [item.message for item in said.errors] == ["this rule opens box (tcp 80) to pad"]
