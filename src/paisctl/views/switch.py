"""A change of the access policy while it goes on, and how it ended."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence

from rich.text import Text

from paisctl.tailnet.outcome import Outcome, Progress, Result, Sighting, Stage
from paisctl.views.console import plural, render, visible

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_VERDICTS = {
    Outcome.KEPT: "Done: the new access policy is in force, and every host was reached under it.",
    Outcome.WENT_BACK: "Not done: the old access policy is in force again.",
    Outcome.NOT_BACK: "Not done: the old access policy could not be put back.",
    Outcome.OVERTAKEN: "Not done: somebody else has changed the access policy; theirs is in force.",
    Outcome.NOBODY_REACHED: "Not done: no host can be reached that would prove the new policy.",
    Outcome.NOT_SET: "Not done: the new policy was not set; the old one is in force.",
}
_KEPT_WITHOUT_SOME = "Done: the new access policy is in force; not every host was watched."
_BACK = "Done: the old access policy is in force."


def say(progress: Progress) -> None:
    """Tell what happens, a line each, on stderr."""
    who = f"{progress.host}: " if progress.host else ""
    detail = f": {progress.detail}" if progress.detail else ""
    when = f" after {progress.seconds:.1f} s" if progress.stage is Stage.REACHED else ""
    line = f"tailnet: {who}{progress.stage.value}{when}{detail}"
    print(visible(line), file=sys.stderr)  # noqa: T201 - progress is for stderr


def moved(before: str, now: str) -> str:
    """What somebody else has changed of the policy's text, meanwhile."""
    lines = difflib.unified_diff(
        before.splitlines(), now.splitlines(), "as planned", "in force now", n=1, lineterm=""
    )
    return render(Text(line, _STYLES.get(line[:1], "")) for line in lines)


def as_text(result: Result, folder: str, *, is_way_back: bool = False) -> str:
    """How it ended, host by host, with what to do next.

    Args:
        result: how it ended.
        folder: where a change that has not ended is kept.
        is_way_back: whether the old policy was what somebody wanted.
    """
    return render(_lines(result, folder, is_way_back=is_way_back))


def _lines(result: Result, folder: str, *, is_way_back: bool) -> Iterator[Text]:
    yield from _hosts("gone under the new policy", result.gone, "red")
    yield from _hosts(
        "not watched: it could not be reached before either", result.left_out, "yellow"
    )
    still = [sighting for sighting in result.after if sighting.problem]
    yield from _hosts("still not reached under the old policy", still, "red")
    if result.problem:
        yield Text(f"  {result.problem}")
    if result.outcome is Outcome.KEPT:
        yield Text.assemble(("✓ ", "green"), f"{plural(len(result.reached), 'host')} reached anew")
    is_done = is_way_back and result.is_old_proven
    yield Text(_BACK if is_done else _verdict(result), "bold")
    if not is_done or result.is_record_kept:
        yield from (Text(f"next: {line}") for line in _next(result, folder))


def _verdict(result: Result) -> str:
    if result.outcome is Outcome.KEPT and result.left_out:
        return _KEPT_WITHOUT_SOME
    return _VERDICTS[result.outcome]


def _hosts(what: str, sightings: Sequence[Sighting], style: str) -> Iterator[Text]:
    for sighting in sightings:
        yield Text.assemble(("✗ ", style), (sighting.host, "bold"), f"  {what}")
        yield Text(f"    {sighting.problem}")


def _next(result: Result, folder: str) -> Iterator[str]:
    match result.outcome:
        case Outcome.WENT_BACK if result.gone:
            yield "find out what those hosts lack: paisctl devices, and paisctl acl explain LOGIN HOST:ssh"
        case Outcome.NOT_BACK:
            yield f"paisctl acl back; the old policy is in {folder}/policy-before.hujson"
        case Outcome.OVERTAKEN:
            yield "look at what is in force now: paisctl acl plan"
        case Outcome.NOT_SET if result.is_record_kept:
            yield "what it was asked may still be done; in a few minutes, paisctl acl back"
            return
        case Outcome.NOBODY_REACHED | Outcome.NOT_SET:
            yield "mend the cause, then paisctl acl apply"
        case Outcome.KEPT | Outcome.WENT_BACK:
            pass
    if result.is_record_kept and result.outcome is not Outcome.NOT_BACK:
        yield "once that is settled, paisctl acl finish or paisctl acl back"
