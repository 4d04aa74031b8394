"""No view shows a secret, whatever it is made of."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paisctl import plan_file
from paisctl.desired import HostSpec
from paisctl.errors import PaisctlError
from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.manifest import manifest_line
from paisctl.plan import Plan
from paisctl.report import Report
from paisctl.saved_plan import save
from paisctl.secrets import Vault, describe, load_vault
from paisctl.session import Session
from paisctl.status import survey
from paisctl.views import human, markdown
from paisctl.views import json as json_view
from paisctl.views import report as report_view
from paisctl.views import saved_plan as saved_plan_view
from paisctl.views import status as status_view
from tests.properties.strategies import NASTY, texts
from tests.simulated.fleet import SimulatedFleet, rendered

FLEET = Path(__file__).parents[1] / "cases/plan/fleet"
MARK = "zq8xK"  # is in every secret, and in nothing else
secrets = st.tuples(texts, texts).map(MARK.join)


@functools.cache
def wanted() -> Mapping[str, HostSpec]:
    return rendered([FLEET / "inventory.yaml"], FLEET)


def drifted(vault: Vault) -> SimulatedFleet:
    """A fleet with a secret wherever a person could have put it by hand."""
    fleet = SimulatedFleet(wanted())
    fleet.apply(fleet.plan(wanted(), vault), vault)
    box, value = fleet.hosts["box"], vault.values["db_password"]
    app = box.containers["web-app-1"]
    app["Config"]["Env"] += [f"MODE={value}", f"COPY={value}", f"ADMIN_PASSWORD=x{value}"]
    app["Config"]["Cmd"] = ["serve", "--password", value]
    app["Config"]["Labels"]["note"] = f"the password is {value}."
    app["Config"]["Healthcheck"]["Test"] = ["CMD", "check", value]
    app["HostConfig"]["ExtraHosts"] = [f"{value}:10.0.0.1"]
    app["Config"]["User"] = value
    for path in ("web/proxy/proxy.conf", "web/compose.yaml", "db/compose.override.yaml"):
        mode, content = box.files[f"stacks/{path}"]
        box.files[f"stacks/{path}"] = (mode, content + f"\n# {value}\n".encode())
    return fleet


def shown(fleet: SimulatedFleet, plan: Plan, vault: Vault) -> Iterator[str]:
    states = {name: host.state(texts=True) for name, host in fleet.hosts.items()}
    saved = save(plan, Session(wanted(), vault, {}, states), fleet="home")
    yield from (plan_file.as_text(saved), saved_plan_view.as_text(saved))
    rows = survey(wanted(), states, plan)
    yield from (str(plan), human.plan(plan, show_diffs=True), json_view.plan(plan))
    yield markdown.plan(plan, show_diffs=True)
    yield from (status_view.as_table(rows), status_view.as_json(rows))
    for stack in wanted()["box"].stacks.values():
        yield from (describe(file.content) for file in stack.files.values())
        yield from map(repr, stack.files.values())
    yield from (stack.entry for host in plan.hosts for stack in host.stacks)
    yield repr(plan)


@given(before=secrets, after=secrets)
@example(before=MARK + NASTY, after=NASTY + MARK)
@settings(max_examples=25)
def test_no_view_shows_a_secret(before: str, after: str) -> None:
    fleet = drifted(Vault({"db_password": before}, "key"))
    for value in (before, after):
        vault = Vault({"db_password": value, "old": before}, "key")
        plan = fleet.plan(wanted(), vault, texts=True)
        assert plan
        for text in [*shown(fleet, plan, vault), repr(vault), manifest_line(_db(), vault)]:
            assert MARK not in text


@given(value=secrets)
@settings(max_examples=25)
def test_no_report_shows_a_secret(value: str) -> None:
    vault = Vault({"db_password": value, "short": "a"}, "key")
    end = StackEnded(
        "box",
        "db",
        Outcome.FAILED,
        "create db",
        vault.redact(f"refused: {value}"),
        (vault.redact(f"password={value}!"),),
    )
    result = HostResult("box", {"db": end}, None, vault.redact(f"lost {value}"))
    assert MARK not in report_view.as_text(Report(Plan(), {"box": result}, Plan()))


@given(st.lists(texts, min_size=1, max_size=4, unique=True), texts)
def test_redacting_never_shows_a_value_and_never_loops(values: list[str], around: str) -> None:
    vault = Vault({f"s{i}": value for i, value in enumerate(values)}, "key")
    text = around + around.join(values) + around
    redacted = vault.redact(text)
    names = [f"(secret {name})" for name in vault.values]
    rest = redacted
    for name in names:
        rest = rest.replace(name, "\0")
    assert not any(value in piece for value in values if value for piece in rest.split("\0"))


@given(st.text(max_size=5).map(lambda text: f"pw: {MARK}{text}: [\n"))
@settings(max_examples=25)
def test_a_broken_secrets_file_is_not_quoted(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.mktemp("secrets") / "secrets.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(PaisctlError) as caught:
        load_vault(path)
    assert MARK not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__}"


def test_equal_secrets_have_equal_seals_and_other_keys_other_ones() -> None:
    one, other = Vault({"db_password": MARK}, "key"), Vault({"db_password": MARK}, "another")
    seals = [
        json.loads(manifest_line(_db(), v))["services"]["db"]["sealed"] for v in (one, one, other)
    ]
    assert seals[0] == seals[1] != seals[2]


def _db() -> Any:
    return wanted()["box"].stacks["db"]
