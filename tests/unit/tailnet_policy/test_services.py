"""What listens on a port may have several names; each of them is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.errors import UsageError
from paisctl.pipeline import desire
from paisctl.rendering.tailnet.access import Door
from paisctl.rendering.tailnet.explain import Answer, Explainer
from paisctl.views.access import explanation
from tests.unit.test_graph import fleet

DOOR = Door("box", "tcp", 80)


@pytest.fixture
def explainer(tmp_path: Path) -> Explainer:
    """A fleet in which a stack exports one port twice; one name has an "or" of its own."""
    exports = "exports: {web: http, this-or-that: http}"
    path = fleet(tmp_path, {"web": exports}, {"box": "{web: {}}", "pad": "{}", "tub": "{web: {}}"})
    desired = desire([path / "pais.yaml"])
    return Explainer(desired.tailnet, desired.fleet)


def test_all_names_are_known(explainer: Explainer) -> None:
    assert explainer.explain("pad", "box:80") == [
        Answer(
            "pad",
            DOOR,
            ("web", "this-or-that"),
            why_not="nothing on pad declares that it connects to it",
        )
    ]
    assert "pad → box tcp 80 (web or this-or-that)" in explanation(
        explainer.explain("pad", "box:web")
    )


@pytest.mark.parametrize("name", ["web", "this-or-that"])
def test_each_name_will_do(name: str, explainer: Explainer) -> None:
    assert [answer.door.device for answer in explainer.explain("pad", name)] == ["box", "tub"]
    assert [answer.door for answer in explainer.explain("pad", f"box:{name}")] == [DOOR]


def test_known_names_are_listed_one_by_one_and_once(explainer: Explainer) -> None:
    with pytest.raises(UsageError) as caught:
        explainer.explain("pad", "wep")
    assert caught.value.hint == (
        "did you mean `web`? known devices and services: box, pad, ssh, this-or-that, tub, web"
    )


@pytest.mark.parametrize("name", ["or", "b or t", "web or this-or-that", "e"])
def test_parts_of_names_are_none(name: str, explainer: Explainer) -> None:
    with pytest.raises(UsageError):
        explainer.explain("pad", name)
    with pytest.raises(UsageError):
        explainer.explain("pad", f"box:{name}")
