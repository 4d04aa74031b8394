from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from paisctl.errors import (
    ControlUnreachable,
    CredentialsRefused,
    OutcomeUnknown,
    PaisctlError,
    PolicyMoved,
    PolicyRefused,
)
from paisctl.tailnet.outcome import Outcome, Progress, Result, Stage, SwitchInterrupted
from paisctl.tailnet.record import Started, State
from tests.unit.tailnet.fakes import BAD, HAND, NEW, OLD, Bench, once

HOSTS = ("k6", "nas")


def change(bench: Bench, text: str, hosts: tuple[str, ...] = HOSTS) -> Result:
    return bench.switch().change_policy(text, bench.control.policy(), hosts)


def names(sightings: tuple[object, ...]) -> list[str]:
    return [sighting.host for sighting in sightings]  # type: ignore[attr-defined]


def test_a_policy_under_which_every_host_is_reached_stays(bench: Bench) -> None:
    result = change(bench, NEW)
    assert result.outcome is Outcome.KEPT
    assert names(result.reached) == ["k6", "nas"]
    assert not result.gone
    assert bench.live() == NEW
    assert bench.record.read() is None
    assert not result.is_record_kept


def test_only_connections_begun_after_the_policy_has_settled_count(bench: Bench) -> None:
    set_at: list[float] = []
    bench.control.after_set = lambda _: set_at.append(bench.clock.now())
    change(bench, NEW)
    before, after = bench.attempts[:2], bench.attempts[2:]
    assert sorted(host for host, _ in before) == ["k6", "nas"]
    assert sorted(host for host, _ in after) == ["k6", "nas"]
    assert min(began for _, began in after) >= set_at[0] + bench.settle


def test_a_policy_that_takes_its_time_to_lock_out_does_not_escape(bench: Bench) -> None:
    lag, reach, begin = 8.0, bench.reach, bench.clock.now()

    def lagging(host: str) -> str:
        return "" if bench.clock.now() < begin + lag else reach(host)

    bench.reach = lagging  # type: ignore[method-assign]
    result = change(bench, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert names(result.gone) == ["k6"]


def changed_while(bench: Bench, happens: Callable[[], None]) -> Result:
    """Set the new policy; something happens once every host has been reached under it."""

    def listen(progress: Progress) -> None:
        if progress.stage is Stage.REACHED and progress.host == HOSTS[-1]:
            happens()

    switch = replace(bench.switch(), listener=listen)
    return switch.change_policy(NEW, bench.control.policy(), HOSTS)


@pytest.mark.parametrize("gone", [[], ["k6"]])
def test_somebody_elses_edit_while_the_hosts_were_watched_is_seen(
    bench: Bench, gone: list[str]
) -> None:
    def edit() -> None:
        bench.down = set(gone)
        bench.file.write_text(HAND)

    result = changed_while(bench, edit)
    assert result.outcome is Outcome.OVERTAKEN
    assert names(result.gone) == gone
    assert bench.live() == HAND
    assert result.is_record_kept == bool(gone)
    assert (bench.record.read() is None) == (not gone)


def test_a_policy_that_somebody_else_has_put_back_meanwhile_is_not_kept(bench: Bench) -> None:
    def go_back() -> None:
        bench.file.write_text(OLD)

    result = changed_while(bench, go_back)
    assert result.outcome is Outcome.WENT_BACK
    assert "somebody else" in result.problem
    assert result.is_old_proven
    assert bench.record.read() is None


def test_a_policy_under_which_all_is_well_stays_though_it_cannot_be_read_again(
    bench: Bench,
) -> None:
    def fail() -> None:
        bench.control.before_read = once(ControlUnreachable("nobody there"))

    result = changed_while(bench, fail)
    assert result.outcome is Outcome.KEPT
    assert "nobody there" in result.problem
    assert bench.live() == NEW
    assert bench.record.read() is None


def test_an_interrupt_right_before_the_end_goes_back(bench: Bench) -> None:
    reads: list[None] = []

    def interrupt() -> None:
        reads.append(None)
        if len(reads) == 1:
            raise KeyboardInterrupt

    with pytest.raises(SwitchInterrupted) as raised:
        changed_while(bench, lambda: setattr(bench.control, "before_read", interrupt))
    assert raised.value.result.outcome is Outcome.WENT_BACK
    assert bench.live() == OLD


def test_a_policy_that_differs_in_comments_alone_is_kept(bench: Bench) -> None:
    assert change(bench, f"// reviewed\n{OLD}").outcome is Outcome.KEPT
    assert bench.live().startswith("// reviewed")


def test_the_old_policy_is_kept_before_the_new_one_is_set(bench: Bench) -> None:
    kept: list[object] = []
    bench.control.before_set = lambda _: kept.append(bench.record.read())
    change(bench, NEW)
    (started,) = kept
    assert started.before == OLD  # type: ignore[attr-defined]
    assert started.hosts == HOSTS  # type: ignore[attr-defined]
    assert started.state is State.SETTING  # type: ignore[attr-defined]


def test_a_host_that_is_lost_brings_the_old_policy_back(bench: Bench) -> None:
    result = change(bench, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert result.is_old_proven
    assert names(result.gone) == ["k6"]
    assert result.gone[0].problem == "no connection to k6"
    assert result.gone[0].seconds >= bench.limit - 5
    assert names(result.reached) == ["nas"]
    assert not any(sighting.problem for sighting in result.after)
    assert names(result.after) == ["k6", "nas"]
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_a_host_gets_the_whole_limit_to_be_reached(bench: Bench) -> None:
    bench.down = {"k6"}
    begin = bench.clock.now()
    bench.control.after_set = lambda _: None
    reach = bench.reach

    def late(host: str) -> str:
        if bench.live() == NEW and bench.clock.now() > begin + 45:
            bench.down = set()
        return reach(host) if bench.live() == NEW else ""

    bench.reach = late  # type: ignore[method-assign]
    result = change(bench, NEW)
    assert result.outcome is Outcome.KEPT
    assert result.reached[0].seconds > 40


def test_hosts_that_are_down_beforehand_are_named_and_left_out(bench: Bench) -> None:
    bench.down = {"k6"}
    result = change(bench, NEW)
    assert result.outcome is Outcome.KEPT
    assert names(result.left_out) == ["k6"]
    assert names(result.reached) == ["nas"]
    assert [host for host, _ in bench.attempts].count("k6") == 1


@pytest.mark.parametrize("hosts", [HOSTS, ()])
def test_nothing_is_set_when_nobody_can_be_watched(bench: Bench, hosts: tuple[str, ...]) -> None:
    bench.down = {"k6", "nas"}
    result = change(bench, NEW, hosts)
    assert result.outcome is Outcome.NOBODY_REACHED
    assert names(result.left_out) == list(hosts)
    assert bench.control.sets == []
    assert bench.record.read() is None


@pytest.mark.parametrize(
    "error",
    [
        PolicyMoved("moved"),
        PolicyRefused("no", ("because",)),
        CredentialsRefused("who?"),
        ControlUnreachable("nobody there"),
    ],
)
def test_what_the_control_plane_refuses_changes_nothing(bench: Bench, error: PaisctlError) -> None:
    bench.control.before_set = once(error)  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        change(bench, NEW)
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_a_policy_planned_against_another_one_is_not_set(bench: Bench) -> None:
    live = bench.control.policy()
    bench.file.write_text(HAND)
    with pytest.raises(PolicyMoved):
        bench.switch().change_policy(NEW, live, HOSTS)
    assert bench.live() == HAND
    assert bench.record.read() is None


def test_a_lost_answer_to_a_set_that_was_carried_out_is_undone(bench: Bench) -> None:
    bench.control.after_set = once(OutcomeUnknown("no answer"))
    result = change(bench, NEW)
    assert result.outcome is Outcome.WENT_BACK
    assert result.problem == "no answer"
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_a_set_that_may_yet_be_carried_out_keeps_its_record(bench: Bench) -> None:
    bench.control.before_set = once(OutcomeUnknown("no answer"))
    result = change(bench, NEW)
    assert result.outcome is Outcome.NOT_SET
    assert result.is_old_proven
    assert result.is_record_kept
    bench.file.write_text(NEW)  # now it is
    assert bench.switch().go_back().outcome is Outcome.WENT_BACK
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_no_change_begins_while_another_waits_to_be_ended(bench: Bench) -> None:
    with bench.record.alone():
        bench.record.begin("Tailscale", OLD, "etag", "fingerprint", HOSTS)
    with pytest.raises(PaisctlError, match="has not been ended"):
        change(bench, NEW)
    assert bench.control.sets == []


def test_going_back_insists_while_the_control_plane_is_overloaded(bench: Bench) -> None:
    overloaded = ControlUnreachable("asked too often")
    bench.control.before_set = once(None, overloaded, overloaded, OutcomeUnknown("lost"))
    result = change(bench, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert bench.live() == OLD
    assert bench.stages().count(Stage.NOT_YET_BACK) == 3


def test_going_back_finds_that_a_set_without_answer_was_carried_out(bench: Bench) -> None:
    bench.control.after_set = once(None, OutcomeUnknown("lost"))
    result = change(bench, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert bench.control.sets == [BAD, OLD]


def test_going_back_gives_up_after_minutes_and_says_so(bench: Bench) -> None:
    def dead(text: str) -> None:
        if text == OLD:
            raise ControlUnreachable("nobody there")

    bench.control.before_set = dead
    begin = bench.clock.now()
    result = change(bench, BAD)
    assert result.outcome is Outcome.NOT_BACK
    assert result.problem == "nobody there"
    assert not result.is_old_proven
    assert result.is_record_kept
    assert 240 < bench.clock.now() - begin < 600
    started = bench.record.read()
    assert started is not None
    assert started.state is State.GOING_BACK
    bench.control.before_set = once()
    assert bench.switch().go_back().outcome is Outcome.WENT_BACK
    assert bench.live() == OLD


def test_going_back_does_not_insist_where_it_is_refused(bench: Bench) -> None:
    bench.control.before_set = once(None, PolicyRefused("a group is gone", ("group",)))
    result = change(bench, BAD)
    assert result.outcome is Outcome.NOT_BACK
    assert result.problem == "a group is gone"
    assert result.is_record_kept


def test_an_edit_by_somebody_else_meanwhile_is_left_alone(bench: Bench) -> None:
    def edit(text: str) -> None:
        if text == OLD:
            bench.file.write_text(HAND)

    bench.control.before_set = edit  # after our reading, right before our setting
    result = change(bench, BAD)
    assert result.outcome is Outcome.OVERTAKEN
    assert not result.is_old_proven
    assert result.is_record_kept
    assert bench.live() == HAND


def test_the_old_policy_counts_as_back_however_it_is_formatted(bench: Bench) -> None:
    def formats(_: str) -> None:
        bench.file.write_text(bench.live().replace("{", "{\n  "))

    bench.control.after_set = formats
    result = change(bench, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert bench.live() != OLD


@pytest.mark.parametrize("stage", [Stage.SETTLING, Stage.WATCHING, Stage.REACHED])
def test_an_interrupt_while_watching_goes_back(bench: Bench, stage: Stage) -> None:
    set_by_then = [False]
    bench.control.after_set = lambda _: set_by_then.__setitem__(0, True)

    def interrupt(progress: Progress) -> None:
        if set_by_then[0] and progress.stage is stage:
            set_by_then[0] = False
            raise KeyboardInterrupt

    switch = bench.switch()
    object.__setattr__(switch, "listener", interrupt)
    with pytest.raises(SwitchInterrupted) as raised:
        switch.change_policy(NEW, bench.control.policy(), HOSTS)
    assert raised.value.result.outcome is Outcome.WENT_BACK
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_an_interrupt_while_setting_goes_back_if_it_was_set(bench: Bench) -> None:
    def interrupt(text: str) -> None:
        if text == NEW:
            raise KeyboardInterrupt

    bench.control.after_set = interrupt
    with pytest.raises(SwitchInterrupted) as raised:
        change(bench, NEW)
    assert raised.value.result.outcome is Outcome.WENT_BACK
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_an_interrupt_while_setting_keeps_the_record_if_it_may_yet_be_set(bench: Bench) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    bench.control.before_set = interrupt
    with pytest.raises(SwitchInterrupted) as raised:
        change(bench, NEW)
    assert raised.value.result.outcome is Outcome.NOT_SET
    assert raised.value.result.is_record_kept
    assert bench.record.read() is not None


def test_a_second_interrupt_while_going_back_leaves_the_record(bench: Bench) -> None:
    def impatient(text: str) -> None:
        if text == OLD:
            raise KeyboardInterrupt

    bench.control.before_set = impatient
    with pytest.raises(SwitchInterrupted) as raised:
        change(bench, BAD)
    assert raised.value.result.outcome is Outcome.NOT_BACK
    assert raised.value.result.is_record_kept
    assert names(raised.value.result.gone) == ["k6"]
    bench.control.before_set = once()
    assert bench.switch().go_back().outcome is Outcome.WENT_BACK


def test_an_error_of_our_own_goes_back_too(bench: Bench) -> None:
    def closed(progress: Progress) -> None:
        if progress.stage is not Stage.LOOKING and progress.stage is not Stage.SETTING:
            raise BrokenPipeError

    switch = bench.switch()
    object.__setattr__(switch, "listener", closed)
    with pytest.raises(BrokenPipeError):
        switch.change_policy(NEW, bench.control.policy(), HOSTS)
    assert bench.live() == OLD
    assert bench.record.read() is None


def test_a_disk_that_fills_up_after_the_set_goes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.record, "advance", full)
    with pytest.raises(OSError, match="No space"):
        change(bench, NEW)
    assert bench.live() == OLD


def test_a_disk_that_fills_up_while_watching_does_not_keep_from_going_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = bench.record.advance

    def full(started: Started, state: State, etag: str | None = None) -> Started:
        if state is State.GOING_BACK:
            raise OSError(28, "No space left on device")
        return advance(started, state, etag)

    monkeypatch.setattr(bench.record, "advance", full)
    assert change(bench, BAD).outcome is Outcome.WENT_BACK
    assert bench.live() == OLD


def test_an_interrupt_once_somebody_else_has_gone_back_leaves_nothing_to_do(bench: Bench) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.stage is Stage.WATCHING:
            bench.file.write_text(OLD)
            raise KeyboardInterrupt

    switch = bench.switch()
    object.__setattr__(switch, "listener", interrupt)
    with pytest.raises(SwitchInterrupted) as raised:
        switch.change_policy(NEW, bench.control.policy(), HOSTS)
    assert raised.value.result.outcome is Outcome.WENT_BACK
    assert bench.control.sets == [NEW]
    assert bench.record.read() is None


def test_a_disk_that_is_full_beforehand_means_that_nothing_is_set(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        change(bench, NEW)
    assert bench.control.sets == []


def test_a_connection_that_hangs_keeps_no_other_host_waiting(bench: Bench) -> None:
    release, reach = threading.Event(), bench.reach
    tries: dict[str, int] = {}

    def hang(host: str) -> str:
        if bench.live() != NEW:
            return reach(host)
        tries[host] = tries.get(host, 0) + 1
        if host == "k6":
            release.wait(20)
        return "" if tries[host] > 2 else "not yet"

    bench.reach = hang  # type: ignore[method-assign]
    result = change(bench, NEW)
    release.set()
    assert result.outcome is Outcome.WENT_BACK
    assert names(result.gone) == ["k6"]
    assert result.gone[0].problem == "the connection hangs"
    assert names(result.reached) == ["nas"]
    assert tries == {"k6": 1, "nas": 3}


def test_a_reach_that_fails_by_itself_counts_as_gone(bench: Bench) -> None:
    reach = bench.reach

    def broken(host: str) -> str:
        if bench.live() == NEW and host == "k6":
            raise RuntimeError("a mistake of ours")
        return reach(host)

    bench.reach = broken  # type: ignore[method-assign]
    result = change(bench, NEW)
    assert result.outcome is Outcome.WENT_BACK
    assert result.gone[0].problem == "a mistake of ours"


def test_every_host_is_asked_at_the_same_time(bench: Bench) -> None:
    together = threading.Barrier(2, timeout=5)

    def meet(_: str) -> str:
        together.wait()
        return ""

    bench.reach = meet  # type: ignore[method-assign, assignment]
    assert change(bench, NEW).outcome is Outcome.KEPT


def test_even_a_limit_that_is_over_by_then_leaves_time_for_one_connection(bench: Bench) -> None:
    bench.limit, reach = 1.0, bench.reach

    def slow(host: str) -> str:
        time.sleep(0.05)
        return reach(host)

    bench.reach = slow  # type: ignore[method-assign]
    assert change(bench, NEW).outcome is Outcome.KEPT


def test_of_a_host_that_hangs_in_the_end_the_last_real_problem_is_told(bench: Bench) -> None:
    release, tries = threading.Event(), []

    def hang(host: str) -> str:
        if bench.live() == NEW and host == "k6":
            tries.append(host)
            if len(tries) > 1:
                release.wait(20)
            return "connection refused"
        return ""

    bench.reach = hang  # type: ignore[method-assign]
    result = change(bench, NEW)
    release.set()
    assert result.gone[0].problem == "connection refused"


def test_who_waits_is_told_what_happens(bench: Bench) -> None:
    change(bench, BAD)
    stages = list(dict.fromkeys(bench.stages()))
    assert stages == [
        Stage.LOOKING,
        Stage.SETTING,
        Stage.SETTLING,
        Stage.WATCHING,
        Stage.NOT_REACHED,
        Stage.REACHED,
        Stage.GOING_BACK,
        Stage.BACK,
    ]
