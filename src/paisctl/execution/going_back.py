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

_RENEWALS = (Verb.CREATE, Verb.RECREATE)


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
    done = [o for o in plan.operations if isinstance(o, ServiceOperation)]
    signals = [o for o in plan.operations if isinstance(o, SignalService)]
    wanted = json.loads(plan.entry)["services"] if plan.entry else {}
    touched = {name for operation in done for name in operation.services}
    renewed = {n for o in done if o.verb in _RENEWALS for n in o.services}
    renewed |= applied.services.keys() - wanted.keys()  # these the plan removes

    yield from (RemoveService(name) for name in sorted(touched - applied.services.keys()))
    rested = {*applied.resting} & touched
    for verb, names in (
        (Verb.STOP, rested),
        (Verb.CREATE, renewed - rested),
        (Verb.RESTART, touched - renewed - rested),
    ):
        back = tuple(name for name in applied.services if name in names)
        if back:
            yield ServiceOperation(verb, back)
    yield from (signal for signal in signals if signal.service in applied.services)
    involved = (renewed | touched | {signal.service for signal in signals}) - {*applied.resting}
    awake = applied.services.keys() - {*applied.resting}
    waited = tuple(name for name in applied.services if name in involved)
    if waited:
        yield WaitHealthy(waited, applied.health_timeout)
        yield from (g for g in map(PassGate, applied.gates) if g.gate.service in awake)
