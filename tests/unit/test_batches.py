"""Batches as data, and whose turn it is: canaries, so many hosts at once, an end after failures."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paisctl.desired import Key
from paisctl.errors import AuthenticationRefused, ConnectionLost
from paisctl.events import BatchBegins, Event, Outcome, StackEnded
from paisctl.execution.batches import Pace, divide
from paisctl.execution.coordinate import Coordinator, Word, in_common_order
from paisctl.execution.turns import Turns
from paisctl.plan import Plan
from paisctl.transports.fake import FakeTransport
from tests.unit.test_execute import applies, ends, event, host, run, says

Needs = dict[Key, list[Key]]


def needs(text: str) -> Needs:
    """`a/x: b/y c/z` on each line: what a stack needs; hosts in the order of the lines."""
    lines = [line.partition(":") for line in text.split("\n") if line.strip()]
    return {key(name): [key(each) for each in rest.split()] for name, _, rest in lines}


def key(text: str) -> Key:
    device, _, stack = text.strip().partition("/")
    return device, stack


FOUR = "a/x:\nb/x:\nc/x:\nd/x:"
CHAIN = "a/x: b/x\nb/x: c/x\nc/x:\nc/y:\nd/x:"
CIRCLE = "a/one: b/one\na/two:\nb/one:\nb/two: a/two\nc/x:"

CASES = [
    ("all at once", FOUR, Pace(), ["a/x b/x c/x d/x"]),
    ("two at a time", FOUR, Pace(max_parallel=2), ["a/x b/x", "c/x d/x"]),
    ("the last batch is what is left", FOUR, Pace(max_parallel=3), ["a/x b/x c/x", "d/x"]),
    ("more than there are", FOUR, Pace(max_parallel=9), ["a/x b/x c/x d/x"]),
    ("a canary", FOUR, Pace(("c",)), ["c/x", "a/x b/x d/x"]),
    ("canaries in the inventory's order", FOUR, Pace(("d", "b"), 1), ["b/x d/x", "a/x", "c/x"]),
    ("all are canaries", FOUR, Pace(("a", "b", "c", "d")), ["a/x b/x c/x d/x"]),
    ("a canary that has nothing to change", FOUR, Pace(("e",)), ["a/x b/x c/x d/x"]),
    ("a canary brings what it needs", CHAIN, Pace(("b",)), ["b/x c/x", "a/x c/y d/x"]),
    ("and all that this needs", CHAIN, Pace(("a",), 1), ["a/x b/x c/x", "c/y", "d/x"]),
    ("who is needed comes first", CHAIN, Pace(max_parallel=1), ["c/x c/y", "b/x", "a/x", "d/x"]),
    ("also within batches", CHAIN, Pace(max_parallel=2), ["b/x c/x c/y", "a/x d/x"]),
    (
        "hosts that need one another",
        CIRCLE,
        Pace(max_parallel=1),
        ["a/two b/one b/two", "a/one", "c/x"],
    ),
    ("a canary in a circle", CIRCLE, Pace(("b",)), ["a/two b/one b/two", "a/one c/x"]),
    ("what the plan does not change is there", "a/x: z/z", Pace(("a",)), ["a/x"]),
    ("a stack that needs itself", "a/x: a/x\nb/x:", Pace(("a",)), ["a/x", "b/x"]),
    ("nothing", "", Pace(("a",), 2), []),
]


@pytest.mark.parametrize(("text", "pace", "expected"), [case[1:] for case in CASES])
def test_batches(text: str, pace: Pace, expected: list[str]) -> None:
    found = divide(needs(text), pace)
    assert [" ".join(sorted("/".join(k) for k in batch.stacks)) for batch in found] == expected


def test_a_batch_says_whom_it_is_for() -> None:
    canary, *rest = divide(needs(CHAIN), Pace(("b",)))
    assert (canary.devices, canary.brought, canary.is_canary) == (("b",), ("c",), True)
    assert [(batch.devices, batch.brought) for batch in rest] == [(("a", "c", "d"), ())]


@pytest.mark.parametrize("limit", [None, 1, 2, 3])
@pytest.mark.parametrize("canaries", [(), ("a",), ("b", "c")])
@pytest.mark.parametrize("text", [FOUR, CHAIN, CIRCLE])
def test_no_batch_needs_a_later_one(text: str, canaries: tuple[str, ...], limit: int) -> None:
    wanted = needs(text)
    done: set[Key] = set()
    for batch in divide(wanted, Pace(canaries, limit)):
        assert not batch.stacks & done
        done |= batch.stacks
        assert all(need in done for each in batch.stacks for need in wanted[each])
    assert done == wanted.keys()


STACKS = [(device, stack) for stack in "xyz" for device in "abcd"]


@given(
    st.sets(st.tuples(st.sampled_from(range(12)), st.sampled_from(range(12)))),
    st.sets(st.sampled_from("abcd")),
    st.one_of(st.none(), st.integers(1, 5)),
)
def test_whatever_needs_whatever_all_come_to_their_turn(
    edges: set[tuple[int, int]], canaries: set[str], limit: int | None
) -> None:
    wanted = {
        key: [STACKS[need] for need, who in sorted(edges) if who == number and need < number]
        for number, key in enumerate(STACKS)
    }
    pace = Pace(tuple(sorted(canaries)), limit)
    hosts = [
        host(name, **{stack: wanted[device, stack] for device, stack in STACKS if device == name})
        for name in "abcd"
    ]
    fleet = Fleet(wanted, pace, moment=0)
    fleet.order = [
        (each.device, stack.name)
        for each in in_common_order(Plan(tuple(hosts)), divide(wanted, pace))
        for stack in each.stacks
    ]
    assert sorted(fleet.play().began) == sorted("/".join(each) for each in STACKS)
    assert limit is None or fleet.most <= limit
    if canaries:
        first = [each for each in fleet.began if each[0] in canaries]
        last = max(map(fleet.began.index, first))
        brought = divide(wanted, pace)[0].stacks
        assert {tuple(each.split("/")) for each in fleet.began[: last + 1]} <= brought


def test_hosts_work_in_the_order_of_batches() -> None:
    plan = [host("m7", first=[], needed=[]), host("k6", x=[("m7", "needed")])]
    batches = divide(
        {("m7", "first"): [], ("m7", "needed"): [], ("k6", "x"): [("m7", "needed")]}, Pace(("k6",))
    )
    ordered = in_common_order(Plan(tuple(plan)), batches)
    assert [[stack.name for stack in each.stacks] for each in ordered] == [
        ["needed", "first"],
        ["x"],
    ]


@dataclass
class Fleet:
    """Hosts that take a moment for each stack, played by threads."""

    needs: Needs
    pace: Pace
    fails: frozenset[str] = frozenset()
    differs: frozenset[str] = frozenset()
    moment: float = 0.02
    reading: float = 0.0
    said: list[Event] = field(default_factory=list)
    began: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    order: list[Key] = field(default_factory=list)
    most: int = 0
    why: dict[str, str] = field(default_factory=dict)
    _inside: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, then: float | None = None) -> Fleet:
        """Let all hosts do all they may; `then` is after how many seconds to stop them."""
        batches = divide(self.needs, self.pace)
        turns = Turns(batches, self.pace, self.said.append)
        coordinator = Coordinator([], self.needs, turns=turns)
        order = self.order or [
            each for batch in batches for each in self.needs if each in batch.stacks
        ]
        threads = [
            threading.Thread(
                target=self._work, args=(coordinator, d, [k for k in order if k[0] == d])
            )
            for d in dict.fromkeys(device for device, _ in self.needs)
        ]
        if then is not None:
            threading.Timer(then, coordinator.stop, ["enough"]).start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive(), "a host waits for ever"
        return self

    def _work(self, coordinator: Coordinator, device: str, keys: list[Key]) -> None:
        for each in keys:
            name = "/".join(each)
            word, why = coordinator.may_begin(each)
            outcome = Outcome.SKIPPED
            if word is Word.GO:
                with self._lock:
                    self.began.append(name)
                    self.history.append(name)
                    self._inside += 1
                    self.most = max(self.most, self._inside)
                time.sleep(self.moment)
                with self._lock:
                    self._inside -= 1
                outcome = Outcome.FAILED if name in self.fails else Outcome.APPLIED
            else:
                self.why[name] = why
            coordinator.ended(StackEnded(*each, outcome))
        time.sleep(self.reading)
        with self._lock:
            self.history.append(f"read {device}")
        coordinator.over(device, is_as_planned=device not in self.differs)


def test_batch_after_batch() -> None:
    fleet = Fleet(needs(FOUR), Pace(("c",), 2)).play()
    assert fleet.began[0] == "c/x"
    assert set(fleet.began[1:3]) == {"a/x", "b/x"}
    assert fleet.began[3] == "d/x"
    assert [(e.number, e.count, e.devices) for e in fleet.said if isinstance(e, BatchBegins)] == [
        (1, 3, ("c",)),
        (2, 3, ("a", "b")),
        (3, 3, ("d",)),
    ]


def test_one_batch_is_not_worth_a_word() -> None:
    assert Fleet(needs(FOUR), Pace()).play().said == []


def test_no_more_hosts_at_once_than_allowed_not_even_in_a_circle_or_as_canaries() -> None:
    many = "\n".join(f"{name}/x:" for name in "abcdefgh")
    assert Fleet(needs(many), Pace(tuple("abcdefgh"), 3)).play().most == 3
    assert Fleet(needs(CIRCLE), Pace(max_parallel=1)).play().most == 1
    assert Fleet(needs(many), Pace(), moment=0.3).play().most > 3


def test_after_a_canary_that_fails_nothing_begins() -> None:
    fleet = Fleet(needs(FOUR), Pace(("b",)), frozenset({"b/x"})).play()
    assert fleet.began == ["b/x"]
    assert fleet.why == dict.fromkeys(["a/x", "c/x", "d/x"], "the canary b failed")
    assert [e.number for e in fleet.said if isinstance(e, BatchBegins)] == [1]


def test_a_batch_begins_when_the_one_before_has_been_read_again() -> None:
    fleet = Fleet(needs(FOUR), Pace(("c",), 2), reading=0.2).play()
    assert fleet.history[:2] == ["c/x", "read c"]
    assert set(fleet.history[2:4]) == {"a/x", "b/x"}
    assert set(fleet.history[4:6]) == {"read a", "read b"}
    assert fleet.history[6:] == ["d/x", "read d"]


def test_who_has_more_to_do_in_a_later_batch_is_not_waited_for() -> None:
    fleet = Fleet(needs(CHAIN), Pace(("b",)), reading=0.2).play()
    assert fleet.history.index("c/y") < fleet.history.index("read c")


def test_a_canary_that_is_not_as_planned_when_read_again_has_failed() -> None:
    fleet = Fleet(needs(FOUR), Pace(("b",)), differs=frozenset("b"), reading=0.2).play()
    assert fleet.began == ["b/x"]
    assert fleet.why == dict.fromkeys(["a/x", "c/x", "d/x"], "the canary b failed")


def test_hosts_that_are_not_as_planned_when_read_again_count_as_failed() -> None:
    pace = Pace(max_parallel=1, max_failures=1)
    fleet = Fleet(needs(FOUR), pace, frozenset({"a/x"}), frozenset("b")).play()
    assert fleet.began == ["a/x", "b/x"]
    assert set(fleet.why.values()) == {"2 hosts have failed, more than --max-failures 1"}


def test_a_canary_that_was_not_reached_has_proved_nothing() -> None:
    fleet = Fleet(needs(CHAIN), Pace(("b",)), frozenset({"c/x"})).play()
    assert fleet.began == ["c/x"]
    assert fleet.why["b/x"] == "it needs x on c, which failed"
    assert fleet.why["d/x"] == "the canary b was not applied"


def test_the_other_canaries_are_done_all_the_same() -> None:
    fleet = Fleet(needs(FOUR), Pace(("a", "b"), 1), frozenset({"a/x", "b/x"})).play()
    assert sorted(fleet.began) == ["a/x", "b/x"]


@pytest.mark.parametrize(
    ("allowed", "begun", "why"),
    [
        (0, 1, "1 host has failed, more than --max-failures 0"),
        (1, 2, "2 hosts have failed, more than --max-failures 1"),
    ],
)
def test_enough_have_failed(allowed: int, begun: int, why: str) -> None:
    pace = Pace(max_parallel=1, max_failures=allowed)
    fleet = Fleet(needs(FOUR), pace, frozenset({"a/x", "b/x", "c/x"})).play()
    assert len(fleet.began) == begun
    assert set(fleet.why.values()) == {why}


def test_within_a_batch_nothing_more_begins_either() -> None:
    two = "a/x:\nb/one:\nb/two:"
    fleet = Fleet(needs(two), Pace(max_failures=0), frozenset({"a/x", "b/one"})).play()
    assert "b/two" not in fleet.began


def test_a_host_counts_once_however_many_of_its_stacks_fail() -> None:
    two = "a/one:\na/two:\nb/x:"
    pace = Pace(max_parallel=1, max_failures=1)
    fleet = Fleet(needs(two), pace, frozenset({"a/one", "a/two"})).play()
    assert fleet.began == ["a/one", "a/two", "b/x"]


def test_a_pause_between_batches() -> None:
    start = time.monotonic()
    fleet = Fleet(needs(FOUR), Pace(max_parallel=2, pause=0.3), moment=0).play()
    assert 0.3 <= time.monotonic() - start < 5
    assert [e.pause for e in fleet.said if isinstance(e, BatchBegins)] == [0.0, 0.3]


def test_no_pause_after_the_last_batch_nor_where_nothing_follows() -> None:
    start = time.monotonic()
    fleet = Fleet(needs(FOUR), Pace(("a",), pause=60.0), frozenset({"a/x"}), moment=0).play()
    assert time.monotonic() - start < 5
    assert len(fleet.why) == 3


def test_a_stop_ends_a_pause_at_once() -> None:
    start = time.monotonic()
    fleet = Fleet(needs(FOUR), Pace(("a",), pause=60.0), moment=0).play(then=0.2)
    assert time.monotonic() - start < 5
    assert set(fleet.why.values()) == {"enough"}


def test_a_canary_that_is_lost_before_it_begins() -> None:
    wanted = needs("a/x:\nb/x:")
    pace = Pace(("a",), pause=60.0)
    coordinator = Coordinator(["a", "b"], wanted, turns=Turns(divide(wanted, pace), pace, print))
    coordinator.lost("a")
    coordinator.locked("a")
    coordinator.ended(StackEnded("a", "x", Outcome.SKIPPED))
    coordinator.over("a", is_as_planned=True)
    coordinator.locked("b")
    assert coordinator.may_begin(("b", "x")) == (Word.SKIP, "the canary a failed")


def test_a_batch_that_is_over_before_all_are_locked_is_left_out() -> None:
    wanted = needs("a/x:\nb/x:\nc/x:")
    pace = Pace(max_parallel=1, pause=60.0)
    said: list[Event] = []
    coordinator = Coordinator(
        ["a", "b", "c"], wanted, turns=Turns(divide(wanted, pace), pace, said.append)
    )
    coordinator.lost("a")
    coordinator.ended(StackEnded("a", "x", Outcome.SKIPPED))
    coordinator.over("a", is_as_planned=True)
    for device in "abc":
        coordinator.locked(device)
    assert coordinator.may_begin(("b", "x"))[0] is Word.GO
    assert said == [BatchBegins(2, 3, ("b",))]


def test_hosts_are_told_to_stop_when_the_canary_breaks_off() -> None:
    transports = {
        "k6": says(event("waiting", "x"), end=False, error=ConnectionLost("cable")),
        "m7": says(event("waiting", "x"), event("skipped", "x")),
    }
    plan = [host("k6", x=[]), host("m7", x=[])]
    results, _ = run(plan, transports, Pace(("k6",)))
    assert ends(results) == {
        "k6/x": ("failed", "cable"),
        "m7/x": ("skipped", "the canary k6 failed"),
    }
    assert results["m7"].problem == ""
    assert results["m7"].state is not None


def test_who_breaks_off_before_it_begins_counts_as_failed() -> None:
    lost = FakeTransport(refuses=AuthenticationRefused("no"))
    other = says(event("waiting", "x"), event("skipped", "x"))
    plan = [host("k6", x=[]), host("m7", x=[])]
    results, _ = run(plan, {"k6": lost, "m7": other}, Pace(max_failures=0))
    assert ends(results)["k6/x"] == ("skipped", "no")
    assert ends(results)["m7/x"] == ("skipped", "1 host has failed, more than --max-failures 0")


def test_all_go_on_when_the_canary_is_well() -> None:
    transports = {"k6": applies("x"), "m7": applies("x"), "pi": applies("x")}
    plan = [host(name, x=[]) for name in transports]
    results, events = run(plan, transports, Pace(("pi",), 1))
    assert {outcome for outcome, _ in ends(results).values()} == {"applied"}
    assert [e for e in events if isinstance(e, StackEnded | BatchBegins)] == [
        BatchBegins(1, 3, ("pi",)),
        StackEnded("pi", "x", Outcome.APPLIED),
        BatchBegins(2, 3, ("k6",)),
        StackEnded("k6", "x", Outcome.APPLIED),
        BatchBegins(3, 3, ("m7",)),
        StackEnded("m7", "x", Outcome.APPLIED),
    ]


class _Ending(Turns):
    """A pause that ends between two looks at it."""

    looks = 0

    @property
    def pause(self) -> float:
        self.looks += 1
        return 0.01 if self.looks == 1 else 0.0


def test_a_pause_that_ends_meanwhile_is_not_waited_for_without_end() -> None:
    wanted = needs("a/x:")
    coordinator = Coordinator([], wanted, turns=_Ending(divide(wanted, Pace()), Pace(), print))
    words: list[Word] = []
    thread = threading.Thread(
        target=lambda: words.append(coordinator.may_begin(("a", "x"))[0]), daemon=True
    )
    thread.start()
    thread.join(5)
    assert words == [Word.GO]
