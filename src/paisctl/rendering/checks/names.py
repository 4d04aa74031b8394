"""Names in a Compose file that Docker, or a shell, would take for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paisctl.diagnostics import Diagnostics
from paisctl.rendering.checks.stack import Stack

# The schema of compose-spec lets a service's name begin with a dash, as an option does.
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# A variable ends at its first `=`: Docker would find another name, and another value.
_NOT_IN_VARIABLE = re.compile("[=\\x00-\\x1f\\x7f]")


def check_names(stack: Stack, diagnostics: Diagnostics) -> None:
    """Check the names of services and of their environment variables."""
    for needle, message, hint in _problems(stack):
        diagnostics.error("bad-name", message, stack.blame(needle), hint)


def _problems(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for name, service in stack.spec.services.items():
        if not _SERVICE.fullmatch(name):
            hint = "use letters, digits, dashes and underscores, and begin with no dash"
            yield name, f"{stack.title} has a service called `{name}`", hint
        for variable in service.definition.get("environment") or {}:
            if not variable or _NOT_IN_VARIABLE.search(variable):
                message = f"{stack.title} sets a variable called `{variable}`"
                yield variable, message, "a name holds no `=` and no line ends, and is not empty"
