"""`paisctl backup` and `restore`, as far as they go without a host."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Session

STORE = {"device": "nas", "path": "/volume1/backups"}
BACKUPS = {
    "secrets": {"restic": {"description": "Opens the off-site backups"}},
    "backups": {
        "knowledge": {
            "stack": "qdrant",
            "store": STORE,
            "schedule": {"at": "03:30", "device": "k6"},
            "offsite": {"repository": "b2:bucket:path", "password": {"secret": "restic"}},
        },
        "samples": {
            "stack": "prometheus",
            "store": STORE,
            "schedule": {"at": "04:00", "device": "nas"},
        },
        "cache": {"stack": "redis-cache", "store": STORE},
    },
}
WITH = "paisctl -i inventory/pais.yaml -i backups.yaml"


@pytest.fixture
def declared(reference: Path) -> Path:
    """The reference inventory with backups laid over it."""
    (reference / "backups.yaml").write_text(yaml.safe_dump(BACKUPS))
    return reference


@pytest.mark.usefixtures("declared")
def test_what_is_declared(session: Session) -> None:
    said = session("backup-declared", "paisctl backup", f"{WITH} backup", f"{WITH} lint --strict")
    assert "nas:/volume1/backups, off-site" in said


@pytest.mark.usefixtures("declared")
def test_a_cache_has_nothing_to_keep(session: Session) -> None:
    session(
        "backup-nothing",
        f"{WITH} backup cache",
        f"{WITH} backup verify cache",
        f"{WITH} restore cache --from latest",
    )


def test_a_schedule_is_shown_or_written(declared: Path, session: Session) -> None:
    session(
        "backup-schedule",
        f"{WITH} backup schedule knowledge",
        f"{WITH} backup samples schedule --output out",
        f"{WITH} backup schedule cache",
    )
    script = declared / "out" / "paisctl-backup-samples.sh"
    assert "backup samples" in script.read_text()
    assert not stat.S_IMODE(script.stat().st_mode) & 0o002


def test_what_cannot_be_meant(declared: Path, session: Session) -> None:
    (declared.parent / "outside.yaml").write_text("{}\n")
    session(
        "backup-usage",
        f"{WITH} backup knowlege",
        f"{WITH} backup verify",
        f"{WITH} backup knowledge samples",
        f"{WITH} backup list verify",
        f"{WITH} backup knowledge --from 20261122T213000Z",
        f"{WITH} backup knowledge --output out",
        f"{WITH} -i ../outside.yaml backup schedule knowledge",
        f"{WITH} backup schedule knowledge --project ~/pais",
        f"{WITH} restore",
        f"{WITH} restore knowledge",
        f"{WITH} restore lists --from latest",
        "paisctl backup samples",
        f"{WITH} backup knowledge",
    )
