"""What would undo the changes of a stack, for a host that goes back by itself. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from paisctl.manifest import AppliedStack
from paisctl.operation import (
    InstallFile,
    Operation,
    PassGate,
    RemoveFile,
    RemoveProject,
    RemoveService,
    RestoreFiles,
    ServiceOperation,
    SignalService,
    Verb,
    WaitHealthy,
)
from paisctl.plan import StackPlan

_RESTARTS = (Verb.RESTART, Verb.START, Verb.UNPAUSE)


def going_back(plan: StackPlan, applied: AppliedStack | None) -> tuple[Operation, ...]:
    """The way back from wherever the operations of a stack's plan have stopped.

    All of it may be done whatever has been done of the plan: Compose renews a container only if it
    is not as the old file wants it. What was removed as foreign stays removed.

    Args:
        plan: what was to be done.
        applied: the stack as the generation before had it; None when it had none.
    """
    installed = [o.file.path for o in plan.operations if isinstance(o, InstallFile)]
    if applied is None:
        if not plan.operations:
            return ()
        return (RemoveProject(plan.name), *(RemoveFile(path) for path in installed))
    return (
        RestoreFiles(applied.revision),
        *(RemoveFile(path) for path in installed if path not in applied.files),
        *_services(plan, applied),
    )


def _services(plan: StackPlan, applied: AppliedStack) -> Iterator[Operation]:
    touched = dict(_touched(plan, applied))
    yield from (RemoveService(name) for name in touched if name not in applied.services)
    back = tuple(name for name in applied.services if name in touched)
    renewed = tuple(name for name in back if touched[name] not in (*_RESTARTS, None))
    restarted = tuple(name for name in back if touched[name] in _RESTARTS)
    if renewed:
        yield ServiceOperation(Verb.CREATE, renewed)
    if restarted:
        yield ServiceOperation(Verb.RESTART, restarted)
    for operation in plan.operations:
        if isinstance(operation, SignalService) and operation.service in back:
            yield operation
    if back:
        yield WaitHealthy(back, applied.health_timeout)
        yield from (PassGate(gate) for gate in applied.gates)


def _touched(plan: StackPlan, applied: AppliedStack) -> Iterator[tuple[str, Verb | None]]:
    """The services that the plan does something to, and what; those that it removes come back."""
    wanted = json.loads(plan.entry)["services"] if plan.entry else {}
    yield from ((name, Verb.CREATE) for name in applied.services if name not in wanted)
    for operation in plan.operations:
        match operation:
            case ServiceOperation(verb, services):
                yield from ((name, verb) for name in services)
            case SignalService(service):
                yield service, None
