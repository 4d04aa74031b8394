"""The files of a stack against those on the host."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from paisctl.desired import Ignored
from paisctl.plan import Action, Cause, Change, Disruption
from paisctl.reconcile.changes import BY_HAND, Comparison, Finding
from paisctl.reconcile.ignoring import with_images
from paisctl.reconcile.operations import Needed
from paisctl.reconcile.threeway import cause_of
from paisctl.rendering.compose import COMPOSE_FILE, OVERRIDE_FILE
from paisctl.resources.file import FileSpec, FileState
from paisctl.secrets import describe

_COMPOSE_FILES = (COMPOSE_FILE, OVERRIDE_FILE)
_DISRUPTIONS = {
    "none": Disruption.NONE,
    "reload": Disruption.RELOAD,
    "restart": Disruption.RESTART,
    "recreate": Disruption.RECREATE,
}


def file_findings(stack: Comparison) -> Iterator[Finding]:
    """Files that differ, are missing, or are no longer wanted; not the Compose files."""
    for path, file in stack.spec.files.items():
        if path not in _COMPOSE_FILES:
            yield from _file(stack, file)
    for path in dict.fromkeys((*stack.applied.files, OVERRIDE_FILE)):
        if path not in stack.spec.files and stack.file_state(path):
            yield Finding(_unwanted(stack, path), Needed(unlink=[path]))


def _unwanted(stack: Comparison, path: str) -> Change | None:
    if path not in _COMPOSE_FILES:
        cause, reason = Cause.ORPHAN, "no longer rendered"
    elif path not in stack.applied.files:
        cause, reason = Cause.DRIFT, "not written by paisctl; Compose would merge it"
    else:
        return None
    return stack.change(Action.DELETE, f"file {path}", cause, reason=reason)


def compose_file_findings(stack: Comparison, others: Sequence[Finding]) -> Iterator[Finding]:
    """The Compose files follow from the services, so they are news only when edited by hand.

    Args:
        stack: the comparison.
        others: what else was found; a change of the stack already accounts for a new content, and
            so does an ignored one, which is no reason to write anything.
    """
    explained = any(other.change for other in others if not other.ignored)
    ignored = [other.change for other in others if other.change and other.ignored]
    left_alone = not explained and any(change.cause is not Cause.DRIFT for change in ignored)
    for path in _COMPOSE_FILES:
        file = stack.spec.files.get(path)
        if file is None:
            continue
        state = stack.file_state(path)
        wanted, live = file.digest(stack.vault), _digest(stack, file, state)
        if live == wanted:
            yield from _wrong_mode(stack, file, state)
            continue
        cause, needed = _cause(stack, path, wanted, live), Needed(files={path: file})
        is_same_edit = state and cause is Cause.DRIFT and _says_ignored(stack, file, live, ignored)
        if not (left_alone or is_same_edit) and (cause is not Cause.PENDING or not explained):
            change = _content(stack, file, cause, Disruption.NONE)
            yield Finding(change, needed, _ignored(stack, file, state))
        if cause is Cause.PENDING or state is None:
            yield Finding(None, needed)  # whatever else is done, Compose reads it


def _says_ignored(stack: Comparison, file: FileSpec, live: str, ignored: Sequence[Change]) -> bool:
    """Whether all that was edited in a Compose file are images that are ignored and run already.

    The file itself was not read, only its digest. What a generation had in it is not known here.
    """
    subjects = {change.subject for change in ignored if change.field == "image"}
    images = {
        name: containers[0].image
        for name in stack.spec.services
        if f"service {name}" in subjects and (containers := stack.containers_of(name))
    }
    if file.kept:
        return bool(images)
    edited = replace(file, content=with_images(file.content, images))
    return edited.digest(stack.vault) == live


def _ignored(stack: Comparison, file: FileSpec, state: FileState | None) -> Ignored | None:
    """A file that is missing is put in place anyway: services need it."""
    return stack.ignored(f"file {file.path}") if state else None


def _file(stack: Comparison, file: FileSpec) -> Iterator[Finding]:
    state = stack.file_state(file.path)
    wanted, live = file.digest(stack.vault), _digest(stack, file, state)
    was = _applied_digest(stack, file.path)
    disruption = _disruption(stack, file)
    if live != wanted:
        needed = Needed(files={file.path: file})
        needed.add(stack.notice_of(file))
        change = _content(stack, file, _cause(stack, file.path, wanted, live), disruption)
        yield Finding(change, needed, _ignored(stack, file, state))
    elif stack.was_applied and was != wanted and file.action != "none":
        change = stack.change(
            Action.UPDATE,
            f"file {file.path}",
            Cause.PENDING,
            disruption,
            reason="written, but not yet loaded",
        )
        yield Finding(change, stack.notice_of(file), _ignored(stack, file, state))
    else:
        yield from _wrong_mode(stack, file, state)


def _disruption(stack: Comparison, file: FileSpec) -> Disruption:
    """What loading a file costs: nothing when its service is down and starts with it anyway."""
    return _DISRUPTIONS[file.action] if stack.notice_of(file) != Needed() else Disruption.NONE


def _digest(stack: Comparison, file: FileSpec, state: FileState | None) -> str:
    if state is None or state.kind != "-":
        return ""
    return stack.vault.seal(state.digest) if file.secret else state.digest


def _cause(stack: Comparison, path: str, wanted: str, live: str) -> Cause:
    """What lies there from an apply that never ended is nobody's edit."""
    if not stack.was_applied:
        return Cause.PENDING
    return cause_of(wanted, live, _applied_digest(stack, path))


def _applied_digest(stack: Comparison, path: str) -> str:
    """Empty when it was never applied, so that it equals that of a missing file."""
    before = stack.applied.files.get(path)
    return before.digest if before else ""


def _wrong_mode(stack: Comparison, file: FileSpec, state: FileState | None) -> Iterator[Finding]:
    if state and state.mode != file.mode:
        change = stack.change(
            Action.MEND,
            f"file {file.path}",
            Cause.DRIFT,
            field="mode",
            values=(state.mode, file.mode),
            reason=stack.how_edited(BY_HAND),
        )
        yield Finding(change, Needed(files={file.path: file}), _ignored(stack, file, state))


def _content(stack: Comparison, file: FileSpec, cause: Cause, disruption: Disruption) -> Change:
    state = stack.file_state(file.path)
    action, reason = Action.UPDATE, stack.asked_why
    if cause is Cause.DRIFT:
        action, reason = Action.MEND, stack.how_edited() if state else "deleted on the host"
    elif state is None:
        action, reason = Action.CREATE, "new"
    elif cause is Cause.BOTH:
        reason = f"also {stack.how_edited()}"
    return stack.change(
        action,
        f"file {file.path}",
        cause,
        disruption,
        reason=reason,
        mark=None if cause is Cause.DRIFT else stack.asked_by(file.path, file.content),
        diff=_diff(stack, file),
    )


def _diff(stack: Comparison, file: FileSpec) -> str:
    before = stack.state.texts.get(f"stacks/{stack.spec.name}/{file.path}")
    if before is None or file.secret or file.kept:
        return ""
    lines = difflib.unified_diff(
        stack.vault.redact(before).splitlines(),
        describe(file.content).splitlines(),
        f"{file.path} (on {stack.spec.device})",
        f"{file.path} (from the inventory)",
        lineterm="",
    )
    return "\n".join(lines)
