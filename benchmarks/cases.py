"""What is measured, from which state, and how it shows that the work was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


CASES = (
    Case("noop-plan", "No-op plan", is_plan=True),
    Case("noop-apply", "No-op apply"),
    Case("changed-file", "One changed file", "changed-file"),
    Case("changed-tag", "One changed image tag", "changed-tag"),
    Case("slow-host", "One changed image tag, one slow host", "changed-tag", is_uneven=True),
    Case("first-deploy", "First deploy", is_first=True),
)

_WORD = "first"
WEB = "/web-web-1"


@dataclass(frozen=True, slots=True)
class Look:
    """A host as it was found."""

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
    """Why a run does not count; empty when every host is as the case wants it."""
    return [
        f"{device}: {why}" for device in after for why in _why(case, before[device], after[device])
    ]


def _why(case: Case, before: Look, after: Look) -> list[str]:
    if len(after.containers) != 2:
        return [f"it has {len(after.containers)} containers, not 2"]
    wrong = []
    word = OTHER_WORD if case.variant == "changed-file" else _WORD
    if after.word != word:
        wrong.append(f"its web server says {after.word}, not {word}")
    if any(each.status != "running" for each in after.containers.values()):
        wrong.append("a container does not run")
    if case.is_first:
        return wrong
    changed = {
        name for name in after.containers if after.containers[name] != before.containers[name]
    }
    if changed != ({WEB} if case.variant == "changed-tag" else set()):
        wrong.append(f"other containers: {', '.join(sorted(changed)) or 'none'}")
    image = after.containers[WEB].image
    if case.variant == "changed-tag" and not image.endswith(f":{OTHER_TAG}"):
        wrong.append(f"its web server is {image}")
    files = {path for path in after.files if after.files[path] != before.files.get(path)}
    if files != _files(case):
        wrong.append(f"other files: {', '.join(sorted(files)) or 'none'}")
    return wrong


def _files(case: Case) -> set[str]:
    """What a case changes."""
    return {
        "base": set[str](),
        "changed-file": {"opt/paisctl/stacks/web/haproxy/haproxy.cfg"},
        "changed-tag": {"opt/paisctl/stacks/web/compose.yaml"},
    }[case.variant]
