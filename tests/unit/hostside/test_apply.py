"""The host's side of applying, in three shells, with a docker that does as a test tells it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

import pytest

from paisctl.desired import GateSpec
from paisctl.events import Event, HostEnded, HostResult, Outcome, StackEnded, StepStarted
from paisctl.execute import execute
from paisctl.execution.conduct import Conduct
from paisctl.execution.delivery import Delivery, Run, pack
from paisctl.hostside import assignments, script
from paisctl.operation import (
    CheckFile,
    DisconnectNetwork,
    InstallFile,
    Operation,
    PassGate,
    Pull,
    RemoveContainer,
    RemoveFile,
    RemoveProject,
    ServiceOperation,
    SignalService,
    Verb,
    WaitHealthy,
)
from paisctl.plan import HostPlan, Plan, StackPlan
from paisctl.probe import probe
from paisctl.resources.file import FileCheck, FileSpec
from paisctl.secrets import Vault, token
from tests.unit.hostside.conftest import LEADS_TO_ENGINE, Host

VAULT = Vault({"key": "s3cret 'quoted' \"ü\" $HOME"}, "digest key")
WELL = "running/healthy 0 always 0 t0 web"
CONDUCT = Conduct()
RUN = Run("run-1", "ann", "laptop", "2026-01-01T00:00:00Z", CONDUCT)
PARTS: dict[str, object] = {
    "services": {},
    "files": {},
    "inputs": {},
    "needs": [],
    "gates": [],
    "health_timeout": 5,
    "bundle": "",
}
ENTRY = json.dumps(PARTS)
COMPOSE = InstallFile(FileSpec("compose.yaml", "services: {}\n"))


def engine(*states: str, more: str = "") -> str:
    """A docker with one container, of service web; each look at it shows the next state."""
    looks = "\n".join(f"    {number}) echo 'c1 {state}' ;;" for number, state in enumerate(states))
    return f"""
case "$*" in
  *'Label "com.docker.compose.service"'*) echo 'c1 web' ;;
  {LEADS_TO_ENGINE}
  ps*) ;;
  inspect*)
    look=$(cat "$HOME/look" 2>/dev/null || echo 0)
    echo $((look + 1)) >"$HOME/look"
    [ "$look" -lt {len(states)} ] || look={len(states) - 1}
    case $look in
{looks}
    esac ;;
  logs*) echo 'last words of c1' ;;
{more}
esac
"""


@dataclass
class Applied:
    """How an apply of one host went."""

    result: HostResult
    events: list[Event] = field(default_factory=list)

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: str(end.outcome) for name, end in self.result.stacks.items()}

    @property
    def details(self) -> list[str]:
        return [event.detail for event in self.events if isinstance(event, StepStarted)]


def apply(host: Host, *stacks: StackPlan, conduct: Conduct = CONDUCT) -> Applied:
    target = host.target()
    events: list[Event] = []
    plan = Plan((HostPlan("box", stacks),))
    results = execute(plan, {"box": target}, {"box": probe(target)}, VAULT, events.append, conduct)
    return Applied(results["box"], events)


def stack(*operations: Operation, name: str = "a", entry: str = ENTRY) -> StackPlan:
    return StackPlan(name, operations=operations, entry=entry)


def ended(applied: Applied, name: str = "a") -> StackEnded:
    return applied.result.stacks[name]


def docker_words(host: Host) -> list[str]:
    """What docker was asked for, but for the reading of states."""
    reading = ("ps ", "system ", "compose version", "version", "inspect ")
    return [call for call in host.calls() if not call.startswith(reading)]


def test_files_are_installed_with_their_content_and_mode(host: Host) -> None:
    host.program("docker", engine(WELL))
    odd = "a \"quoted\" 'b' back\\slash $HOME `id` ümläut.txt"
    content = f"key = {token('key')}\n€ \udcff"
    applied = apply(
        host,
        stack(COMPOSE, InstallFile(FileSpec(f"con fig/{odd}", content, mode="0600"))),
    )
    assert applied.outcomes == {"a": "applied"}
    file = host.root / "stacks/a/con fig" / odd
    expected = VAULT.reveal(content).encode("utf-8", "surrogateescape")
    assert file.read_bytes() == expected
    assert file.stat().st_mode & 0o7777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o755
    assert (host.root / "stacks/a/compose.yaml").stat().st_mode & 0o7777 == 0o644
    state = applied.result.state
    assert state is not None
    assert set(state.files) == {"stacks/a/compose.yaml", f"stacks/a/con fig/{odd}"}


def test_only_the_manifest_and_the_audit_log_stay_beside_the_stacks(host: Host) -> None:
    host.program("docker", engine(WELL))
    (host.root / "staging/of-an-old-run").mkdir(parents=True)
    os.utime(host.root / "staging/of-an-old-run", (0, 0))
    apply(host, stack(COMPOSE))
    assert sorted(path.name for path in host.root.iterdir()) == [
        "audit.log",
        "generations",
        "manifest.json",
        "metrics",
        "stacks",
    ]
    began, ended = map(json.loads, (host.root / "audit.log").read_text().splitlines())
    assert (began["event"], ended["event"]) == ("began", "ended")
    assert (ended["generation"], ended["stacks"]) == (1, {"a": "applied"})


def test_the_manifest_tells_what_was_applied(host: Host) -> None:
    host.program("docker", engine(WELL, more="  pull*) exit 1 ;;"))
    kept = PARTS | {"bundle": "x" * 100_000}
    new = PARTS | {"bundle": "new"}
    old = {"paisctl": 1, "generation": 7, "stacks": {"kept": kept, "gone": kept, "bad": kept}}
    host.write("manifest.json", json.dumps(old))
    applied = apply(
        host,
        stack(COMPOSE, name="new", entry=json.dumps(new)),
        stack(RemoveProject("gone"), name="gone", entry=""),
        stack(Pull("x"), name="bad", entry=json.dumps(new)),
    )
    manifest = json.loads((host.root / "manifest.json").read_text())
    assert manifest["generation"] == 8
    assert manifest["stacks"] == {"new": new, "kept": kept, "bad": kept}
    state = applied.result.state
    assert state is not None
    assert json.loads(state.manifest) == manifest


def test_every_operation_is_one_call(host: Host) -> None:
    host.program("docker", engine(WELL))
    directory = host.root / "stacks/a"
    host.write("stacks/a/compose.override.yaml", "services: {}\n")
    applied = apply(
        host,
        stack(
            Pull("image:2"),
            COMPOSE,
            ServiceOperation(Verb.CREATE, ("web",)),
            ServiceOperation(Verb.RECREATE, ("web",)),
            ServiceOperation(Verb.START, ("web",)),
            ServiceOperation(Verb.UNPAUSE, ("web",)),
            ServiceOperation(Verb.RESTART, ("web",)),
            SignalService("web", "SIGHUP"),
            DisconnectNetwork("other", "c2", "other-1"),
            RemoveContainer("c3", "web-2"),
            RemoveProject("b"),
            WaitHealthy(("web",), 5),
            PassGate(GateSpec("answers", "web", ("curl", "http://x y/"), 5)),
        ),
    )
    assert applied.outcomes == {"a": "applied"}
    files = f"--file {directory}/compose.yaml --file {directory}/compose.override.yaml"
    compose = f"compose --ansi never --project-name a --project-directory {directory} {files}"
    up = f"{compose} up --detach --no-deps --no-build --pull never"
    assert docker_words(host) == [
        "pull image:2",
        f"{up} web",
        f"{up} --force-recreate web",
        "start c1",
        "unpause c1",
        "restart c1",
        "kill --signal SIGHUP c1",
        "network disconnect --force other c2",
        "stop c3",
        "rm --force c3",
        "compose --ansi never --project-name b down",
        "exec c1 curl http://x y/",
    ]


def test_a_failing_step_ends_its_stack_and_no_other(host: Host) -> None:
    pull = "  pull*) printf 'pulling\\r\\033[31mno route to \"registry\"\\033[0m\\n' >&2; exit 1 ;;"
    host.program("docker", engine(WELL, more=pull))
    applied = apply(host, stack(Pull("x"), COMPOSE), stack(COMPOSE, name="b"))
    assert applied.outcomes == {"a": "failed", "b": "applied"}
    end = ended(applied)
    assert end.step == "pull x"
    assert end.log == ("pulling", 'no route to "registry"')
    assert not (host.root / "stacks/a").exists()
    assert applied.result.problem == ""


def test_secrets_do_not_come_back_in_logs(dash_host: Host) -> None:
    pull = '  pull*) cat "$HOME/said"; exit 1 ;;'
    dash_host.program("docker", engine(WELL, more=pull))
    (dash_host.home / "said").write_text(f"using {VAULT.values['key']} now\n")
    end = ended(apply(dash_host, stack(Pull("x"))))
    assert end.log == ("using (secret key) now",)
    assert end.message == "using (secret key) now"


def test_a_file_check_sees_the_directory_as_it_will_be(host: Host) -> None:
    run = '  run*) for w; do case $w in *:ro) d=${w%%:*} ;; esac; done; cat "$d"/*; exit 1 ;;'
    host.program("docker", engine(WELL, more=run))
    host.write("stacks/a/config/kept.cfg", "kept\n")
    changed = host.write("stacks/a/config/changed.cfg", "old\n")
    check = FileCheck("web", ("haproxy", "-c", "-f", "/etc/x"))
    applied = apply(
        host,
        stack(
            CheckFile("config/changed.cfg", check, "image:1", ("config:/etc/x",)),
            InstallFile(FileSpec("config/changed.cfg", "new\n")),
        ),
    )
    assert ended(applied).log == ("new", "kept")
    assert changed.read_text() == "old\n"
    (call,) = docker_words(host)
    before, _, after = call.partition(" --volume ")
    assert before == "run --rm --network none --user 0:0 --entrypoint haproxy"
    assert after.endswith("/preview/a/config:/etc/x:ro image:1 -c -f /etc/x")


@pytest.mark.parametrize(
    ("states", "outcome", "problem"),
    [
        (["running/starting 0 always 0 t0 web", WELL], "applied", ""),
        (["running/starting 0 always 0 t0 web"], "failed", "web: starting after 2 s"),
        (
            ["running/starting 0 always 0 t0 web", "running/unhealthy 0 always 0 t0 web"],
            "failed",
            "web: unhealthy",
        ),
        (["running/unhealthy 0 always 0 t0 web", WELL], "applied", ""),
        (["running/ 0 always 0 t0 web"], "applied", ""),
        (["exited/ 0 no 0 t0 web"], "applied", ""),
        (["exited/ 0 on-failure 0 t0 web"], "applied", ""),
        (["exited/ 3 no 0 t0 web"], "failed", "web: exited with 3"),
        (["exited/ 0 unless-stopped 0 t0 web"], "failed", "web: stopped after 2 s"),
        (["restarting/ 1 always 2 t0 web", WELL.replace("always 0", "always 2")], "applied", ""),
        (["restarting/ 1 always 5 t0 web"], "failed", "web: restarting again and again"),
        (["paused/ 0 always 0 t0 web"], "failed", "web: paused after 2 s"),
        (["dead/ 0 always 0 t0 web"], "failed", "web: dead"),
    ],
)
def test_waiting_for_health(dash_host: Host, states: list[str], outcome: str, problem: str) -> None:
    dash_host.program("docker", engine(*states))
    timeout = 5 if outcome == "applied" else 2
    applied = apply(dash_host, stack(WaitHealthy(("web",), timeout)))
    assert applied.outcomes == {"a": outcome}
    assert ended(applied).message.startswith(problem)
    if outcome == "failed":
        assert ended(applied).log[-1] == "last words of c1"


CHECKS = [
    ("printf '3\\nCMD\\nask\\nit well\\n'", "exec c1 ask it well", "applied"),
    ("printf '2\\nCMD-SHELL\\nask; it\\n'", "exec c1 /bin/sh -c ask; it", "applied"),
    ("printf '2\\nCMD-SHELL\\nfails\\n'", "exec c1 /bin/sh -c fails", "failed"),
    ("printf '2\\nCMD-SHELL\\nhangs\\n'", "exec c1 /bin/sh -c hangs", "failed"),
    ("printf '2\\nCMD-SHELL\\ntwo\\nlines\\n'", "", "failed"),
    ("printf '1\\nNONE\\n'", "", "failed"),
]


@pytest.mark.parametrize(("check", "asked", "outcome"), CHECKS)
def test_a_starting_service_is_asked_before_docker_asks_it(
    host: Host, check: str, asked: str, outcome: str
) -> None:
    more = f"""
  'container inspect '*) {check} ;;
  exec*fails) exit 1 ;;
  exec*hangs) sleep 30 ;;
"""
    host.program("docker", engine("running/starting 0 always 0 t0 web", more=more))
    applied = apply(host, stack(WaitHealthy(("web",), 4 if outcome == "applied" else 1)))
    assert applied.outcomes == {"a": outcome}
    assert {call for call in host.calls() if call.startswith("exec")} == ({asked} - {""})


def test_what_is_waited_for_is_told(host: Host) -> None:
    host.program("docker", engine("running/starting 0 always 0 t0 web", WELL))
    applied = apply(host, stack(WaitHealthy(("web",), 5)))
    assert "web: starting" in applied.details


def test_a_service_without_a_container(host: Host) -> None:
    host.program("docker", engine(WELL))
    applied = apply(host, stack(WaitHealthy(("other",), 5)))
    assert ended(applied).message == "service other has no container"


def test_a_gate_is_tried_until_its_time_is_over(dash_host: Host) -> None:
    dash_host.program("docker", engine(WELL, more="  exec*) echo 'not yet'; exit 1 ;;"))
    gate = PassGate(GateSpec("answers", "web", ("true",), 1))
    end = ended(apply(dash_host, stack(gate)))
    assert (end.step, end.message) == ("gate answers", "not passed after 1 s: not yet")
    assert len([call for call in dash_host.calls() if call.startswith("exec")]) == 2


def test_nothing_is_written_through_a_link_that_leaves_the_root(host: Host, tmp_path: Path) -> None:
    host.program("docker", engine(WELL))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    (host.root / "stacks/a").mkdir(parents=True)
    (host.root / "stacks/a/config").symlink_to(outside)
    for operation in (
        InstallFile(FileSpec("config/new/file", "x")),
        RemoveFile("config/victim"),
    ):
        end = ended(apply(host, stack(operation)))
        assert end.outcome is Outcome.FAILED
        assert "leads out of" in end.message
    assert [path.name for path in outside.iterdir()] == ["victim"]


def test_a_path_that_goes_up_removes_and_writes_nothing(host: Host) -> None:
    """Rendering refuses such a path; a manifest or a saved plan may have been edited."""
    host.program("docker", engine(WELL))
    victim = host.root / "stacks/victim"
    (host.root / "stacks/a").mkdir(parents=True)
    victim.write_text("untouched")
    end = ended(apply(host, stack(RemoveFile("../victim"))))
    assert end.outcome is Outcome.FAILED
    assert "leads out of" in end.message
    assert victim.read_text() == "untouched"


CHECKED = CheckFile("config/f", FileCheck("web", ("test",)), "image:1", ("config:/etc/x",))


def test_checking_a_file_writes_through_no_link(host: Host, tmp_path: Path) -> None:
    """The files to check are laid over a copy of what is there, and there a link may be."""
    host.program("docker", engine(WELL, more="  run*) ;;"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("untouched")
    config = host.root / "stacks/a/config"
    files = (InstallFile(FileSpec(path, "new")) for path in ("config/f", "config/d/f"))
    changes = stack(CHECKED, *files, entry="")

    config.parent.mkdir(parents=True)
    config.symlink_to(outside)
    end = ended(apply(host, changes))
    assert end.step.startswith("check")
    assert "leads out of" in end.message

    config.unlink()
    config.mkdir()
    (config / "f").symlink_to(outside / "f")
    (config / "mine").symlink_to("f")
    assert apply(host, changes).outcomes == {"a": "applied"}
    assert (config / "f").read_text() == "new"
    assert (config / "mine").is_symlink()

    (config / "d/f").unlink()
    (config / "d").rmdir()
    (config / "d").symlink_to(outside)
    assert "leads out of" in ended(apply(host, changes)).message
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"f": "untouched"}


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(host: Host) -> None:
    host.program("docker", engine(WELL))
    victim = host.home / "victim"
    victim.write_text("untouched")
    (host.root / "stacks/a").mkdir(parents=True)
    (host.root / "stacks/a/compose.yaml").symlink_to(victim)
    assert apply(host, stack(COMPOSE)).outcomes == {"a": "applied"}
    assert victim.read_text() == "untouched"
    assert not (host.root / "stacks/a/compose.yaml").is_symlink()


def test_a_directory_in_the_place_of_a_file(host: Host) -> None:
    host.program("docker", engine(WELL))
    (host.root / "stacks/a/compose.yaml").mkdir(parents=True)
    assert "is a directory" in ended(apply(host, stack(COMPOSE))).message


def test_empty_directories_go_with_the_last_file(host: Host) -> None:
    host.program("docker", engine(WELL))
    host.write("stacks/a/config/x.cfg", "")
    host.write("stacks/b/config/x.cfg", "")
    host.write("stacks/b/mine", "")
    apply(
        host,
        stack(RemoveFile("config/x.cfg"), entry=""),
        stack(RemoveFile("config/x.cfg"), RemoveFile("never-there"), name="b"),
    )
    assert sorted(str(p.relative_to(host.root)) for p in host.root.rglob("stacks/**/*")) == [
        "stacks/b",
        "stacks/b/mine",
    ]


def lock_of(process: int) -> str:
    lock = {"run": "r", "who": "ann", "machine": "laptop", "command": "apply", "process": process}
    return json.dumps(lock | {"started": 1, "heartbeat": 1}, separators=(",", ":"))


def test_one_apply_at_a_time(host: Host) -> None:
    host.program("docker", engine(WELL))
    # What an apply is called in the list of processes.
    with subprocess.Popen(["/staging/r/run.sh", "60"], executable="sleep") as other:
        lock = host.write("lock", lock_of(other.pid))
        applied = apply(host, stack(COMPOSE))
        other.terminate()
        assert applied.result.problem == "it is being changed by ann@laptop (apply)"
        assert "paisctl unlock box" in applied.result.hint
        assert applied.outcomes == {"a": "skipped"}
        assert sorted(path.name for path in host.root.iterdir()) == ["lock", "metrics", "stacks"]
    assert lock.exists()
    assert apply(host, stack(COMPOSE)).outcomes == {"a": "applied"}
    assert not lock.exists()


@pytest.mark.parametrize(
    "text", ["", "\n", pytest.param(lock_of(os.getpid()), id="of another program")]
)
def test_a_lock_of_no_apply_is_nobodys(dash_host: Host, text: str) -> None:
    """Left empty by a power cut; or its number was given to another process since."""
    dash_host.program("docker", engine(WELL))
    dash_host.write("lock", text)
    assert apply(dash_host, stack(COMPOSE)).outcomes == {"a": "applied"}
    assert not (dash_host.root / "lock").exists()


def test_a_root_that_belongs_to_root_is_written_through_sudo(dash_host: Host) -> None:
    dash_host.program("docker", engine(WELL))
    dash_host.program("sudo", 'shift && exec "$@"')
    target = dash_host.target()
    state = probe(target)
    assert state.facts is not None
    object.__setattr__(state.facts, "files_sudo", True)  # as a probe that is not root finds it
    plan = Plan((HostPlan("box", (stack(COMPOSE),)),))
    results = execute(plan, {"box": target}, {"box": state}, VAULT, lambda _: None, Conduct())
    assert results["box"].stacks["a"].outcome is Outcome.APPLIED
    assert dash_host.calls("sudo") == ["-n sh -s"]


def test_an_interrupt_lets_the_stack_be_finished_and_begins_no_other(dash_host: Host) -> None:
    dash_host.program("docker", engine(WELL, more="  pull*) sleep 0.5 ;;"))
    target = dash_host.target()
    events: list[Event] = []
    main = threading.current_thread()

    def interrupt(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepStarted) and event.step == "pull x":
            signal.pthread_kill(main.ident or 0, signal.SIGINT)

    plan = Plan((HostPlan("box", (stack(Pull("x"), COMPOSE), stack(COMPOSE, name="b"))),))
    with pytest.raises(KeyboardInterrupt):
        execute(plan, {"box": target}, {"box": probe(target)}, VAULT, interrupt, Conduct())
    ends = {event.stack: event.outcome for event in events if isinstance(event, StackEnded)}
    assert ends == {"a": Outcome.APPLIED, "b": Outcome.SKIPPED}
    assert isinstance(events[-1], HostEnded)
    assert set(json.loads((dash_host.root / "manifest.json").read_text())["stacks"]) == {"a"}


def test_a_host_that_is_left_alone_finishes_its_stack_and_stops(host: Host) -> None:
    host.program("docker", engine(WELL, more="  pull*) sleep 0.3 ;;"))
    target = host.target()
    plan = HostPlan("box", (stack(Pull("x"), COMPOSE), stack(COMPOSE, name="b")))
    delivery = pack(plan, target, probe(target), VAULT, RUN)
    with subprocess.Popen(
        ["sh"],
        env={"PATH": host.search, "HOME": str(host.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(delivery.receive)
        process.stdin.flush()
        assert b"ready" in process.stdout.readline()
        process.stdin.write(delivery.archive)
        process.stdin.flush()
        assert any(b"locking" in line for line in process.stdout)
        process.stdin.write(b"lock\ngo\n")
        process.stdin.flush()
        assert any(b"pull x" in line for line in process.stdout)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        process.wait(timeout=20)
    assert set(json.loads((host.root / "manifest.json").read_text())["stacks"]) == {"a"}
    assert not (host.root / "stacks/b").exists()
    assert not (host.root / "lock").exists()
    assert not (host.root / "staging").exists()


def quickened(delivery: Delivery, root: Path) -> Delivery:
    """A delivery whose host loses its patience after seconds instead of a minute."""
    packed, renewed = io.BytesIO(delivery.archive), io.BytesIO()
    with tarfile.open(fileobj=packed) as old, tarfile.open(fileobj=renewed, mode="w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content
            text = content.read().replace(b"HEARTBEAT=5", b"HEARTBEAT=1")
            text = text.replace(b"LEASE=60", b"LEASE=2")
            member.size = len(text)
            new.addfile(member, io.BytesIO(text))
    archive = renewed.getvalue()
    settings = assignments(
        ROOT=str(root), RUN="run-1", SIZE=str(len(archive)), DIGEST=sha256(archive).hexdigest()
    )
    program = settings + script("digest.sh") + script("receive.sh")
    return Delivery(program.encode(), archive)


def test_a_laptop_that_was_closed_is_not_waited_for(dash_host: Host) -> None:
    """Its connection stands, but nobody says anything any more."""
    dash_host.program("docker", engine(WELL))
    target = dash_host.target()
    plan = HostPlan("box", (stack(COMPOSE), stack(COMPOSE, name="b")))
    delivery = quickened(pack(plan, target, probe(target), VAULT, RUN), dash_host.root)
    channel = dash_host.transport.open("sh -s")
    channel.write(delivery.receive)
    lines = channel.lines()
    assert "ready" in next(lines)
    channel.write(delivery.archive)
    assert "locking" in next(lines)
    channel.write(b"lock\ngo\n")
    events = takewhile(lambda line: '"observation"' not in line, lines)
    said = [json.loads(line.removeprefix("@paisctl ")) for line in events]
    ends = [(e["event"], e["stack"]) for e in said if e["event"] in ("applied", "skipped")]
    assert ends == [("applied", "a"), ("skipped", "b")]
    assert channel.wait() == 0
    assert not (dash_host.root / "lock").exists()
    assert not (dash_host.root / "staging").exists()


def test_a_controller_that_says_it_is_there_is_waited_for(dash_host: Host) -> None:
    dash_host.program("docker", engine(WELL))
    target = dash_host.target()
    plan = HostPlan("box", (stack(COMPOSE),))
    delivery = quickened(pack(plan, target, probe(target), VAULT, RUN), dash_host.root)
    channel = dash_host.transport.open("sh -s")
    channel.write(delivery.receive)
    lines = channel.lines()
    assert "ready" in next(lines)
    channel.write(delivery.archive)
    assert "locking" in next(lines)
    channel.write(b"lock\n")
    for _ in range(12):
        time.sleep(0.5)
        channel.write(b"here\n")
    channel.write(b"go\n")
    assert any('"applied"' in line for line in lines)
    assert channel.wait() == 0


def test_a_run_survives_the_death_of_what_started_it(host: Host) -> None:
    """As Tailscale SSH kills a command when its connection ends."""
    host.program("docker", engine(WELL, more="  pull*) sleep 0.5 ;;"))
    target = host.target()
    plan = HostPlan("box", (stack(Pull("x"), COMPOSE), stack(COMPOSE, name="b")))
    delivery = pack(plan, target, probe(target), VAULT, RUN)
    with subprocess.Popen(
        ["sh", "-s"],
        env={"PATH": host.search, "HOME": str(host.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(delivery.receive)
        process.stdin.flush()
        assert b"ready" in process.stdout.readline()
        process.stdin.write(delivery.archive)
        process.stdin.flush()
        assert any(b"locking" in line for line in process.stdout)
        process.stdin.write(b"lock\ngo\n")
        process.stdin.flush()
        assert any(b"pull x" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
        process.stdout.close()
    deadline = time.monotonic() + 20
    while (host.root / "lock").exists() and time.monotonic() < deadline:  # it is taken off last
        time.sleep(0.1)
    assert not (host.root / "lock").exists()
    assert set(json.loads((host.root / "manifest.json").read_text())["stacks"]) == {"a"}
    audit = json.loads((host.root / "audit.log").read_text().splitlines()[-1])
    assert audit["outcome"] == "stopped"


def test_a_damaged_delivery_changes_nothing(host: Host) -> None:
    host.program("docker", engine(WELL))
    target = host.target()
    plan = HostPlan("box", (stack(COMPOSE),))
    delivery = pack(plan, target, probe(target), VAULT, RUN)
    damaged = delivery.archive[:-1] + b"x"
    answer = host.transport.open("sh -s")
    answer.write(delivery.receive)
    lines = answer.lines()
    assert "ready" in next(lines)
    answer.write(damaged)
    assert "arrived damaged" in next(lines)
    assert answer.wait() == 1
    assert not (host.root / "stacks").exists()
    assert list((host.root / "staging").iterdir()) == []


def test_a_delivery_that_is_cut_off_leaves_no_secrets_behind(host: Host) -> None:
    host.program("docker", engine(WELL))
    target = host.target()
    delivery = pack(
        HostPlan("box", (stack(COMPOSE),)),
        target,
        probe(target),
        VAULT,
        RUN,
    )
    with subprocess.Popen(
        ["sh"],
        env={"PATH": host.search, "HOME": str(host.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(delivery.receive)
        process.stdin.flush()
        assert b"ready" in process.stdout.readline()
        process.stdin.write(delivery.archive[:-4096])
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)
    assert list((host.root / "staging").iterdir()) == []
