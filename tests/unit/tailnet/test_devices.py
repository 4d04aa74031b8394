from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from paisctl.tailnet.control import TailnetDevice
from paisctl.tailnet.devices import Expected, Kind, compare_devices

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
K6 = TailnetDevice("n1", "k6", ("100.64.0.1", "fd7a:115c:a1e0::1"), ("tag:k6",))
PHONE = TailnetDevice("n2", "phone", ("100.64.0.2",), user="anna@example.com")
WANTS_K6 = Expected("k6", "100.64.0.1", frozenset({"tag:k6"}))
WANTS_PHONE = Expected("phone", "100.64.0.2", owner="anna@example.com")


def found(expected: Expected, machine: TailnetDevice) -> list[tuple[Kind, str]]:
    findings = compare_devices([expected], [machine], NOW)
    assert all(finding.device == expected.name for finding in findings)
    assert all(finding.id == machine.id for finding in findings)
    return [(finding.kind, finding.message) for finding in findings]


def test_nothing_is_said_when_all_is_as_the_inventory_says() -> None:
    assert compare_devices([WANTS_K6, WANTS_PHONE], [PHONE, K6], NOW) == ()


def test_a_missing_device_and_an_unknown_machine() -> None:
    missing, unknown = compare_devices([WANTS_K6], [PHONE], NOW)
    assert (missing.kind, missing.device, missing.id) == (Kind.MISSING, "k6", "")
    assert (unknown.kind, unknown.device, unknown.id) == (Kind.UNKNOWN, "phone", "n2")
    assert "anna@example.com, 100.64.0.2" in unknown.message
    assert unknown.is_harmless
    assert not missing.is_harmless


def test_machines_of_other_tailnets_are_nobodys_business() -> None:
    foreign = replace(PHONE, is_foreign=True)
    assert compare_devices([], [foreign], NOW) == ()
    (missing,) = compare_devices([WANTS_PHONE], [foreign], NOW)
    assert missing.kind is Kind.MISSING


@pytest.mark.parametrize(
    ("change", "expected", "kind", "said"),
    [
        ({"tags": ("tag:old",)}, WANTS_K6, Kind.WRONG_TAGS, "is tagged tag:old, should be tag:k6"),
        (
            {"tags": ("tag:k6", "tag:extra")},
            WANTS_K6,
            Kind.WRONG_TAGS,
            "is tagged tag:extra, tag:k6, should be tag:k6",
        ),
        (
            {"tags": (), "user": "anna@example.com"},
            WANTS_K6,
            Kind.UNTAGGED,
            "belongs to anna@example.com, should be tagged tag:k6",
        ),
        ({"authorized": False}, WANTS_K6, Kind.UNAUTHORIZED, "waits to be authorized"),
        ({"name": "k6-1"}, WANTS_K6, Kind.WRONG_NAME, "is called k6-1 in the tailnet"),
        (
            {"addresses": ("100.64.0.9",)},
            WANTS_K6,
            Kind.WRONG_ADDRESS,
            "has 100.64.0.9, not 100.64.0.1",
        ),
        (
            {"update_available": True, "client_version": "1.80.0"},
            WANTS_K6,
            Kind.OUTDATED,
            "runs Tailscale 1.80.0",
        ),
    ],
)
def test_what_differs_is_named(
    change: dict[str, object], expected: Expected, kind: Kind, said: str
) -> None:
    ((found_kind, message),) = found(expected, replace(K6, **change))  # type: ignore[arg-type]
    assert found_kind is kind
    assert said in message


def test_a_personal_device_belongs_to_its_person() -> None:
    ((kind, message),) = found(WANTS_PHONE, replace(PHONE, user="ben@example.com"))
    assert kind is Kind.WRONG_OWNER
    assert message == "belongs to ben@example.com, not to anna@example.com"
    assert found(WANTS_PHONE, replace(PHONE, user="Anna@Example.com")) == []
    assert found(WANTS_PHONE, replace(PHONE, user="anna@", aliases=("anna@example.com",))) == []
    ((kind, message),) = found(WANTS_PHONE, replace(PHONE, user="", tags=("tag:x",)))
    assert (kind, message) == (Kind.WRONG_TAGS, "is tagged tag:x, should be untagged")


@pytest.mark.parametrize(
    ("left", "kind"),
    [
        (timedelta(days=-1), Kind.KEY_EXPIRED),
        (timedelta(0), Kind.KEY_EXPIRED),
        (timedelta(seconds=1), Kind.KEY_EXPIRES),
        (timedelta(days=14), Kind.KEY_EXPIRES),
        (timedelta(days=14, seconds=1), None),
    ],
)
def test_keys_that_end_are_told_two_weeks_before(left: timedelta, kind: Kind | None) -> None:
    kinds = [kind for kind, _ in found(WANTS_K6, replace(K6, expires=NOW + left))]
    assert kinds == ([kind] if kind else [])


def test_a_machine_is_known_by_its_address_before_its_name() -> None:
    old = replace(K6, id="n9", addresses=("100.64.0.9",))
    renamed = replace(K6, name="k6-1")
    findings = compare_devices([WANTS_K6], [old, renamed], NOW)
    assert {(f.kind, f.id) for f in findings} == {(Kind.WRONG_NAME, "n1"), (Kind.UNKNOWN, "n9")}
    assert compare_devices([WANTS_K6], [old], NOW)[0].kind is Kind.WRONG_ADDRESS


def test_addresses_are_equal_however_they_are_written() -> None:
    assert found(replace(WANTS_K6, address="FD7A:115C:A1E0:0::1"), K6) == []


def test_a_device_without_an_address_is_found_by_name() -> None:
    assert found(replace(WANTS_K6, address=""), replace(K6, name="K6")) == []
    (missing,) = compare_devices([Expected("box")], [], NOW)
    assert missing.message == "is not in the tailnet"


def test_the_order_is_always_the_same() -> None:
    bad = replace(K6, tags=("tag:a",), update_available=True, expires=NOW)
    one = compare_devices([WANTS_K6, WANTS_PHONE, Expected("box")], [bad, PHONE], NOW)
    other = compare_devices([Expected("box"), WANTS_PHONE, WANTS_K6], [PHONE, bad], NOW)
    assert one == other
    assert [(f.device, f.kind) for f in one] == [
        ("box", Kind.MISSING),
        ("k6", Kind.WRONG_TAGS),
        ("k6", Kind.KEY_EXPIRED),
        ("k6", Kind.OUTDATED),
    ]
