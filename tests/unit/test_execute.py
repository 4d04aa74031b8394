"""Who waits for whom, and what becomes of hosts that fail; the hosts play scripts."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future

import pytest

from paisctl.errors import AuthenticationRefused, ConnectionLost, HostError, UsageError
from paisctl.events import Event, HostResult, Outcome, StackEnded, StackWaiting
from paisctl.execute import Interrupted, _results, execute
from paisctl.execution.batches import Pace
from paisctl.execution.conduct import Conduct
from paisctl.execution.coordinate import Coordinator, Word, in_common_order
from paisctl.execution.delivery import run_script
from paisctl.observed import HostFacts, HostState
from paisctl.operation import Pull
from paisctl.plan import Address, HostPlan, Plan, Refusal, StackPlan
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.transports.fake import FakeTransport, Reply

FACTS = HostFacts("Linux", "ann", ("/usr/bin/docker",), files_sudo=False)
DOCUMENT = {
    "paisctl": 1,
    "host": {
        "os": "Linux",
        "user": "ann",
        "root": "/r",
        "root_state": "writable",
        "files_sudo": False,
        "memory_cgroup": True,
        "disk_free_kib": 10_000_000,
        "epoch": 1_700_000_000,
    },
    "docker": "/usr/bin/docker",
    "files": [],
    "texts": [],
    "odd_files": 0,
    "manifest": "",
    "lock": "",
    "lock_alive": None,
    "audit": [],
    "generations": [],
    "open_rollouts": [],
    "kept_files": [],
    "kept_images": [],
    "remembered": [],
    "holds": [],
}
NO_ENGINE = '{"sudo":false,"compose":"2.40.3","error":"connection refused"}\n'


def event(kind: str, stack: str = "", **more: object) -> str:
    return f"@paisctl {json.dumps({'event': kind, 'stack': stack, **more})}\n"


def says(*events: str, error: HostError | None = None, end: bool = True) -> FakeTransport:
    """A host that says it is ready, then these events, and shows itself at the end."""
    document = json.dumps(DOCUMENT, separators=(",", ":"))
    observation = f"{event('observation')}\n{document}\n{NO_ENGINE}"
    begin = event("ready") + event("locking") + event("locked")
    text = begin + "".join(events) + (observation if end else "")
    return FakeTransport([Reply(text.encode(), error=error)])


def applies(*stacks: str) -> FakeTransport:
    return says(*(event("waiting", s) + event("applied", s) for s in stacks))


def host(device: str, **needs: list[tuple[str, str]]) -> HostPlan:
    """A host whose stacks are the keyword names, each with what it needs."""
    stacks = (StackPlan(name, operations=(Pull("x"),), needs=tuple(n)) for name, n in needs.items())
    return HostPlan(device, tuple(stacks))


def run(
    plan: list[HostPlan], transports: dict[str, FakeTransport], pace: Pace | None = None
) -> tuple[dict[str, HostResult], list[Event]]:
    events: list[Event] = []
    targets = {name: Target(name, transport, "/r") for name, transport in transports.items()}
    manifest = json.dumps({"paisctl": 1, "generation": 7, "stacks": {}})
    states = {name: HostState(name, "/r", manifest=manifest, facts=FACTS) for name in targets}
    conduct = Conduct(pace=pace or Pace())
    results = execute(Plan(tuple(plan)), targets, states, Vault({}, ""), events.append, conduct)
    return results, events


def ends(results: dict[str, HostResult]) -> dict[str, tuple[str, str]]:
    return {
        f"{device}/{name}": (str(end.outcome), end.message)
        for device, result in results.items()
        for name, end in result.stacks.items()
    }


def answers(transport: FakeTransport) -> list[bytes]:
    """What the host was told, between its delivery and the questions at the end."""
    told = bytes(transport.stdins[0]).rpartition(b"engine\nGET")[0] or bytes(transport.stdins[0])
    return told[-10:].rsplit(b"\0", 1)[-1].split()


def test_a_stack_waits_for_what_it_needs_on_another_host() -> None:
    transports = {"k6": applies("qdrant"), "m7": applies("haproxy")}
    plan = [host("m7", haproxy=[("k6", "qdrant")]), host("k6", qdrant=[])]
    results, events = run(plan, transports)
    assert ends(results) == {"k6/qdrant": ("applied", ""), "m7/haproxy": ("applied", "")}
    order = [(e.device, e.stack) for e in events if isinstance(e, StackEnded)]
    assert order == [("k6", "qdrant"), ("m7", "haproxy")]
    waiting = [e for e in events if isinstance(e, StackWaiting)]
    assert waiting in ([], [StackWaiting("m7", "haproxy", ("k6/qdrant",))])
    assert all(result.problem == "" and result.state for result in results.values())


def test_what_the_plan_does_not_change_is_not_waited_for() -> None:
    results, _ = run([host("m7", haproxy=[("k6", "qdrant")])], {"m7": applies("haproxy")})
    assert ends(results) == {"m7/haproxy": ("applied", "")}


def test_what_needs_a_host_that_could_not_be_read_is_skipped() -> None:
    transports = {
        "m7": says(event("waiting", "haproxy"), event("skipped", "haproxy")),
        "pi": applies("app"),
    }
    unread = HostPlan("k6", problem="it is switched off")
    plan = [unread, host("m7", haproxy=[("k6", "qdrant")]), host("pi", app=[])]
    results, events = run(plan, transports)
    assert ends(results) == {
        "m7/haproxy": ("skipped", "it needs qdrant on k6, which could not be read"),
        "pi/app": ("applied", ""),
    }
    assert not any(isinstance(e, StackWaiting) for e in events)


def test_what_needs_a_refused_stack_is_skipped() -> None:
    transports = {"m7": says(event("waiting", "haproxy"), event("skipped", "haproxy"))}
    refusal = Refusal(Address("k6", "compose", "qdrant"), "somebody else's", "")
    plan = [HostPlan("k6", refused=(refusal,)), host("m7", haproxy=[("k6", "qdrant")])]
    results, _ = run(plan, transports)
    assert ends(results) == {"m7/haproxy": ("skipped", "it needs qdrant on k6, which was refused")}


def test_what_needs_a_failed_stack_is_skipped_and_so_on_up() -> None:
    failed = event("broken", "qdrant", step="pull x", detail="no network", log=["1", "2"])
    failed += event("failed", "qdrant")
    transports = {
        "k6": says(
            event("waiting", "qdrant"), failed, event("waiting", "b"), event("applied", "b")
        ),
        "m7": says(event("waiting", "haproxy"), event("skipped", "haproxy")),
        "pi": says(event("waiting", "app"), event("skipped", "app")),
    }
    plan = [
        host("k6", qdrant=[], b=[]),
        host("m7", haproxy=[("k6", "qdrant")]),
        host("pi", app=[("m7", "haproxy")]),
    ]
    results, _ = run(plan, transports)
    assert ends(results) == {
        "k6/qdrant": ("failed", "no network"),
        "k6/b": ("applied", ""),
        "m7/haproxy": ("skipped", "it needs qdrant on k6, which failed"),
        "pi/app": ("skipped", "it needs haproxy on m7, which was not applied"),
    }
    assert results["k6"].stacks["qdrant"].log == ("1", "2")
    assert answers(transports["m7"]) == [b"lock", b"skip"]


@pytest.mark.parametrize(
    ("transport", "problem", "changing", "outcome"),
    [
        (FakeTransport(refuses=AuthenticationRefused("no")), "no", "", "skipped"),
        (
            says(event("waiting", "qdrant"), end=False, error=ConnectionLost("cable")),
            "cable",
            "qdrant",
            "failed",
        ),
        (
            says("sh: not found\n", end=False),
            "the apply broke off with exit status 0: sh: not found",
            "",
            "skipped",
        ),
        (says(event("refused", detail="disk full")), "k6 refuses: disk full", "", "skipped"),
        (
            says("@paisctl {oops\n"),
            "k6 says something that cannot be understood: @paisctl {oops",
            "",
            "skipped",
        ),
    ],
)
def test_a_host_that_breaks_off_does_not_leave_others_waiting(
    transport: FakeTransport, problem: str, changing: str, outcome: str
) -> None:
    other = says(event("waiting", "haproxy"), event("skipped", "haproxy"))
    plan = [host("k6", qdrant=[]), host("m7", haproxy=[("k6", "qdrant")])]
    results, _ = run(plan, {"k6": transport, "m7": other})
    assert (results["k6"].problem, results["k6"].changing) == (problem, changing)
    assert ends(results)["k6/qdrant"] == (outcome, problem)
    assert ends(results)["m7/haproxy"][0] == "skipped"
    assert results["m7"].state is not None


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "[" * 100_000,
        '{"event":["ready"]}',
        '{"event":"refused","detail":7}',
        '{"event":"broken","stack":"qdrant","log":"7"}',
        '{"event":"applied","stack":"other"}',
        '{"event":"waiting"}',
    ],
)
def test_what_no_host_of_ours_says_ends_the_conversation(said: str) -> None:
    results, _ = run([host("k6", qdrant=[])], {"k6": says(f"@paisctl {said}\n")})
    assert results["k6"].problem.startswith(
        f"k6 says something that cannot be understood: @paisctl {said[:20]}"
    )
    assert list(results["k6"].stacks) == ["qdrant"]


def test_hosts_work_in_one_common_order() -> None:
    # Each host has its two stacks the wrong way round for the other one's needs.
    plan = [
        host("one", a=[("two", "d")], b=[]),
        host("two", c=[("one", "b")], d=[]),
    ]
    results, _ = run(plan, {"one": applies("b", "a"), "two": applies("d", "c")})
    assert {outcome for outcome, _ in ends(results).values()} == {"applied"}
    orders = [[stack.name for stack in each.stacks] for each in in_common_order(Plan(tuple(plan)))]
    assert orders == [["b", "a"], ["d", "c"]]


def test_a_host_that_is_being_changed_by_others_holds_all_back() -> None:
    held = "it is being changed by ann@laptop (apply)"
    busy = FakeTransport(
        [Reply((event("ready") + event("locking") + event("held", detail=held)).encode())]
    )
    free = FakeTransport([Reply((event("ready") + event("locking") + event("withdrawn")).encode())])
    results, _ = run([host("k6", a=[]), host("m7", b=[])], {"k6": busy, "m7": free})
    assert (results["k6"].problem, results["m7"].problem) == (held, "")
    assert "paisctl unlock k6" in results["k6"].hint
    assert ends(results) == {
        "k6/a": ("skipped", f"k6: {held}"),
        "m7/b": ("skipped", f"k6: {held}"),
    }
    assert b"lock" not in bytes(free.stdins[0][-5:])


def test_hosts_are_locked_in_one_order_and_none_begins_before_all_are() -> None:
    coordinator = Coordinator(["k6", "m7"], {("k6", "a"): []})
    words: list[str] = []

    def second() -> None:
        coordinator.may_lock("m7")
        words.append("m7 may lock")
        coordinator.locked("m7")

    def begin() -> None:
        coordinator.may_begin(("k6", "a"))
        words.append("k6/a begins")

    threads = [threading.Thread(target=each) for each in (second, begin)]
    for thread in threads:
        thread.start()
    assert coordinator.may_lock("k6") is Word.LOCK
    words.append("k6 locks")
    coordinator.locked("k6")
    for thread in threads:
        thread.join(timeout=10)
    assert words == ["k6 locks", "m7 may lock", "k6/a begins"]


def test_what_was_applied_may_still_be_rolled_back() -> None:
    transport = says(
        event("waiting", "a") + event("applied", "a"),
        event("waiting", "b"),
        event("broken", "b", step="wait for b", detail="b: unhealthy", log=["oops"]),
        event("going-back", "b", detail="7"),
        event("rolled-back", "b") + event("rolled-back", "a"),
        event("skipped", "c", detail="the host went back to generation 7"),
    )
    results, _ = run([host("k6", a=[], b=[], c=[])], {"k6": transport})
    assert ends(results) == {
        "k6/a": ("rolled-back", ""),
        "k6/b": ("rolled-back", "b: unhealthy"),
        "k6/c": ("skipped", "the host went back to generation 7"),
    }
    assert results["k6"].generation == 7
    assert results["k6"].stacks["b"].log == ("oops",)


def test_a_circle_is_refused() -> None:
    plan = [host("one", a=[("two", "b")]), host("two", b=[("one", "a")])]
    with pytest.raises(UsageError, match="in a circle"):
        run(plan, {})


def test_a_stop_reaches_those_who_wait() -> None:
    coordinator = Coordinator([], {("m7", "haproxy"): [("k6", "qdrant")], ("k6", "qdrant"): []})
    threading.Timer(0.05, coordinator.stop, ["enough"]).start()
    assert coordinator.may_begin(("m7", "haproxy"))[0] is Word.SKIP
    coordinator.ended(StackEnded("k6", "qdrant", Outcome.APPLIED))
    assert coordinator.may_begin(("m7", "haproxy"))[0] is Word.SKIP


def test_what_an_interrupt_lets_end_is_told_in_the_order_of_the_plan() -> None:
    devices = [f"host-{number}" for number in range(20)]

    class Once(Future[HostResult]):
        def result(self, timeout: float | None = None) -> HostResult:
            if device_of(self) == devices[0] and not interrupted:
                interrupted.append(self)
                raise KeyboardInterrupt
            return super().result(timeout)

    def device_of(future: Future[HostResult]) -> str:
        return devices[futures.index(future)]

    interrupted: list[Future[HostResult]] = []
    futures: list[Future[HostResult]] = [Once() for _ in devices]
    for future, device in zip(futures, devices, strict=True):
        future.set_result(HostResult(device, {}, None))
    with pytest.raises(Interrupted) as stopped:
        _results(futures, Coordinator([], {}), print)
    assert list(stopped.value.results) == devices


def test_run_sh_reads_like_the_plan() -> None:
    plan = HostPlan("k6", (StackPlan("it's", operations=(Pull("a b"),)),))
    assert run_script(plan, {"ROOT": "/my root", "WHO": "ann"}) == (
        "ROOT='/my root'\nWHO=ann\nexport ROOT WHO\n"
        '. "$STAGING/apply.sh"\n. "$STAGING/lease.sh"\n. "$STAGING/containers.sh"\n'
        '. "$STAGING/files.sh"\n. "$STAGING/generations.sh"\n. "$STAGING/wait.sh"\n'
        '. "$STAGING/digest.sh"\n. "$STAGING/holds.sh"\n\nbegin_run\n\n'
        "begin_stack 'it'\"'\"'s'\nstep 'pull a b' pull 'a b'\nbegin_changes\nend_stack\n"
        "\nend_run\n"
    )
