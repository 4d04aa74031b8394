"""What a host keeps of an apply and how it goes back, in three shells, with a scripted docker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.desired import StackSpec
from paisctl.events import Event, HostResult, Outcome
from paisctl.execute import execute
from paisctl.execution.conduct import Conduct
from paisctl.manifest import manifest_line
from paisctl.operation import InstallFile, Operation, ServiceOperation, Verb, WaitHealthy
from paisctl.plan import HostPlan, Plan, StackPlan
from paisctl.probe import probe
from paisctl.resources.compose import ServiceSpec
from paisctl.resources.file import FileSpec
from paisctl.secrets import Vault, token
from tests.unit.hostside.conftest import Host
from tests.unit.hostside.test_apply import WELL, engine

VAULT = Vault({"key": "s3cret"}, "digest key")
SICK = "exited/ 3 no 0 t0 web"
FILES = {
    "compose.yaml": FileSpec("compose.yaml", "v1\n"),
    "conf/a name.cfg": FileSpec("conf/a name.cfg", "v1\n", mode="0640"),
    "conf/secret.env": FileSpec("conf/secret.env", f"KEY={token('key')}\n", mode="0600"),
}
# Docker is well until there is a file `sick` in its home.
ENGINE = engine(WELL).replace("$look in", "$([ -e $HOME/sick ] && echo sick || echo $look) in")
ENGINE = ENGINE.replace("    esac ;;", f"      sick) echo 'c1 {SICK}' ;;\n    esac ;;")


def spec(name: str, **contents: str) -> StackSpec:
    """A stack with its three files; the keywords are other contents, by the file's stem."""
    files = {
        path: replace(file, content=contents.get(Path(path).stem.replace(" ", "_"), file.content))
        for path, file in FILES.items()
    }
    service = {"web": ServiceSpec("web", {"image": "image:1"})}
    return StackSpec("box", name, service, files, {}, (), (), 5, "", None)


def plan(stack: StackSpec, *more: Operation, timeout: float = 0) -> StackPlan:
    """Everything of a stack installed, its service renewed, and waited for if there is a timeout."""
    return StackPlan(
        stack.name,
        operations=(
            *(InstallFile(file) for file in stack.files.values()),
            *more,
            ServiceOperation(Verb.RECREATE, ("web",)),
            *([WaitHealthy(("web",), timeout)] if timeout else []),
        ),
        entry=manifest_line(stack, VAULT),
    )


def apply(host: Host, *stacks: StackPlan, conduct: Conduct | None = None) -> HostResult:
    target = host.target(fleet="pais")
    events: list[Event] = []
    whole = Plan((HostPlan("box", stacks),))
    state = probe(target)
    return execute(
        whole, {"box": target}, {"box": state}, VAULT, events.append, conduct or Conduct()
    )["box"]


def outcomes(result: HostResult) -> dict[str, str]:
    return {name: str(end.outcome) for name, end in result.stacks.items()}


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (path.read_text(), path.stat().st_mode & 0o7777)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_apply_leaves_a_generation(host: Host) -> None:
    host.program("docker", ENGINE)
    conduct = Conduct(revision="1a2b3c", plan="f00")
    assert outcomes(apply(host, plan(spec("a")), conduct=conduct)) == {"a": "applied"}
    generations = host.root / "generations"
    assert generations.stat().st_mode & 0o777 == 0o700
    record = json.loads((generations / "1/record.json").read_text())
    known = {k: record[k] for k in ("generation", "device", "fleet", "revision", "plan", "changed")}
    assert known == {
        "generation": 1,
        "device": "box",
        "fleet": "pais",
        "revision": "1a2b3c",
        "plan": "f00",
        "changed": ["a"],
    }
    assert (generations / "1/manifest.json").read_text() == (
        host.root / "manifest.json"
    ).read_text()
    name, revision = (generations / "1/stacks").read_text().split()
    assert tree(generations / "kept" / name / revision / "files") == tree(host.root / "stacks/a")


def test_a_copy_that_lacks_a_file_is_made_anew(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    [copy] = (dash_host.root / "generations/kept/a").iterdir()
    (copy / "files/conf/secret.env").unlink()
    apply(dash_host, plan(spec("a")))
    assert tree(copy / "files") == tree(dash_host.root / "stacks/a")


def test_numbers_only_go_up(dash_host: Host) -> None:
    """Also when somebody has moved a damaged manifest away, as the hint of a plan says."""
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    apply(dash_host, plan(spec("a", compose="v2\n")))
    (dash_host.root / "manifest.json").unlink()
    apply(dash_host, plan(spec("a", compose="v3\n")))
    assert json.loads((dash_host.root / "manifest.json").read_text())["generation"] == 3
    generations = {path.name for path in (dash_host.root / "generations").iterdir()}
    assert generations == {"1", "2", "3", "kept"}


def test_generations_beyond_the_bound_go_and_what_is_in_use_stays(host: Host) -> None:
    host.program("docker", ENGINE)
    apply(host, plan(spec("still")), conduct=Conduct(keep=2))
    for number in range(3):
        apply(host, plan(spec("a", a_name=f"{number}\n")), conduct=Conduct(keep=2))
    generations = host.root / "generations"
    assert sorted(path.name for path in generations.iterdir()) == ["3", "4", "kept"]
    kept = {path.parent.name for path in generations.glob("kept/*/*")}
    assert kept == {"a", "still"}
    assert len(list(generations.glob("kept/a/*"))) == 2


def test_a_stack_that_fails_goes_back_and_takes_the_others_along(host: Host) -> None:
    host.program("docker", ENGINE)
    apply(host, plan(spec("a")), plan(spec("b")))
    before = {name: tree(host.root / "stacks" / name) for name in ("a", "b")}
    manifest = (host.root / "manifest.json").read_text()

    # The container of `b` dies when it is started, and lives again once Compose renews it.
    new = InstallFile(FileSpec("conf/new.cfg", "new\n"))
    sicken = ServiceOperation(Verb.START, ("web",))
    fate = "start*) touch $HOME/sick ;; *'project-name b'*up*web) rm -f $HOME/sick ;;"
    host.program("docker", f'case "$*" in {fate} esac\n{ENGINE}')
    result = apply(
        host,
        plan(spec("a", compose="v2\n")),
        _with_last(plan(spec("b", compose="v2\n", a_name="v2\n"), new, timeout=4), sicken),
        plan(spec("c")),
    )
    assert outcomes(result) == {"a": "rolled-back", "b": "rolled-back", "c": "skipped"}
    assert result.generation == 1
    assert result.stacks["b"].step.startswith("wait for web")
    assert result.stacks["b"].message == "web: exited with 3"
    assert result.stacks["b"].log[-1] == "last words of c1"
    assert "generation 1" in result.stacks["c"].message
    assert {name: tree(host.root / "stacks" / name) for name in ("a", "b")} == before
    assert (host.root / "manifest.json").read_text() == manifest
    assert not (host.root / "generations/2").exists()
    assert not (host.root / "lock").exists()


def _with_last(stack: StackPlan, operation: Operation) -> StackPlan:
    """A plan in which an operation stands right before the last wait."""
    *others, wait = stack.operations
    return replace(stack, operations=(*others, operation, wait))


def test_the_first_generation_is_left_as_it_is(host: Host) -> None:
    host.program("docker", ENGINE)
    (host.home / "sick").touch()
    result = apply(host, plan(spec("a"), timeout=1), plan(spec("b"), timeout=1))
    assert outcomes(result) == {"a": "failed", "b": "failed"}
    assert set(tree(host.root / "stacks/a")) == set(FILES)


def test_going_back_can_be_declined(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    (dash_host.home / "sick").touch()
    changed = plan(spec("a", compose="v2\n"), timeout=1)
    result = apply(dash_host, changed, conduct=Conduct(rollback=False))
    assert outcomes(result) == {"a": "failed"}
    assert (dash_host.root / "stacks/a/compose.yaml").read_text() == "v2\n"


def test_where_going_back_fails_too_that_is_what_is_said(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    (dash_host.home / "sick").touch()
    result = apply(dash_host, plan(spec("a", compose="v2\n"), timeout=1))
    assert outcomes(result) == {"a": "stranded"}
    assert "then going back failed at: wait for web" in result.stacks["a"].message
    audit = json.loads((dash_host.root / "audit.log").read_text().splitlines()[-1])
    assert (audit["outcome"], audit["generation"]) == ("stranded", 1)


def test_a_generation_without_its_files_is_nothing_to_go_back_to(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    for path in (dash_host.root / "generations/kept/a").iterdir():
        path.rename(dash_host.home / path.name)
    (dash_host.home / "sick").touch()
    result = apply(dash_host, plan(spec("a", compose="v2\n"), timeout=1))
    assert outcomes(result) == {"a": "stranded"}
    assert "nothing to go back to" in result.stacks["a"].message


@pytest.mark.parametrize("text", ['{"run":"other"}', ""])
def test_a_run_whose_lock_is_taken_away_stops(dash_host: Host, text: str) -> None:
    steal = f"printf '%s' '{text}' >\"$HOME/managed root/lock\""
    dash_host.program("docker", f'case "$*" in *up*web) {steal} ;; esac\n{ENGINE}')
    result = apply(dash_host, plan(spec("a")), plan(spec("b")))
    assert result.stacks["a"].outcome is Outcome.FAILED
    assert "taken away" in result.stacks["a"].message
    assert result.stacks["b"].outcome is Outcome.SKIPPED
    assert (dash_host.root / "lock").read_text() == text
    assert not (dash_host.root / "manifest.json").exists()


def test_a_host_that_was_changed_since_it_was_read_refuses(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    target = dash_host.target()
    state = probe(target)
    apply(dash_host, plan(spec("a", compose="v2\n")))
    late = Plan((HostPlan("box", (plan(spec("a", compose="v3\n")),)),))
    results = execute(late, {"box": target}, {"box": state}, VAULT, lambda _: None, Conduct())
    assert results["box"].problem == "it was changed since the plan was made"
    assert outcomes(results["box"]) == {"a": "skipped"}
    assert (dash_host.root / "stacks/a/compose.yaml").read_text() == "v2\n"


THEIRS = '{"run":"other"}'


def test_a_run_without_its_lock_does_not_touch_what_others_write(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    root = '"$HOME/managed root'
    steal = f"printf '{THEIRS}' >{root}/lock\"; printf theirs >{root}/manifest.json\"; exit 1"
    dash_host.program("docker", f'case "$*" in *up*web) {steal} ;; esac\n{ENGINE}')
    result = apply(dash_host, plan(spec("a", compose="v2\n")))
    assert outcomes(result) == {"a": "failed"}
    assert (dash_host.root / "manifest.json").read_text() == "theirs"
    assert (dash_host.root / "lock").read_text() == THEIRS


def test_a_run_without_its_lock_prunes_nothing(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    root = '"$HOME/managed root'
    steal = f"printf '{THEIRS}' >{root}/lock\"; mkdir -p {root}/generations/kept/x/abc.new\""
    dash_host.program("docker", f'case "$*" in *project-name\\ b*up*web) {steal} ;; esac\n{ENGINE}')
    apply(dash_host, plan(spec("a", compose="v2\n")), plan(spec("b")))
    assert (dash_host.root / "generations/kept/x/abc.new").exists()


def test_a_directory_that_docker_made_in_the_place_of_a_file_gives_way(host: Host) -> None:
    host.program("docker", ENGINE)
    apply(host, plan(spec("a")))
    before = tree(host.root / "stacks/a")
    file = '"$HOME/managed root/stacks/a/conf/a name.cfg"'
    break_it = f"touch $HOME/once; rm -f {file}; mkdir {file}; exit 1"
    once = f'case "$*" in *up*web) [ -e $HOME/once ] || {{ {break_it}; }} ;; esac'
    host.program("docker", f"{once}\n{ENGINE}")
    result = apply(host, plan(spec("a", compose="v2\n")))
    assert (outcomes(result), result.stacks["a"].message) == ({"a": "rolled-back"}, "")
    assert tree(host.root / "stacks/a") == before


def test_a_directory_with_something_in_it_is_nobodys_to_remove(dash_host: Host) -> None:
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    file = '"$HOME/managed root/stacks/a/conf/a name.cfg"'
    break_it = f"touch $HOME/once; rm -f {file}; mkdir {file}; touch {file}/mine; exit 1"
    once = f'case "$*" in *up*web) [ -e $HOME/once ] || {{ {break_it}; }} ;; esac'
    dash_host.program("docker", f"{once}\n{ENGINE}")
    result = apply(dash_host, plan(spec("a", compose="v2\n")))
    assert outcomes(result) == {"a": "stranded"}
    assert "is a directory" in result.stacks["a"].message


def test_a_torn_line_of_the_audit_log_takes_no_other_with_it(host: Host) -> None:
    host.program("docker", ENGINE)
    apply(host, plan(spec("a")))
    log = host.root / "audit.log"
    log.write_text(log.read_text() + '{"time":"2026')
    apply(host, plan(spec("a")))
    assert json.loads(log.read_text().splitlines()[-2])["event"] == "began"


def test_a_damaged_copy_is_not_put_in_place(dash_host: Host) -> None:
    """As after a power cut, before the copy was on the disk."""
    dash_host.program("docker", ENGINE)
    apply(dash_host, plan(spec("a")))
    [copy] = (dash_host.root / "generations/kept/a").iterdir()
    (copy / "files/conf/a name.cfg").write_text("")
    (dash_host.home / "sick").touch()
    result = apply(dash_host, plan(spec("a", compose="v2\n"), timeout=1))
    assert outcomes(result) == {"a": "stranded"}
    assert "is damaged" in result.stacks["a"].message


def test_a_lock_that_is_a_directory_is_said_to_be(host: Host) -> None:
    host.program("docker", ENGINE)
    (host.root / "lock").mkdir(parents=True)
    result = apply(host, plan(spec("a")))
    assert result.problem.endswith("lock is a directory")
    assert outcomes(result) == {"a": "skipped"}
    assert list((host.root / "lock").iterdir()) == []


def test_last_words_hold_no_secret_of_another_day(host: Host) -> None:
    """Going back brings containers that have the value of a secret that is not known any more."""
    older = 'older*"value'
    says = f"logs*) echo 'using {older} now: {older}' ;; *.Config.Env*) echo 'KEY={older}' ;;"
    host.program("docker", f'case "$*" in {says} *) {ENGINE}\n;; esac')
    (host.home / "sick").touch()
    stack = spec("a")
    service = {"web": ServiceSpec("web", {"image": "i", "environment": {"KEY": token("key")}})}
    result = apply(host, plan(replace(stack, services=service), timeout=1))
    assert result.stacks["a"].log == ("web last said:", "using (secret) now: (secret)")
