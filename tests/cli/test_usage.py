"""Help, and command lines that are wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Session

COMMANDS = [
    "init",
    "lint",
    "render",
    "plan",
    "apply",
    "diff",
    "status",
    "history",
    "rollback",
    "unlock",
    "show",
    "schema",
    "secrets",
]
GROUPS = {"secrets": ["init", "list"], "lab": ["up", "status", "ssh", "exec", "down"]}
HEAVY = {"pydantic", "paramiko", "jinja2", "rich", "yaml", "jsonschema"}
HEAVY |= {"python_on_whales", "httpx", "asyncio"}


def test_help(session: Session) -> None:
    session("help", "paisctl --help", *(f"paisctl {each} --help" for each in COMMANDS))


@pytest.mark.parametrize("group", GROUPS)
def test_help_of_groups(group: str, session: Session) -> None:
    text = session(
        f"help-{group}",
        f"paisctl {group} --help",
        *(f"paisctl {group} {each} --help" for each in GROUPS[group]),
    )
    assert text.count("Example") >= len(GROUPS[group])


def test_every_command_has_help_with_an_example(session: Session) -> None:
    text = session("help", "paisctl --help", *(f"paisctl {each} --help" for each in COMMANDS))
    for command in text.split("\n$ ")[1:]:
        assert "Example" in command or "COMMAND [ARGS]" in command, command


def test_wrong_command_lines(session: Session) -> None:
    session(
        "usage",
        "paisctl",
        "paisctl nonsense",
        "paisctl plan --nonsense",
        "paisctl show",
        "paisctl lint --format nonsense",
        "paisctl secrets nonsense",
        "paisctl --version",
    )


def test_no_inventory(session: Session) -> None:
    session("no-inventory", "paisctl plan", "paisctl -i nowhere.yaml lint")


@pytest.mark.usefixtures("reference")
def test_wrong_names(session: Session) -> None:
    session(
        "wrong-names",
        "paisctl show k7",
        "paisctl plan k7",
        "paisctl plan 'x-*'",
        "paisctl render thinkpad",
        "paisctl plan --on nonsense",
        "paisctl plan --on tag:nonsense",
        "paisctl plan --stack qdrnat",
    )


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom paisctl.cli.app import run\nrun(['--help'])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert not HEAVY & set(done.stderr.decode().split())


def test_a_reader_that_goes_away_is_no_failure_to_talk_about() -> None:
    program = "from paisctl.cli.app import main; main(['schema'])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout
        assert writer.stderr
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 1


def test_output_that_cannot_be_written_is_a_failure() -> None:
    program = "from paisctl.cli.app import main; main(['schema'])"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"error: [Errno 28] No space left on device\n"


def test_nobody_needs_to_listen() -> None:
    program = "from paisctl.cli.app import main; main(['schema'])"
    closed = ["sh", "-c", '"$0" -c "$1" >&-', sys.executable, program]
    done = subprocess.run(closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_place_that_cannot_be_written(reference: Path, session: Session) -> None:
    (reference / "file").write_text("")
    session("unwritable", "paisctl render k6 -o file", "paisctl init file")


def test_being_terminated_is_as_being_interrupted() -> None:
    program = (
        "import os, signal, time\nfrom paisctl.cli import app\n"
        "app.app = lambda *_, **__: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(9))\n"
        "app.main([])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (130, b"\ninterrupted\n")
