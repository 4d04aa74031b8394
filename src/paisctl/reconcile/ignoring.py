"""What an ignored difference explains beside itself, and how a plan notes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from paisctl.desired import Ignored
from paisctl.plan import Change
from paisctl.resources.compose import ServiceSpec, fields

_Path = tuple[str, ...]


def as_applied(service: ServiceSpec, before: ServiceSpec, ignored: Collection[str]) -> ServiceSpec:
    """A service as it is wanted, but as it was applied in what only ignored fields come from."""
    for path in _differing(service.definition, before.definition):
        candidate = replace(service, definition=_with(service.definition, before.definition, path))
        now, then = fields(candidate, "", ""), fields(service, "", "")
        changed = {name for name in {*now, *then} if now.get(name) != then.get(name)}
        if changed and changed <= set(ignored):
            service = candidate
    return service


def _differing(one: Any, other: Any) -> Iterator[_Path]:
    """The paths at which two definitions differ; a list is taken as a whole."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        if one != other:
            yield ()
        return
    for key in sorted({*one, *other}):
        for path in _differing(one.get(key), other.get(key)):
            yield (key, *path)


def _with(into: Mapping[str, Any], source: Mapping[str, Any], path: _Path) -> dict[str, Any]:
    """A copy in which what is at a path is as in `source`; it may be missing there."""
    key, rest = path[0], path[1:]
    result = dict(into)
    if rest:
        result[key] = _with(into[key], source[key], rest)
    elif key in source:
        result[key] = source[key]
    else:
        result.pop(key, None)
    return result


def with_images(compose: str, images: Mapping[str, str]) -> str:
    """A rendered Compose file after somebody wrote other images into it, by service."""
    for service, image in images.items():
        line = re.compile(rf"(?m)^(  {re.escape(service)}:\n(?:    .*\n)*?    image: ).*$")
        compose = line.sub(r"\g<1>" + image.replace("\\", r"\\"), compose, count=1)
    return compose


def note(ignored: Ignored, change: Change, *, ends: bool) -> str:
    """An ignored difference in words.

    Args:
        ignored: what the inventory says of it.
        change: what would be planned otherwise.
        ends: whether the plan makes the service anew for another reason.
    """
    what = f"{ignored.stack} {ignored.subject} {ignored.field}".rstrip()
    if ends:
        back = f"{what} goes from {change.before} to {change.after} with the rest of its service"
        return f"{back} (ignored until now: {ignored.reason})"
    values = f"{change.after} → {change.before} on the host" if ignored.field else "differs"
    return f"ignored: {what} {values} ({ignored.reason})"
