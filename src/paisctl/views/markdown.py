"""A plan as a comment on a pull request: GitHub's Markdown, which Gitea reads, too.

What it quotes cannot become markup, mention anybody, or end the table or the block it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from paisctl.diagnostics import Diagnostic
from paisctl.plan import Change, HostPlan, Plan, PolicyPlan
from paisctl.revision import Then
from paisctl.views.console import plural, visible
from paisctl.views.excerpt import shown_path
from paisctl.views.human import UNSEEN, gathered, owed_words, summary, values, why

# GitHub refuses a longer comment than 65,536 characters; some are for whoever posts it.
LIMIT = 65_000
_TABLE = "| | What | Change | Why |\n|:-:|---|---|---|"
_MARKUP = re.compile(r"[\\`*_\[\]<>|~#!$&@]|:(?=[\w+-]+:)")  # :tada: is a picture
# What stands between backticks is code; what may mention somebody or something becomes code.
_CODE = re.compile(r"`([^`]*)`|(\S*[@#]\S*)")


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together; some of `rows` may be left out where there is no room."""

    head: str = ""
    rows: tuple[str, ...] = ()
    tail: str = ""


def plan(
    plan: Plan,
    *,
    show_diffs: bool = False,
    then: Then | None = None,
    warnings: Sequence[Diagnostic] = (),
) -> str:
    """A plan as Markdown, no longer than a comment may be.

    Args:
        plan: the plan.
        show_diffs: whether to show changed files line by line.
        then: the revision that it starts from; None if it starts from the hosts.
        warnings: of the inventory, to be shown with it.
    """
    blocks = [_Block(f"### {_prose(summary(plan, then))}")]
    if then:
        commit = "".join(f" ({_code(name)})" for name in then.names[1:])
        against = f"Against {_code(then.revision)}{commit}. {UNSEEN}"
        blocks.append(_Block(against, tuple(_notes(then.notes))))
    blocks += [block for host in plan.hosts for block in _host(host)]
    if plan.policy:
        blocks += _policy(plan.policy)
    if warnings:
        head = _folded(f"{plural(len(warnings), 'warning')} of lint")
        blocks.append(_Block(head, tuple(map(_warning, warnings)), "\n</details>"))
    if show_diffs:
        blocks += [_diff(change) for change in plan.changes if change.diff]
    command = f"paisctl plan --base {then.revision}" if then else "paisctl plan"
    return _fitted(blocks, f"**Cut off here.** All of it: {_code(command)}\n")


def _host(host: HostPlan) -> Iterator[_Block]:
    if not (host.problem or host.asleep or host.held or host.refused or host.notes or host.changes):
        return
    yield _Block(f"#### {_prose(host.device)}", tuple(_said(host)))
    if host.changes:
        yield _Block(_TABLE, tuple(map(_row, gathered(host.changes))))


def _said(host: HostPlan) -> Iterator[str]:
    """What is to be known beside the changes."""
    if host.problem:
        yield f"- **Could not be planned:** {_prose(host.problem)}{_hint(host.hint)}"
    if host.asleep:
        words = "; ".join(owed_words(host.owed))
        yield f"- **Asleep:** {_prose(host.asleep)}; {_prose(words)}"
    for each in host.refused:
        yield f"- **Refused:** {_code(each.address.name)}: {_prose(each.problem)}{_hint(each.hint)}"
    yield from _notes((*map(str, host.held), *host.notes))


def _policy(policy: PolicyPlan) -> Iterator[_Block]:
    if not (policy.problem or policy.notes or policy.changes):
        return
    said = list(_notes(policy.notes))
    if policy.problem:
        said.append(f"- **Could not be planned:** {_prose(policy.problem)}{_hint(policy.hint)}")
    yield _Block("#### Access policy", tuple(said))
    if not policy.changes:
        return
    access = [*(f"+ {each}" for each in policy.gains), *(f"- {each}" for each in policy.losses)]
    if access:
        yield _fenced("Who gains and who loses access:\n", access)
    else:
        yield _Block("Nobody gains or loses access.")
    rows = tuple(map(_row, policy.changes))
    head = _folded(f"{plural(len(rows), 'change')} of rules")
    yield _Block(f"{head}\n{_TABLE}", rows, "\n</details>")


def _row(change: Change) -> str:
    part = f"{change.subject} {change.field}".rstrip()
    stack = "" if change.address.kind == "policy" else f"{_code(change.address.name)} "
    changed = _code(values(change)) if change.before or change.after else ""
    return f"| {_code(change.action)} | {stack}{_prose(part)} | {changed} | {_prose(why(change))} |"


def _notes(notes: Iterable[str]) -> Iterator[str]:
    return (f"- note: {_prose(note)}" for note in notes)


def _hint(hint: str) -> str:
    return f" Hint: {_prose(hint)}" if hint else ""


def _warning(item: Diagnostic) -> str:
    where = f" {_code(f'{shown_path(item.mark.file)}:{item.mark.line}')}" if item.mark else ""
    return f"- {_prose(item.message)}{where}"


def _diff(change: Change) -> _Block:
    block = _fenced("", change.diff.splitlines())
    head = _folded(f"{change.address.device}/{change.address.name} {change.subject}")
    return _Block(f"{head}\n{block.head}", block.rows, f"{block.tail}\n\n</details>")


def _fenced(title: str, lines: Iterable[str]) -> _Block:
    """Lines as a diff, in a fence that none of them ends."""
    shown = tuple(visible(line) for line in lines)
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return _Block(f"{title}\n{fence}diff" if title else f"{fence}diff", shown, fence)


def _folded(title: str) -> str:
    """The beginning of what is seen once it is opened; the title always is."""
    title = visible(" ".join(title.split()))
    return f"<details><summary>{_escaped(title)}</summary>\n"


def _code(text: str) -> str:
    """A text as code, on one line."""
    text = visible(" ".join(text.split()))
    if not text:
        return ""
    if re.search(r"[`|\\]", text):  # which end code, or the cell of a table
        return f"<code>{_escaped(text)}</code>"
    return f"`{text}`"


def _prose(text: str) -> str:
    """A text of ours for people, which may quote others."""
    text, parts, last = visible(" ".join(text.split())), [], 0
    for match in _CODE.finditer(text):
        parts += [_escaped(text[last : match.start()]), _code(match[1] or match[2] or "")]
        last = match.end()
    return "".join([*parts, _escaped(text[last:])])


def _escaped(text: str) -> str:
    """A text as it is, of whatever characters (CommonMark: an entity is never markup)."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", text)


def _fitted(blocks: Iterable[_Block], cut: str) -> str:
    """As many blocks, and rows of the last one, as there is room for."""
    parts: list[str] = []
    room = LIMIT - len(cut)
    for block in blocks:
        room -= len(block.head) + len(block.tail) + 4
        rows: list[str] = []
        for row in block.rows:
            room -= len(row) + 1
            if room >= 0:
                rows.append(row)
        if room < 0 and not rows:
            return "\n\n".join([*parts, cut])
        parts.append("\n".join([block.head, *_apart(block, rows), *filter(None, [block.tail])]))
        if room < 0:
            return "\n\n".join([*parts, cut])
    return "\n\n".join(parts) + "\n"


def _apart(block: _Block, rows: list[str]) -> list[str]:
    """A list needs an empty line before it, a table must not have one."""
    is_list = bool(rows) and rows[0].startswith("- ") and not block.tail
    return ["", *rows] if is_list else rows
