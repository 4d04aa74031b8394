"""The engine on a made-up cluster: nothing is changed out of turn, and every crash can be gone on from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from paisctl.cli.rollout_refusals import rebuilt, refuse_half_filled
from paisctl.cluster.driver import Answer, Ask, Diagnosis, Journal, Obstacle, Say, Task
from paisctl.errors import HostBusy, HostError, PaisctlError, UsageError
from paisctl.inventory.rollouts import Rollout
from paisctl.rollout import engine as engine_module
from paisctl.rollout.engine import Engine, Trouble
from paisctl.rollout.events import Entered
from paisctl.rollout.gates import Limits
from paisctl.rollout.hands import Failure
from paisctl.rollout.record import Phase, Progress, Record

DEVICES = ("a", "b", "c")


class Crash(BaseException):
    """What ends paisctl without a word, as kill -9 does."""


@dataclass
class World:
    """The cluster, what was done to it, and the hosts' memory. It fails a test by itself.

    `crash_at` is how many events may pass before paisctl dies; `broken` are members that do not pass.
    """

    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(DEVICES, "old"))
    drained: set[str] = field(default_factory=set)
    factor: int = 2
    leader: str = "a"
    log: list[str] = field(default_factory=list)
    stored: Record | None = None
    crash_at: int = -1
    broken: set[str] = field(default_factory=set)
    fails: dict[str, Failure] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)
    unready: int = 0
    now: float = 0.0
    waited_for: list[bool] = field(default_factory=list)

    def happens(self, what: str) -> None:
        if self.crash_at == 0:
            raise Crash(what)
        self.crash_at -= 1
        self.log.append(what)

    # ---- the driver ----

    def preflight(self, task: Task, away: Collection[str] = ()) -> list[Obstacle]:
        raise NotImplementedError

    def prepare(self, task: Task, journal: Journal, say: Say) -> None:
        del task, say
        if journal.get("factor") is None:
            journal.keep("factor", self.factor)
        self.happens("lower")
        self.factor = 1

    def order(self, devices: Sequence[str]) -> list[str]:
        return sorted(devices, key=lambda device: device == self.leader)

    def before(self, device: str, task: Task) -> list[Obstacle]:
        del device, task
        self.unready -= 1
        return [Obstacle("a transfer is under way")] if self.unready >= 0 else []

    def gates(self, device: str, task: Task) -> Mapping[str, Ask]:
        def ask() -> Answer:
            self.happens(f"gate {device}")
            return Answer(self.versions[device] == task.target and device not in self.broken, "no")

        return {"version": ask}

    def finish(self, task: Task, journal: Journal, say: Say) -> list[Obstacle]:
        del task, say
        self.happens("put back")
        self.factor = journal.get("factor", self.factor)
        return []

    def diagnose(self, device: str, task: Task) -> Diagnosis:
        del task
        return Diagnosis((f"{device} is not well",), may_go_back=False, can_be_rebuilt=True)

    def dismiss(self, device: str, journal: Journal, say: Say) -> None:
        del journal, say
        self.happens(f"dismiss {device}")
        self.emptied.add(device)

    def refill(self, device: str, journal: Journal, say: Say) -> None:
        del journal, say
        assert device in self.emptied
        self.happens(f"refill {device}")
        self.broken.discard(device)

    # ---- the hands and the load balancers ----

    def change(
        self, device: str, watcher: object, *, restart: bool, was_changed: bool
    ) -> Failure | None:
        del watcher, restart
        self.waited_for.append(was_changed)
        assert self.factor == 1, "writes would be refused"
        assert self.drained == {device}, "in use, or another one is away as well"
        assert self.stored is not None
        assert self.stored.members[device] is Phase.CHANGING, "the hosts do not know"
        self.happens(f"change {device}")
        self.versions[device] = "new"
        return self.fails.pop(device, None)

    def tell(self, word: str, device: str) -> None:
        self.happens(f"{word} {device}")
        if word == "drain":
            self.drained.add(device)
        else:
            self.drained.discard(device)


class Balancer:
    """Stands for `Reached`."""

    class commands:  # noqa: N801
        drain, ready = "drain", "ready"

    def __init__(self, world: World) -> None:
        self.world = world

    def tell(self, command: str, device: str) -> None:
        self.world.tell(command, device)

    def is_idle(self, device: str) -> bool:
        return device in self.world.drained


class Definition:
    def __init__(self, **settings: Any) -> None:
        self.settings = Rollout(stack="qdrant", **{"settle": "5s", **settings})
        self.limits = {"version": Limits(30, 0)}


class NoClaims:
    def hold(self) -> bool:
        return False


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def store(_places: object, record: Record) -> list[str]:
        world.happens(f"store {record.sequence}")
        world.stored = record
        return []

    monkeypatch.setattr(engine_module, "remember", store)
    return world


def begin(**task: Any) -> Record:
    members = dict.fromkeys(DEVICES, Phase.WAITING)
    return Record("knowledge", 1, "qdrant", Task("new", **task), {}, "me", "now", members)


def engine(world: World, record: Record, **settings: Any) -> Engine:
    def sleep(seconds: float) -> None:
        world.now += seconds

    parts: Any = {
        "definition": Definition(**settings),
        "driver": world,
        "hands": world,
        "balancers": [Balancer(world)],
        "places": [],
        "claims": NoClaims(),
    }
    return Engine(
        **parts, record=record, watcher=lambda _: None, sleep=sleep, clock=lambda: world.now
    )


def is_rolled(world: World) -> bool:
    assert world.stored is not None
    return (
        set(world.versions.values()) == {"new"}
        and not world.drained
        and world.factor == 2
        and world.stored.progress is Progress.DONE
    )


def test_one_after_the_other_the_leader_last(world: World) -> None:
    assert engine(world, begin()).run() is None
    assert is_rolled(world)
    done = [what for what in world.log if not what.startswith("store")]
    steps = [f"{what} {d}" for d in "bca" for what in ("drain", "change", "gate", "ready")]
    each = [["lower", *steps[start : start + 4]] for start in (0, 4, 8)]
    assert done == [*each[0], *each[1], *each[2], "put back"]
    assert world.now >= 10  # it rests twice


def test_the_order_of_the_inventory_if_that_is_wanted(world: World) -> None:
    assert engine(world, begin(), order="inventory").run() is None
    assert [w for w in world.log if w.startswith("change")] == ["change a", "change b", "change c"]


def test_the_leader_is_asked_for_again_before_each_step(world: World) -> None:
    rolled = engine(world, begin())
    original = world.order

    def moved(devices: Sequence[str]) -> list[str]:
        if "b" not in devices:
            world.leader = "c"
        return original(devices)

    world.order = moved  # type: ignore[method-assign]
    assert rolled.run() is None
    assert [w for w in world.log if w.startswith("change")] == ["change b", "change a", "change c"]


def events_of_a_rollout() -> int:
    return 32


def test_the_number_of_crashes_that_are_tried_is_that_of_all_events(world: World) -> None:
    engine(world, begin()).run()
    assert len(world.log) == events_of_a_rollout()


@pytest.mark.parametrize("events", range(events_of_a_rollout()))
def test_a_crash_at_any_moment_can_be_gone_on_from(world: World, events: int) -> None:
    world.crash_at = events
    with pytest.raises(Crash):
        engine(world, begin()).run()
    world.crash_at = -1
    record = world.stored or begin()
    assert engine(world, record).run() is None
    assert is_rolled(world)


@pytest.mark.parametrize("events", range(1, events_of_a_rollout()))
def test_a_crash_at_any_moment_can_be_aborted(world: World, events: int) -> None:
    world.crash_at = events
    with pytest.raises(Crash):
        engine(world, begin()).run()
    world.crash_at = -1
    assert world.stored is not None
    before = dict(world.versions)
    assert engine(world, world.stored).abort() is None
    assert (world.factor, world.drained, world.versions) == (2, set(), before)
    assert world.stored.progress is Progress.ABORTED


def test_an_abort_puts_back_what_it_can_and_stays_open_for_the_rest(world: World) -> None:
    world.crash_at = 15
    with pytest.raises(Crash):
        engine(world, begin()).run()
    world.crash_at = -1
    original, record = world.tell, world.stored

    def fails(word: str, device: str) -> None:
        if device == "a":
            raise HostError("haproxy on front does not take orders")
        original(word, device)

    world.tell = fails  # type: ignore[method-assign]
    assert record is not None
    trouble = engine(world, record).abort()
    assert trouble is not None
    assert [str(each) for each in trouble.obstacles] == ["a: haproxy on front does not take orders"]
    assert (world.factor, world.drained) == (2, set())
    assert world.stored is not None
    assert world.stored.is_open


def stopped(world: World, **settings: Any) -> Trouble:
    trouble = engine(world, begin(), **settings).run()
    assert trouble is not None
    assert world.stored is not None
    assert world.stored.progress is Progress.STOPPED
    return trouble


def test_a_member_that_does_not_come_back_stops_it(world: World) -> None:
    world.broken = {"c"}
    trouble = stopped(world)
    assert (trouble.device, trouble.message) == ("c", "version was not passed within 30 s: no")
    assert trouble.diagnosis is not None
    assert trouble.diagnosis.facts == ("c is not well",)
    assert world.versions == {"a": "old", "b": "new", "c": "new"}
    assert world.drained == {"c"}
    assert world.stored is not None
    assert world.stored.problem == "c: version was not passed within 30 s: no"


def test_a_failed_change_stops_it_with_the_log_of_its_service(world: World) -> None:
    world.fails = {"b": Failure("recreate qdrant: it ends again and again", "look", ("panicked",))}
    trouble = stopped(world)
    assert (trouble.device, trouble.log) == ("b", ("panicked",))
    assert trouble.diagnosis is not None
    assert trouble.diagnosis.hints[0] == "look"
    assert "change c" not in world.log


def test_after_it_was_mended_it_goes_on_at_that_member(world: World) -> None:
    world.broken = {"c"}
    stopped(world)
    world.broken = set()
    world.log.clear()
    assert world.stored is not None
    assert engine(world, world.stored).run() is None
    assert is_rolled(world)
    changed = [what for what in world.log if what.startswith("change")]
    assert changed == ["change c", "change a"]
    assert world.waited_for[-2:] == [True, False]  # it may be on its way, and must not begin anew


def test_a_member_is_rebuilt_by_the_others(world: World) -> None:
    world.broken = {"c"}
    stopped(world)
    assert world.stored is not None
    assert engine(world, world.stored).run(rebuild="c") is None
    assert is_rolled(world)
    rebuilt = world.log.index("dismiss c"), world.log.index("refill c")
    assert "change c" in world.log[slice(*rebuilt)]


@pytest.mark.parametrize("moment", ["dismiss c", "change c", "refill c"])
def test_a_rebuild_that_broke_off_is_gone_on_with(world: World, moment: str) -> None:
    world.broken = {"c"}
    stopped(world)
    original = world.happens

    def crash(what: str) -> None:
        original(what)
        if what == moment:
            raise Crash

    world.happens = crash  # type: ignore[method-assign]
    assert world.stored is not None
    with pytest.raises(Crash):
        engine(world, world.stored).run(rebuild="c")
    world.happens = original  # type: ignore[method-assign]
    world.log.clear()
    assert engine(world, world.stored).run() is None
    assert "refill c" in world.log
    assert ("dismiss c" in world.log) is (moment == "dismiss c")  # what was filled in stays
    assert is_rolled(world)


def test_what_is_done_already_is_shown_as_done(world: World) -> None:
    world.broken = {"c"}
    stopped(world)
    assert world.stored is not None
    shown: list[object] = []
    rolled = engine(world, world.stored)
    rolled.watcher = shown.append
    rolled.run()
    assert shown[0] == Entered("b", Phase.DONE)


def test_only_a_member_that_was_changed_is_rebuilt() -> None:
    done = begin().with_phase("a", Phase.DONE)
    assert rebuilt(done, "a").begun == ["a"]
    with pytest.raises(UsageError, match="at no member, not at b"):
        rebuilt(done, "b")
    with pytest.raises(UsageError, match="at b, not at c"):
        rebuilt(done.with_phase("b", Phase.CHANGING), "c")


def test_a_member_that_died_after_it_was_done_is_rebuilt_first(world: World) -> None:
    world.broken = {"b"}
    stopped(world, order="inventory")  # at `b`, whose gates wait for `a`
    world.broken = set()
    world.drained = set()  # the made-up cluster knows one at a time only
    assert world.stored is not None
    record = rebuilt(rebuilt(world.stored, "a"), "a")
    assert record.begun == ["a", "b"]
    world.log.clear()
    record = replace(record, members=dict(reversed(list(record.members.items()))))
    assert engine(world, record, order="inventory").run(rebuild="a") is None
    changes = [what for what in world.log if what.split()[0] in ("dismiss", "refill", "change")]
    assert changes == ["dismiss a", "change a", "refill a", "change b", "change c"]
    assert world.waited_for[-3:] == [False, True, False]
    assert is_rolled(world)


def test_a_member_that_is_half_filled_is_not_forgotten(world: World) -> None:
    world.broken = {"c"}
    stopped(world)
    assert world.stored is not None
    refuse_half_filled(world.stored)

    def fails(*_: object) -> None:
        raise PaisctlError("no other node has it")

    world.refill = fails  # type: ignore[method-assign,assignment]
    engine(world, world.stored).run(rebuild="c")
    with pytest.raises(PaisctlError, match="c is being filled by the others"):
        refuse_half_filled(world.stored)


def test_nobody_is_touched_while_another_one_is_not_whole(world: World) -> None:
    world.unready = 1_000
    trouble = stopped(world)
    assert trouble.message == "b must not be taken away now"
    assert [str(obstacle) for obstacle in trouble.obstacles] == ["a transfer is under way"]
    assert set(world.versions.values()) == {"old"}


def test_it_waits_for_a_moment_until_the_others_are_whole(world: World) -> None:
    world.unready = 5
    assert engine(world, begin()).run() is None


class LostClaims(NoClaims):
    """What is lost once the first member is changed; `again` is whether it can be taken again."""

    def __init__(self, world: World, *, again: bool) -> None:
        self.world = world
        self.again = again

    def hold(self) -> bool:
        is_lost = "change b" in self.world.log
        if is_lost and not self.again:
            raise HostBusy("knowledge is being rolled by another@desk")
        return is_lost


@pytest.mark.parametrize("again", [False, True], ids=["they are there", "they have been there"])
def test_who_was_overtaken_touches_nothing_more_and_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    rolled = engine(world, begin())
    rolled.claims = LostClaims(world, again=again)  # type: ignore[assignment]
    theirs = replace(begin(), sequence=99, progress=Progress.ABORTED)
    monkeypatch.setattr(engine_module, "recall", lambda *_: theirs)
    trouble = rolled.run()
    assert trouble is not None
    assert ("else" if again else "another@desk") in trouble.message
    assert world.log[-1] == "change b"


def test_who_finds_all_as_it_was_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled = engine(world, begin())
    rolled.claims = LostClaims(world, again=True)  # type: ignore[assignment]
    monkeypatch.setattr(engine_module, "recall", lambda *_: world.stored)
    assert rolled.run() is None
    assert is_rolled(world)


def test_what_cannot_be_put_back_is_said_and_can_be_tried_again(world: World) -> None:
    original = world.finish

    def fails(task: Task, journal: Journal, say: Say) -> list[Obstacle]:
        original(task, journal, say)
        return [Obstacle("notes has another factor now: 3")]

    world.finish = fails  # type: ignore[method-assign]
    trouble = stopped(world)
    assert trouble.message == "not all could be put back"
    world.finish = original  # type: ignore[method-assign]
    assert world.stored is not None
    assert engine(world, world.stored).run() is None
    assert is_rolled(world)


def test_a_driver_that_fails_to_prepare_leaves_all_members_alone(world: World) -> None:
    def fails(*_: object) -> None:
        raise PaisctlError("no space for a snapshot on a")

    world.prepare = fails  # type: ignore[method-assign, assignment]
    trouble = stopped(world)
    assert trouble == Trouble("no space for a snapshot on a")


def test_what_was_prepared_needs_no_room_any_more(world: World) -> None:
    assert begin().still_to_do == begin().task
    world.broken = {"c"}
    stopped(world)
    assert world.stored is not None
    assert world.stored.is_prepared
    assert world.stored.still_to_do == replace(world.stored.task, takes_snapshots=False)
    world.crash_at = 1  # it dies while it prepares
    with pytest.raises(Crash):
        engine(world, begin()).run()
    assert not world.stored.is_prepared


def test_an_interrupt_is_remembered_as_one(world: World) -> None:
    def interrupted(*_: object, **__: object) -> Failure | None:
        raise KeyboardInterrupt

    world.change = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        engine(world, begin()).run()
    assert world.stored is not None
    assert (world.stored.progress, world.stored.problem) == (Progress.STOPPED, "interrupted")
    assert replace(world.stored, sequence=0).begun == ["b"]
