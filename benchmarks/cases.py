"""What is measured, in which order, and how hosts show that the work was done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.engine import Container, Machine
from benchmarks.fleet import OTHER_TAG, OTHER_WORD


@dataclass(frozen=True)
class Case:
    """`is_plan` tells a plan from an apply of the variant; `is_first` starts from empty hosts.

    With `is_uneven` the last of the hosts has a tenth of a processor only.
    """

    name: str
    title: str
    variant: str = "base"
    is_plan: bool = False
    is_first: bool = False
    is_uneven: bool = False

    @property
    def starts_containers(self) -> bool:
        return self.is_first or self.variant == "changed-tag"


NOOP_PLAN = Case("noop-plan", "No-op plan", is_plan=True)
NOOP_APPLY = Case("noop-apply", "No-op apply")
CHANGED_FILE = Case("changed-file", "One changed file", "changed-file")
CHANGED_TAG = Case("changed-tag", "One changed image tag", "changed-tag")
SLOW_HOST = Case("slow-host", "One changed image tag, one slow host", "changed-tag", is_uneven=True)
FIRST_DEPLOY = Case("first-deploy", "First deploy", is_first=True)
CASES = (NOOP_PLAN, NOOP_APPLY, CHANGED_FILE, CHANGED_TAG, SLOW_HOST, FIRST_DEPLOY)


@dataclass(frozen=True)
class Step:
    """Cases that are measured in turns, on so many hosts."""

    hosts: int
    cases: tuple[Case, ...]


def steps(sizes: Collection[int], names: Collection[str]) -> Iterator[Step]:
    """What is to be measured, what matters most first: plans for every number of hosts.

    A slow host is compared with the same change among quick ones; on the middle one of the sizes,
    as it makes all tools take their time.
    """
    ordered = sorted(sizes)
    wanted = [case for case in CASES if case.name in names]
    if NOOP_PLAN in wanted:
        yield from (Step(hosts, (NOOP_PLAN,)) for hosts in ordered)
    for hosts in ordered:
        is_slow_too = SLOW_HOST in wanted and hosts == ordered[len(ordered) // 2]
        for case in (NOOP_APPLY, CHANGED_FILE, CHANGED_TAG, FIRST_DEPLOY):
            if case is CHANGED_TAG and is_slow_too:
                yield Step(hosts, (CHANGED_TAG, SLOW_HOST))
            elif case in wanted:
                yield Step(hosts, (case,))


_WORD = "first"
WEB = "/web-web-1"


@dataclass(frozen=True, slots=True)
class Look:
    """A host as it was found: its containers, mode and digest of its files, what its web server says."""

    containers: Mapping[str, Container]
    files: Mapping[str, tuple[int, str]]
    word: str


def look(machines: Sequence[Machine]) -> dict[str, Look]:
    """All hosts as they are, by device."""

    def one(machine: Machine) -> Look:
        return Look(machine.containers(), machine.files(), machine.word())

    with ThreadPoolExecutor(8) as pool:
        names = [machine.device for machine in machines]
        return dict(zip(names, pool.map(one, machines), strict=True))


def problems(case: Case, before: Mapping[str, Look], after: Mapping[str, Look]) -> list[str]:
    """Why a run does not count; empty when every host is as the case wants it.

    Args:
        case: what was run.
        before: the hosts in the first state; for a first deploy as they were before they were emptied.
        after: the hosts now.
    """
    return [
        f"{device}: {why}" for device in after for why in _why(case, before[device], after[device])
    ]


def _why(case: Case, before: Look, after: Look) -> Iterator[str]:
    if len(after.containers) != 2 or WEB not in after.containers:
        yield f"its containers are {_list(after.containers)}"
        return
    word = OTHER_WORD if case.variant == "changed-file" else _WORD
    if after.word != word:
        yield f"its web server says {after.word}, not {word}"
    if any(each.status != "running" for each in after.containers.values()):
        yield "a container does not run"
    image = after.containers[WEB].image
    if image.endswith(f":{OTHER_TAG}") != (case.variant == "changed-tag"):
        yield f"its web server is {image}"
    changed = {
        name for name in after.containers if after.containers[name] != before.containers.get(name)
    }
    if changed != _containers(case, after):
        yield f"other containers: {_list(changed)}"
    if (files := _changed_files(case, before, after)) != _FILES[case.variant]:
        yield f"other files: {_list(files)}"


def _containers(case: Case, after: Look) -> set[str]:
    """The containers that a case makes anew."""
    if case.is_first:
        return set(after.containers)
    return {WEB} if case.variant == "changed-tag" else set()


# By variant: what differs from the first state.
_FILES = {
    "base": set[str](),
    "changed-file": {"opt/paisctl/stacks/web/haproxy/haproxy.cfg"},
    "changed-tag": {"opt/paisctl/stacks/web/compose.yaml"},
}


def _changed_files(case: Case, before: Look, after: Look) -> set[str]:
    """What is gone, new or other. The mode of a new file is up to the tool that makes it."""

    def state(seen: Look, path: str) -> object:
        found = seen.files.get(path)
        return found[1] if found and case.is_first else found

    paths = before.files.keys() | after.files.keys()
    return {path for path in paths if state(before, path) != state(after, path)}


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
