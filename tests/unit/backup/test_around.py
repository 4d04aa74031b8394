"""What stands around backups: off-site copies, metrics, schedules."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paisctl.backup.metrics import metrics_text, publish
from paisctl.backup.offsite import Restic, secrets_of
from paisctl.backup.schedule import schedule
from paisctl.errors import HostError
from paisctl.inventory.backups import BackupPlan, Keep, Offsite
from paisctl.observed import HostFacts, HostState
from paisctl.secrets import Vault
from paisctl.transports.local import LocalTransport

from .test_retention import backup

PLAN = {"stack": "qdrant", "store": {"device": "nas", "path": "/srv"}, "max_age": "36h"}
# A docker that writes down what it was asked, and answers as it is told to.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>"$LOG"
cat </dev/stdin >>"$LOG.env"
case $* in *"$FAILS"*) echo "$WORDS" >&2; exit "$STATUS" ;; esac
"""


def offsite(**settings: Any) -> Offsite:
    given = {"repository": "b2:bucket:path", "password": {"secret": "restic"}}
    return Offsite.model_validate(given | settings)


class Engine:
    def __init__(self, folder: Path, settings: Offsite, **answers: str) -> None:
        docker = folder / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.log = folder / "log"
        environment = {"PATH": "/usr/bin:/bin", "LOG": str(self.log), "FAILS": "nothing at all"}
        transport = LocalTransport(environment | answers)
        vault = Vault({"restic": "open sesame", "key": "K1"}, "")
        self.restic = Restic(
            transport, "nas", [str(docker)], settings, vault, "knowledge", "/srv/knowledge"
        )

    @property
    def asked(self) -> list[str]:
        """The commands of restic, without how its container is made."""
        return [line.partition(" --no-cache ")[2] for line in self.log.read_text().splitlines()]


def test_a_backup_goes_into_a_new_repository(tmp_path: Path) -> None:
    fails = {"FAILS": "cat config", "STATUS": "10", "WORDS": "no repository"}
    engine = Engine(tmp_path, offsite(environment={"B2_KEY": {"secret": "key"}}), **fails)
    engine.restic.copy(backup(0), Keep(last=3, daily=0, weekly=2, monthly=0), lambda _: None)
    tags = "--tag knowledge --tag state:complete --tag 20261122T033000Z"
    ours = "--host nas --tag knowledge,state:complete --group-by host,paths"
    assert engine.asked == [
        "cat config",
        "init",
        f"backup --quiet --host nas {tags} --time 2026-11-22 03:30:00 /backups/knowledge",
        f"forget --quiet --prune {ours} --keep-last 3 --keep-weekly 2",
    ]


def test_a_repository_on_a_disk_that_is_not_mounted_is_not_made_below_it(tmp_path: Path) -> None:
    engine = Engine(tmp_path, offsite(repository=str(tmp_path / "usb")))
    for step in (engine.restic.check, lambda say: engine.restic.copy(backup(0), Keep(), say)):
        with pytest.raises(HostError, match=r"has no directory .*usb"):
            step(lambda _: None)
    assert not (tmp_path / "usb").exists()
    assert not engine.log.exists()  # docker was not asked for anything


def test_one_that_lacks_something_pushes_out_none_that_has_all(tmp_path: Path) -> None:
    engine = Engine(tmp_path, offsite())
    engine.restic.copy(backup(0, missing="k6"), Keep(), lambda _: None)
    assert "--tag knowledge --tag state:incomplete" in engine.asked[1]
    assert "--tag knowledge,state:incomplete --group-by" in engine.asked[2]


def test_a_repository_by_sftp_is_refused() -> None:
    with pytest.raises(ValueError, match="without SSH keys"):
        offsite(repository="sftp:me@example.org:/backups")


@pytest.mark.parametrize("repository", ["backups/offsite", "local:/srv/offsite"])
def test_a_repository_that_would_go_with_its_container_is_refused(repository: str) -> None:
    with pytest.raises(ValueError, match="absolute path"):
        offsite(repository=repository)


def test_no_secret_is_in_a_command(tmp_path: Path) -> None:
    engine = Engine(tmp_path, offsite(environment={"B2_KEY": {"secret": "key"}, "B2_ID": "12"}))
    engine.restic.check(lambda _: None)
    assert "sesame" not in engine.log.read_text()
    assert (tmp_path / "log.env").read_text().splitlines() == [
        "B2_KEY=K1",
        "B2_ID=12",
        "RESTIC_REPOSITORY=b2:bucket:path",
        "RESTIC_PASSWORD=open sesame",
    ]


def test_a_directory_is_mounted_as_the_repository(tmp_path: Path) -> None:
    there = tmp_path / "off site"
    there.mkdir()
    engine = Engine(tmp_path, offsite(repository=str(there)))
    engine.restic.check(lambda _: None)
    assert f"-v {there}:/repository" in engine.log.read_text()
    assert "RESTIC_REPOSITORY=/repository" in (tmp_path / "log.env").read_text()


@pytest.mark.parametrize(
    ("status", "hint"), [("12", "another secret"), ("11", "restic unlock"), ("1", None)]
)
def test_what_restic_says_is_passed_on_without_secrets(
    tmp_path: Path, status: str, hint: str | None
) -> None:
    said = {"FAILS": "check", "STATUS": status, "WORDS": "Fatal: open sesame does not open"}
    engine = Engine(tmp_path, offsite(), **said)
    with pytest.raises(HostError) as raised:
        engine.restic.check(lambda _: None)
    assert raised.value.message == "restic check on nas: Fatal: (secret restic) does not open"
    assert (hint is None) == (raised.value.hint is None)
    assert not hint or hint in (raised.value.hint or "")


def test_a_password_in_the_repository_is_not_shown(tmp_path: Path) -> None:
    told: list[str] = []
    engine = Engine(tmp_path, offsite(repository="rest:https://me:secret@example.org/a"))
    engine.restic.check(told.append)
    assert told == ["off-site: checks rest:example.org/a"]


def test_the_secrets_that_are_needed_are_known_before() -> None:
    assert secrets_of(None) == []
    both = offsite(environment={"A": "text", "B": {"secret": "key"}})
    assert secrets_of(both) == ["restic", "key"]


def test_prometheus_is_told_of_the_newest_complete_backup() -> None:
    plan = BackupPlan.model_validate(PLAN)
    complete = replace(backup(1), ended=1_699_900_000)
    backups = [replace(backup(0, missing="k6"), ended=1_700_000_000), complete]
    text = metrics_text("knowledge", plan, backups, at=1_700_000_000, succeeded=False)
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert values == {
        'paisctl_backup_last_success_timestamp_seconds{backup="knowledge"}': "1699900000",
        'paisctl_backup_last_run_timestamp_seconds{backup="knowledge"}': "1700000000",
        'paisctl_backup_last_run_ok{backup="knowledge"}': "0",
        'paisctl_backup_bytes{backup="knowledge"}': "0",
        'paisctl_backup_max_age_seconds{backup="knowledge"}': "129600",
    }


def test_the_metrics_are_where_node_exporter_looks(tmp_path: Path) -> None:
    facts = HostFacts("Linux", "admin", ("docker",), files_sudo=False)
    state = HostState("nas", root=str(tmp_path), facts=facts)
    publish(LocalTransport(), state, "knowledge", "a 1\n")
    publish(LocalTransport(), state, "knowledge", "a 2\n")
    [file] = (tmp_path / "metrics").iterdir()
    assert (file.name, file.read_text()) == ("paisctl_backup_knowledge.prom", "a 2\n")
    assert file.stat().st_mode & 0o777 == 0o644


def test_linux_gets_a_timer() -> None:
    made = schedule("knowledge", "03:30", "linux", "my 1% fleet", [Path("my fleet.yaml")])
    service = made.files["paisctl-backup-knowledge.service"]
    assert "paisctl -i 'my fleet.yaml' backup knowledge" in service
    assert "WorkingDirectory=%h/my 1%% fleet\n" in service
    assert "OnCalendar=*-*-* 03:30:00" in made.files["paisctl-backup-knowledge.timer"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    made = schedule("knowledge", "03:30", "linux", "1% fleet", [Path("inventory/pais.yaml")])
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is needed for this test"
    done = subprocess.run(
        [analyze, "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mac_gets_a_line_for_cron() -> None:
    made = schedule("knowledge", "03:05", "darwin", "fleet", [Path("a%b.yaml")])
    [line] = made.files.values()
    assert line.startswith('5 3 * * * cd "$HOME"/fleet && PATH=')
    assert line.endswith("paisctl -i a\\%b.yaml backup knowledge # paisctl-backup-knowledge\n")


def test_the_line_for_cron_replaces_an_older_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text(
        '#!/bin/sh\ncase $1 in -l) cat "$HOME/tab" ;; -) cat >"$HOME/new" ;; esac\n'
    )
    (tmp_path / "crontab").chmod(0o755)
    (tmp_path / "tab").write_text("1 2 * * * mine\n1 2 * * * x # paisctl-backup-knowledge\n")
    made = schedule("knowledge", "03:05", "darwin", "fleet", [])
    [(file, line)] = made.files.items()
    (tmp_path / file).write_text(line)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", made.steps[0]], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "new").read_text() == f"1 2 * * * mine\n{line}"


def test_dsm_gets_a_script_for_its_task_scheduler(tmp_path: Path) -> None:
    made = schedule("knowledge", "03:30", "dsm", "the fleet", [Path("pais.yaml")])
    (tmp_path / "paisctl").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "paisctl").chmod(0o755)
    (tmp_path / "the fleet").mkdir()
    script = tmp_path / "task.sh"
    script.write_text(made.files["paisctl-backup-knowledge.sh"])
    done = subprocess.run(
        ["sh", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shlex.split(done.stdout) == ["-i", "pais.yaml", "backup", "knowledge"]
    assert any("Task Scheduler" in step for step in made.steps)
