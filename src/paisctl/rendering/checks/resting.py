"""What `enabled: false` leaves without something, or does not keep stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.rendering.checks.stack import Stack
from paisctl.rendering.enabled import SETTING
from paisctl.rendering.graph import Edge, Graph


def check_resting(stacks: Sequence[Stack], graph: Graph, diagnostics: Diagnostics) -> None:
    """Check that what is named exists, what rests stays stopped, and nothing that runs needs it."""
    named: set[tuple[Mark | None, str]] = set()
    for stack in stacks:
        for service in sorted(stack.instance.enabled.services - stack.spec.services.keys()):
            mark = stack.instance.settings[SETTING].mark
            if (mark, service) not in named:
                named.add((mark, service))
                hint = did_you_mean(service, stack.spec.services, "services")
                message = f"`{stack.instance.name}` has no service `{service}`"
                diagnostics.error("unknown-service", message, mark, hint)
        _check_stays(stack, diagnostics)
        _check_needed(stack, diagnostics)
        for edge in _hopeless(stack, graph):
            diagnostics.warning(
                "resting-service",
                f"{stack.title} connects to `{edge.connect.export}`, which only "
                f"`{edge.target.stack}` on {edge.target.device} offers, and that is not enabled",
                _where(edge),
                "enable it, or disable what connects to it, too",
            )


def _check_stays(stack: Stack, diagnostics: Diagnostics) -> None:
    """Docker starts a container with `restart: always` again when the engine starts."""
    for service in stack.spec.resting:
        if str(stack.spec.services[service].definition.get("restart")) == "always":
            diagnostics.warning(
                "resting-restarts",
                f"`{service}` of {stack.title} is not enabled, but comes back whenever Docker starts: "
                "`restart: always`",
                _own_mark(stack),
                "use `restart: unless-stopped`, which keeps a stopped container stopped",
            )


def _check_needed(stack: Stack, diagnostics: Diagnostics) -> None:
    for name, service in stack.spec.services.items():
        needed = set(service.definition.get("depends_on") or []) & {*stack.spec.resting}
        for other in sorted(needed if name not in stack.spec.resting else ()):
            diagnostics.warning(
                "resting-service",
                f"`{name}` of {stack.title} depends on `{other}`, which is not enabled",
                _own_mark(stack),
                f"enable `{other}`, or disable `{name}`, too",
            )


def _hopeless(stack: Stack, graph: Graph) -> Iterator[Edge]:
    """Connections of a stack that runs for which all that is offered rests, one for each export."""
    if len(stack.spec.resting) == len(stack.spec.services):
        return
    edges = graph.edges_of(stack.instance.key)
    for connect in stack.instance.stack.bundle.connects:
        offered = [edge for edge in edges if edge.connect is connect]
        must = connect.export and not (connect.optional or connect.peers)
        if must and offered and all(edge.target.rests for edge in offered):
            yield offered[0]


def _own_mark(stack: Stack) -> Mark | None:
    return stack.instance.settings[SETTING].mark


def _where(edge: Edge) -> Mark | None:
    target = edge.target.instance
    return target.settings[SETTING].mark if target else None
