"""Secrets where everyone on a host can read them: in arguments, labels, health checks and gates."""

from __future__ import annotations

from paisctl.diagnostics import Diagnostics
from paisctl.rendering.checks.stack import Stack
from paisctl.rendering.compose import COMPOSE_FILE
from paisctl.secrets import names_in


def check_exposure(stack: Stack, diagnostics: Diagnostics) -> None:
    """Report secrets outside of the environment, from where alone they move to a private file."""
    commands = [word for gate in stack.spec.gates for word in gate.command]
    for name in names_in("".join([stack.spec.files[COMPOSE_FILE].content, *commands])):
        diagnostics.error(
            "exposed-secret",
            f"{stack.title} would show the secret `{name}` to everyone on the host, in arguments, "
            "labels or the like",
            stack.blame(name),
            "pass it in `environment`, or in a file",
        )
