"""Taking a project over, pruning, and what rests: what is said at a terminal of 80 columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cli.conftest import Session
from tests.cli.test_hosts import VAULT, applied, box
from tests.simulated.fleet import SimulatedFleet, rendered

__all__ = ["box"]
INVENTORY = Path("inventory/pais.yaml")


def edit(**stacks: Any) -> None:
    """Set something for the stacks of the box; None takes a stack away."""
    document = yaml.safe_load(INVENTORY.read_text())
    own = document["devices"]["box"]["stacks"]
    for name, settings in stacks.items():
        if settings is None:
            del own[name]
        else:
            own[name] = {**(own[name] or {}), **settings}
    INVENTORY.write_text(yaml.safe_dump(document, sort_keys=False))


def by_hand(box: SimulatedFleet) -> Any:
    """`web` runs, but paisctl has not made it; all else it has."""
    host = applied(box)
    for container in host.containers.values():
        labels = container["Config"]["Labels"]
        if labels["com.docker.compose.project"] == "web":
            labels |= {"com.docker.compose.project.working_dir": "/home/ann/web"}
            for name in [name for name in labels if name.startswith("paisctl.")]:
                del labels[name]
    document = json.loads(host.manifest)
    del document["stacks"]["web"]
    host.manifest = json.dumps(document)
    return host


def test_adopt_says_what_stays_and_what_differs(box: SimulatedFleet, session: Session) -> None:
    host = by_hand(box)
    host.containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    session("adopt", "paisctl plan", "paisctl adopt box web")


def test_adopt_leaves_no_data_behind(box: SimulatedFleet, session: Session) -> None:
    host = by_hand(box)
    for mount in host.containers["web-app-1"]["Mounts"]:
        if mount["Destination"] == "/data":
            mount["Source"] = "/home/ann/data"
    session(
        "adopt-mounts",
        "paisctl adopt box web --yes",
        "paisctl adopt box web --accept-new-mounts",
    )


def test_adopt_what_cannot_be(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    session(
        "adopt-refused",
        "paisctl adopt box web",
        "paisctl adopt box wbe",
        "paisctl adopt bxo web",
    )
    edit(web=None)
    session("adopt-unwanted", "paisctl adopt box web")


def test_prune_leaves_other_changes_alone(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    bundle = Path("stacks/web/bundle.yaml")
    text = bundle.read_text()
    start = text.index("  - path: worker/jobs")
    bundle.write_text(text[:start] + text[text.index("  - path: motto.txt") :])
    edit(web={"worker": False, "workers": 3})
    session("prune", "paisctl prune", "paisctl prune --stack db", "paisctl prune --stack wbe")


def test_prune_a_stack_that_is_gone(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    edit(web=None)
    session("prune-stack", "paisctl prune box --stack web", "paisctl prune")


def test_prune_asks_nothing_of_what_others_have_made(box: SimulatedFleet, session: Session) -> None:
    by_hand(box)
    session("prune-beside-others", "paisctl prune --yes")


def test_prune_nothing(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    session("prune-nothing", "paisctl prune --yes")


def test_what_rests(box: SimulatedFleet, session: Session) -> None:
    host = applied(box)
    edit(web={"enabled": {"worker": False}})
    session("enabled-false", "paisctl plan", "paisctl status")
    wanted = rendered([INVENTORY], Path())
    box.apply(box.plan(wanted, VAULT), VAULT)
    assert host.containers["web-worker-1"]["State"]["Status"] == "exited"
    session("enabled-false-applied", "paisctl plan", "paisctl status")
    edit(web={"enabled": True})
    session("enabled-again", "paisctl plan")
