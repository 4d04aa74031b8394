"""The probe in three shells, one of them with BusyBox's user land, and a scripted docker."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from paisctl.errors import UnexpectedAnswer
from paisctl.hostside import assignments, probe_program
from paisctl.observed import HostState, KeptGeneration
from paisctl.probe import listen, octal, probe, version_tuple
from paisctl.targets import Target
from paisctl.transports.fake import FakeTransport, Reply
from tests.unit.hostside.conftest import LEADS_TO_ENGINE, Host

ID = "a" * 64
IMAGE = {"Id": f"sha256:{'1' * 64}", "RepoTags": ["image:1"]}
CONTAINER = {
    "Id": ID,
    "Image": IMAGE["Id"],
    "Name": '/it\'s "x"',
    "Config": {"Image": "image:1"},
    "Pad": "x" * 5000,
}
PARAMETERS = "ROOT=/x DOCKER= SUDO= TEXTS=\n"
ODD_NAME = "a \"quoted\" 'b' back\\slash $HOME `id` * ümläut\ttab.txt"
KEPT = {"Id": f"sha256:{'2' * 64}", "RepoTags": ["kept:1"]}
ENGINE = f'case "$*" in {LEADS_TO_ENGINE} esac'


def refusing(words: str) -> str:
    return f"echo '{words}' >&2; exit 1"


def read(host: Host, **changes: object) -> HostState:
    return probe(host.target(**changes), texts=True)


def run(host: Host, program: str, **changes: object) -> HostState:
    channel = host.transport.open("sh -s")
    channel.write(program.encode())
    return listen(host.target(**changes), channel)


def without_system_docker(host: Host, **changes: object) -> HostState:
    """Read a machine that has no docker in the places where this one may have it."""
    text = probe_program().replace("/usr/local/bin /usr/bin /opt", "/opt")
    return run(host, PARAMETERS + text, **changes)


def test_a_host_in_full(host: Host) -> None:
    host.program("docker", ENGINE)
    host.has([CONTAINER], [IMAGE])
    host.write("manifest.json", '{"paisctl":1,\n"x\\"y":"ü"}\n')
    compose = host.write("stacks/a/compose.yaml", "services: {}\n# \"'\\\t€\n")
    host.write("stacks/a/secret.env", "S=1\n", 0o600)
    odd = host.write(f"stacks/a b/{ODD_NAME.replace(chr(9), ' ')}", "odd", 0o755)
    (host.root / "stacks/a/li nk").symlink_to("/etc/passwd")
    state = read(host)
    assert state.problem == ""
    assert state.root == str(host.root)
    assert state.containers[0].name == 'it\'s "x"'
    assert state.image_id("image:1") == f"sha256:{'1' * 64}"
    assert state.manifest == '{"paisctl":1,\n"x\\"y":"ü"}\n'
    assert state.texts == {
        "stacks/a/compose.yaml": compose.read_text(),
        str(odd.relative_to(host.root)): "odd\n",
    }
    files = {path: (file.kind, file.mode, file.digest) for path, file in state.files.items()}
    assert files == {
        "stacks/a/compose.yaml": ("-", "0644", digest(compose)),
        "stacks/a/secret.env": ("-", "0600", digest(host.root / "stacks/a/secret.env")),
        str(odd.relative_to(host.root)): ("-", "0755", digest(odd)),
        "stacks/a/li nk": ("l", "0777", ""),
    }
    assert state.facts is not None
    assert state.facts.docker == (str(host.binaries / "docker"),)
    assert host.calls() == ["system dial-stdio"]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_is_changed(host: Host) -> None:
    host.program("docker", ENGINE)
    state = read(host)
    assert state.problem == ""
    assert state.files == {}
    assert sorted(path.name for path in host.home.iterdir()) == ["docker.calls", "engine.json"]


def test_a_link_in_place_of_all_stacks(host: Host) -> None:
    host.program("docker", ENGINE)
    host.write("elsewhere/a/compose.yaml", "")
    (host.root / "stacks").symlink_to("elsewhere")
    assert [(file.path, file.kind) for file in read(host).files.values()] == [("stacks", "l")]


def test_names_with_control_characters_are_counted(host: Host) -> None:
    host.program("docker", ENGINE)
    host.write("stacks/a/one\ntwo", "")
    host.write("stacks/a/bell\a", "")
    state = read(host)
    assert state.files == {}
    assert any("2 file(s) with control characters" in note for note in state.notes)


def test_compose_is_asked_for_its_version_before_it_is_first_used(host: Host) -> None:
    host.program("docker", ENGINE)
    state = read(host)
    assert (state.problem, state.containers) == ("", ())
    assert host.calls() == ["system dial-stdio", "compose version --short"]


def test_two_hundred_containers(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    dash_host.has(
        [CONTAINER | {"Id": f"{i:064x}", "Image": f"sha256:{i:064x}"} for i in range(200)],
        [{"Id": f"sha256:{i:064x}"} for i in range(100)],
    )
    state = read(dash_host)
    assert len(state.containers) == 200
    assert len(state.images) == 100


def test_docker_off_the_path(host: Host) -> None:
    docker = host.program("docker", ENGINE, host.home / ".orbstack/bin")
    state = without_system_docker(host)
    assert state.facts is not None
    assert state.facts.docker == (str(docker),)


def test_docker_only_through_sudo(host: Host) -> None:
    asks = f'[ "$AS_ROOT" ] || {{ {refusing("permission denied while trying to connect")}; }}'
    host.program("docker", f"{asks}\n{ENGINE}")
    host.program("sudo", '[ "$1" = -n ] && shift && AS_ROOT=1 exec "$@"')
    state = read(host)
    assert state.problem == ""
    assert state.facts is not None
    assert state.facts.docker == ("sudo", "-n", str(host.binaries / "docker"))
    assert not state.facts.files_sudo


def test_docker_settings_of_the_inventory_are_obeyed(host: Host) -> None:
    docker = host.program("docker", ENGINE, host.home / "elsewhere")
    host.program("sudo", 'shift && exec "$@"')
    state = read(host, docker=str(docker), docker_sudo=True)
    assert state.facts is not None
    assert state.facts.docker == ("sudo", "-n", str(docker))
    host.program("docker", refusing("permission denied"), host.home / "elsewhere")
    state = read(host, docker=str(docker), docker_sudo=False)
    assert "may not use Docker" in state.problem


@pytest.mark.parametrize(
    ("body", "problem", "hint"),
    [
        (refusing("permission denied while trying to connect"), "may not use Docker", "usermod"),
        (refusing("dial unix /x: connect: connection refused"), "not running", "systemctl"),
        (refusing("dial unix /x: connect: no such file or directory"), "not running", "systemctl"),
        (refusing("no such host"), "docker fails: no such host", "docker ps"),
        ("exit 0", "docker fails: it does not lead to an engine", "docker ps"),
        (ENGINE.replace("2.26.1", "2.16.0"), "2.16.0 is too old", "upgrade"),
        (ENGINE.replace("echo 2.26.1", "exit 1"), "Compose was not found", "docker-compose-plugin"),
    ],
)
def test_a_docker_that_cannot_be_used(dash_host: Host, body: str, problem: str, hint: str) -> None:
    dash_host.program("docker", body)
    dash_host.program("sudo", refusing("sudo: a password is required"))
    state = read(dash_host)
    assert problem in state.problem
    assert hint in state.hint


def test_no_docker_is_a_problem_only_where_it_is_wanted(host: Host) -> None:
    assert without_system_docker(host).problem == "docker was not found"
    state = without_system_docker(host, images=())
    assert state.problem == ""
    assert state.notes[0] == "docker was not found"


@pytest.mark.parametrize(
    ("controllers", "cgroups", "is_counted"),
    [
        ("cpuset cpu io memory hugetlb pids", None, True),
        ("cpuset cpu io pids", None, False),  # a Raspberry Pi as it comes
        (None, "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t3\t99\t1", True),
        (None, "cpu\t2\t9\t1\nmemory\t0\t99\t0", False),
        (None, None, True),  # a Mac, whose virtual machine counts
    ],
)
def test_whether_memory_limits_mean_anything(
    dash_host: Host, controllers: str | None, cgroups: str | None, is_counted: bool
) -> None:
    dash_host.program("docker", ENGINE)
    program = probe_program()
    for place, text in (
        ("/sys/fs/cgroup/cgroup.controllers", controllers),
        ("/proc/cgroups", cgroups),
    ):
        file = dash_host.home / Path(place).name
        if text is not None:
            file.write_text(f"{text}\n")
        program = program.replace(place, str(file))
    notes = run(dash_host, PARAMETERS + program).notes
    assert any("memory limits" in note for note in notes) is not is_counted


def test_a_root_below_home(host: Host) -> None:
    host.program("docker", ENGINE)
    target = Target("box", host.transport, "~/some where", ("image:1",))
    assert probe(target).root == f"{host.home}/some where"


def test_a_root_that_cannot_be_looked_into_is_not_taken_for_an_empty_one(host: Host) -> None:
    host.program("docker", ENGINE)
    closed = probe_program().replace("root_state=writable", "root_state=closed")
    state = run(host, PARAMETERS + closed.replace("root_state=absent", ":"))
    assert "may not look into" in state.problem
    assert state.hint.startswith("on the host: sudo chmod a+rx ")


def test_noise_around_the_document(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    noisy = f"echo 'Welcome to box!'; printf '\\033[0m'\n{PARAMETERS}{probe_program()}echo logout\n"
    assert run(dash_host, noisy).root == "/x"


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        (b"", "gave no answer to the probe"),
        (b"This account is currently not available.\n", "but said: This account is"),
        (b'\n{"paisctl":1,"host":{"os":"Lin', "is cut off after 30 characters"),
        (b'\n{"paisctl":1,"host":' + b"[" * 100_000, "is cut off after"),
        (b'\n{"paisctl":1,"host":[],"docker":7}', "is none of a probe"),
    ],
)
def test_an_answer_that_is_none(stdout: bytes, message: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=message):
        probe(Target("box", FakeTransport([Reply(stdout)]), "/x"))


def test_modes_and_versions_are_read() -> None:
    assert octal("-rwxr-x---") == "0750"
    assert octal("-rwsr-Sr-T") == "7744"
    assert version_tuple("2.26.1-desktop.1") == (2, 26, 1)


def test_what_a_host_remembers(host: Host) -> None:
    host.program("docker", ENGINE)
    host.has(images=[KEPT])
    host.write("audit.log", '{"run":"a"}\n{"run":"b \\"x\\""}\n{"run":"c"}\n')
    host.write("generations/10/record.json", '{"generation":10}\n')
    host.write("generations/10/manifest.json", '{"paisctl":1}\n')
    host.write("generations/10/stacks", "web 00ff\n")
    host.write("generations/9/record.json", 'torn "\\\0\1')
    host.write("generations/old/record.json", "no number")
    host.write("generations/kept/web/00ff/files/a b/page.html", "page\n")
    host.write("generations/kept/web/00ff/files/secret", "secret\n", 0o600)
    host.write("generations/kept/web/00ff/images", f"sha256:{'1' * 64} kept:1\nno image\n", 0o600)
    host.write("stacks/web/page.html", "new\n")
    (host.root / "generations").chmod(0o700)
    state = probe(host.target(), texts=True, history=True)
    assert [json.loads(line)["run"] for line in state.last_runs] == ["a", 'b "x"', "c"]
    assert state.generations == (
        KeptGeneration(9, 'torn "\\\n'),
        KeptGeneration(10, '{"generation":10}\n', "web 00ff\n", '{"paisctl":1}\n'),
    )
    assert state.kept_files == {
        "web/00ff/files/a b/page.html",
        "web/00ff/files/secret",
        "web/00ff/images",
    }
    assert state.texts == {
        "stacks/web/page.html": "new\n",
        "generations/kept/web/00ff/files/a b/page.html": "page\n",
    }
    assert state.image_id("kept:1") == KEPT["Id"]


def test_a_plan_reads_the_end_of_the_log_and_no_generations(host: Host) -> None:
    host.program("docker", ENGINE)
    host.write("audit.log", "one\ntwo\nthree")
    host.write("generations/9/record.json", "{}")
    state = read(host)
    assert state.last_runs == ("two", "three")
    assert (state.generations, state.kept_files) == ((), frozenset())


def test_nothing_is_remembered_where_nothing_was_applied(host: Host) -> None:
    host.program("docker", ENGINE)
    (host.root / "lock").mkdir(parents=True)
    state = probe(host.target(), history=True)
    assert (state.problem, state.lock, state.lock_alive, state.last_runs) == ("", "", None, ())
    assert (state.generations, state.kept_files) == ((), frozenset())
    assert abs(state.epoch - time.time()) < 60


def test_whether_the_process_behind_a_lock_lives(host: Host) -> None:
    host.program("docker", ENGINE)
    run = host.home / "staging/run.sh"
    run.parent.mkdir()
    run.write_text("read -r _\n")
    with subprocess.Popen(["sh", str(run)], stdin=subprocess.PIPE) as process:
        assert alive(host, f'{{"run":"r","process":{process.pid},"started":1}}\n') is True
        assert alive(host, f'{{"run": "r", "process": {process.pid}}}') is True
        assert alive(host, f'{{"run":"r","process":{os.getpid()}}}') is False
    assert alive(host, f'{{"run":"r","process":{process.pid}}}') is False
    assert alive(host, "torn by a power cut") is None


def alive(host: Host, lock: str) -> bool | None:
    host.write("lock", lock)
    state = read(host)
    assert state.lock == lock.rstrip("\n") + "\n"
    return state.lock_alive


def test_where_only_ps_can_tell_whether_a_process_lives(dash_host: Host) -> None:
    """As on a Mac, which has no /proc."""
    ps = 'case $2 in 5) echo "sh /opt/paisctl/staging/r/run.sh" ;; 6) echo vi ;; 7) exit 1 ;; esac'
    dash_host.program("docker", ENGINE)
    dash_host.program("ps", ps)
    program = probe_program().replace("/proc/", "/no-proc/")

    def told(process: int) -> bool | None:
        dash_host.write("lock", f'{{"process":{process}}}')
        parameters = assignments(ROOT=str(dash_host.root), DOCKER="", SUDO="", TEXTS="")
        return run(dash_host, parameters + program).lock_alive

    assert [told(5), told(6), told(7)] == [True, False, False]
    dash_host.program("ps", "exit 1")
    assert told(5) is None


def test_what_paisctl_left_is_read_although_docker_is_down(dash_host: Host) -> None:
    dash_host.program("docker", refusing("connection refused"))
    dash_host.write("manifest.json", '{"paisctl":1,"generation":3,"stacks":{"web":{}}}')
    dash_host.write("audit.log", "one\n")
    state = read(dash_host, images=())
    assert "not running" in state.problem  # nothing asks for stacks, but there are some
    assert (state.root, state.last_runs) == (str(dash_host.root), ("one",))
    assert state.manifest.startswith('{"paisctl":1')
