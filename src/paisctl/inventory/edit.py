"""Change an inventory file in place: what is not changed stays as it is, to the last byte.

YAML libraries write a whole document anew, with their own indentation, quotes and line lengths.
Here only what an edit is about is replaced in the text. Whether the result says what was meant is
always checked by reading it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.errors import CannotEdit, InvalidInput
from paisctl.inventory.editing import emit
from paisctl.inventory.editing.document import Document, NotSpliceable
from paisctl.inventory.editing.edits import (
    AddItem,
    Edit,
    Misfit,
    RemoveItem,
    RemoveKey,
    SetValue,
    applied,
    same,
    steps,
)
from paisctl.inventory.editing.insertion import add_item, set_value
from paisctl.inventory.editing.layout import Layout, Splice, spliced
from paisctl.inventory.editing.removal import remove
from paisctl.inventory.editing.writing import write
from paisctl.inventory.source import Path_, Source, parse_yaml

__all__ = ["AddItem", "Edit", "RemoveItem", "RemoveKey", "SetValue", "edited", "write"]


def edited(text: str, edits: Sequence[Edit], file: str = "inventory") -> str:
    """Apply edits, one after the other: each path is of the text that those before it left.

    Args:
        text: a YAML document with its own line breaks, as `read_text` gives it.
        edits: what to change, values being plain data.
        file: the name for messages.

    Returns:
        The text, which says what the edits ask for and, apart from them, is what it was. What they
        remove goes with the comments directly above it, on its lines, and deeper below it.

    Raises:
        InvalidInput: the text is not valid to begin with.
        CannotEdit: this is not possible in this text; the hint says what to write by hand.
    """
    for edit in edits:
        text = _edited(text, edit, file)
    return text


def _edited(text: str, edit: Edit, file: str) -> str:
    source = _read(text, file)
    nearest = source.key_mark(edit.path) or Mark(file, 1)
    try:
        wanted = applied(source.data, edit)
        if same(wanted, source.data):
            return text
        smaller = steps(edit, source.data) if isinstance(edit, SetValue) else []
        if smaller:
            result = edited(text, smaller, file)
        else:
            result = spliced(text, _splices(Document(text), edit))
    except Misfit as misfit:
        raise _cannot(edit, nearest, str(misfit)) from None
    except NotSpliceable as place:
        mark = Mark(file, Layout(text).line(place.at) + 1)
        raise _cannot(edit, mark, place.reason) from None
    problems = Diagnostics()
    if not same(parse_yaml(result, file, problems).data, wanted) or problems.errors:
        raise _cannot(edit, nearest, "the way it is written leaves no place for it")
    return result


def _read(text: str, file: str) -> Source:
    diagnostics = Diagnostics()
    source = parse_yaml(text, file, diagnostics)
    if diagnostics.errors:
        raise InvalidInput(diagnostics)
    return source


def _splices(document: Document, edit: Edit) -> list[Splice]:
    match edit:
        case AddItem(path, item, before):
            return add_item(document, path, item, before)
        case SetValue(path, value):
            return set_value(document, path, value)
        case RemoveKey(path):
            return remove(document, path)
        case RemoveItem(path, index):
            return remove(document, (*path, index))


def _cannot(edit: Edit, mark: Mark, reason: str) -> CannotEdit:
    place = _dotted(edit.path)
    match edit:
        case AddItem(_, item):
            by_hand = f"add to `{place}` by hand: - {emit.flow(item)}"
        case SetValue(_, value):
            by_hand = f"write by hand: {place}: {emit.flow(value)}"
        case RemoveKey():
            by_hand = f"remove `{place}` by hand"
        case RemoveItem(_, index):
            by_hand = f"remove `{place}[{index}]` by hand"
    message = f"cannot edit `{place}` in {mark.file}, line {mark.line}: {reason}"
    return CannotEdit(message, by_hand)


def _dotted(path: Path_) -> str:
    """A path as it is written in messages: `users[2].role`."""
    names = (f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)
    return "".join(names).removeprefix(".")
