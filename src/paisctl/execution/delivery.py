"""What is sent to a host: an archive with the new files and a run.sh that reads like the plan."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import shlex
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from paisctl.errors import HostError
from paisctl.execution.conduct import Conduct
from paisctl.execution.going_back import going_back
from paisctl.hostside import assignments, probe_text, script
from paisctl.manifest import VERSION, AppliedStack, Manifest, parse_manifest, revision_of
from paisctl.observed import HostFacts, HostState
from paisctl.operation import (
    CheckFile,
    DisconnectNetwork,
    InstallFile,
    Operation,
    PassGate,
    Pull,
    RemoveContainer,
    RemoveFile,
    RemoveProject,
    RemoveService,
    RestoreFiles,
    ServiceOperation,
    SignalService,
    TakeKept,
    Verb,
    WaitHealthy,
)
from paisctl.plan import HostPlan, StackPlan
from paisctl.secrets import Vault
from paisctl.targets import Target

_WORDS = (  # what a run.sh is written in
    "apply.sh",
    "lease.sh",
    "containers.sh",
    "files.sh",
    "generations.sh",
    "wait.sh",
    "digest.sh",
    "holds.sh",
)
_HARMLESS = (Pull, TakeKept, CheckFile)  # what changes nothing yet


@dataclass(frozen=True, slots=True)
class Run:
    """One apply: its name on the hosts, who does it on which machine, and when it began (UTC)."""

    name: str
    who: str
    machine: str
    started: str
    conduct: Conduct


@dataclass(frozen=True)
class Delivery:
    """An archive, and the program that takes delivery of it and runs it."""

    receive: bytes
    archive: bytes


def pack(plan: HostPlan, target: Target, state: HostState, vault: Vault, run: Run) -> Delivery:
    """Make a host's delivery. Secret values are in the files of the archive and nowhere else.

    Raises:
        HostError: the state is not one that a plan can be executed on.
    """
    if state.facts is None:
        raise HostError(f"{plan.device} was not read, so nothing can be executed there")
    manifest = parse_manifest(state.manifest)
    settings = _settings(target, state, state.facts, run, manifest.generation)
    contents = {
        **{name: script(name).encode() for name in _WORDS},
        "probe.sh": _encoded(_another_look(state, state.facts)),
        **_new_files(plan, vault),
        **_records(plan, target, manifest, run),
        **{
            f"back/{stack.name}.sh": _encoded(_back(stack, manifest.stacks.get(stack.name)))
            for stack in plan.stacks
        },
        "run.sh": _encoded(run_script(plan, settings)),
    }
    archive = _archive(contents)
    receive = assignments(
        ROOT=state.root,
        RUN=run.name,
        SIZE=str(len(archive)),
        DIGEST=hashlib.sha256(archive).hexdigest(),
    )
    return Delivery(_encoded(receive + script("digest.sh") + script("receive.sh")), archive)


def _another_look(state: HostState, facts: HostFacts) -> str:
    """The program that reads the host once it has been changed."""
    *sudo, docker = facts.docker
    return probe_text(state.root, docker, bool(sudo))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _new_files(plan: HostPlan, vault: Vault) -> dict[str, bytes]:
    return {
        f"files/stacks/{stack.name}/{operation.file.path}": operation.file.bytes(vault)
        for stack in plan.stacks
        for operation in stack.operations
        if isinstance(operation, InstallFile) and not operation.file.kept
    }


def _records(plan: HostPlan, target: Target, manifest: Manifest, run: Run) -> dict[str, bytes]:
    """What is written down once stacks are applied: `fragments` as it is, `new` as it will be."""
    owner = {"fleet": target.fleet, "device": plan.device}
    texts = {
        "fragments/header": _open({"paisctl": VERSION, **owner}),
        "fragments/record": _open({**owner, **_provenance(run)}),
    }
    for name, applied in manifest.stacks.items():
        texts[f"fragments/{name}.line"] = _entry(name, applied.line)
        texts[f"fragments/{name}.revision"] = f"{applied.revision}\n"
    for stack in plan.stacks:
        if stack.entry:
            texts[f"new/{stack.name}.line"] = _entry(stack.name, stack.entry)
            texts[f"new/{stack.name}.revision"] = f"{revision_of(stack.entry)}\n"
            texts[f"new/{stack.name}.files"] = "".join(
                f"./{path}\n" for path in json.loads(stack.entry)["files"]
            )
    for stack in plan.stacks:
        names = _secret_variables(stack, manifest.stacks.get(stack.name))
        texts[f"new/{stack.name}.secrets"] = "".join(f"{name}\n" for name in names)
    return {path: _encoded(text) for path, text in texts.items()}


def _secret_variables(stack: StackPlan, applied: AppliedStack | None) -> list[str]:
    """The environment variables of a stack that hold secrets, before or after."""
    services = json.loads(stack.entry)["services"].values() if stack.entry else ()
    sealed = [
        *(service["sealed"] for service in services),
        *(applied.sealed.values() if applied else ()),
    ]
    return sorted({name for each in sealed for name in each})


def _provenance(run: Run) -> dict[str, str]:
    return {
        "run": run.name,
        "who": run.who,
        "machine": run.machine,
        "command": run.conduct.command,
        "started": run.started,
        "revision": run.conduct.revision,
        "plan": run.conduct.plan,
    }


def _open(members: Mapping[str, object]) -> str:
    """A JSON object without its last brace: the host adds to it."""
    return json.dumps(members)[:-1]


def _entry(name: str, line: str) -> str:
    return f"{json.dumps(name)}: {line}"


def _archive(contents: dict[str, bytes]) -> bytes:
    """A tar archive; GNU's format, since BusyBox and macOS read its long names."""
    buffer, now = io.BytesIO(), time.time()
    with tarfile.open(
        fileobj=buffer,
        mode="w",
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",  # else names would be written as this machine's locale has it
        errors="surrogateescape",
    ) as archive:
        for path, content in contents.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mtime = now  # else a person on the host finds files of 1970
            member.mode = 0o600  # `install_file` gives a file its own mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _settings(
    target: Target, state: HostState, facts: HostFacts, run: Run, generation: int
) -> dict[str, str]:
    *sudo, docker = facts.docker
    return {
        "ROOT": state.root,
        "STAGING": f"{state.root}/staging/{run.name}",
        "RUN": run.name,
        "DOCKER": docker,
        "DOCKER_SUDO": " ".join(sudo),
        "WHO": run.who,
        "MACHINE": run.machine,
        "COMMAND": run.conduct.command,
        "REVISION": run.conduct.revision,
        "PLAN": run.conduct.plan,
        "BEFORE": str(generation),
        "PLANNED": _without_controls_digest(state.manifest),
        "ROLLBACK": "yes" if run.conduct.goes_back(target.device) else "no",
        "HOLDS": "yes" if run.conduct.heeds_holds else "no",
        "WAIT": str(math.ceil(run.conduct.wait)),
        "KEEP": str(run.conduct.keep),
    }


def _without_controls_digest(manifest: str) -> str:
    """A probe leaves control characters out, and adds a line end."""
    text = re.sub(r"[\x00-\x1f]", "", manifest)
    return hashlib.sha256(_encoded(text)).hexdigest() if text else ""


def run_script(plan: HostPlan, settings: dict[str, str]) -> str:
    """The run.sh of a host: a plan in the words of apply.sh."""
    return "".join(
        (
            assignments(**settings),
            f"export {' '.join(settings)}\n",
            *(f'. "$STAGING/{name}"\n' for name in _WORDS),
            "\nbegin_run\n",
            *(line for stack in plan.stacks for line in _stack_lines(stack)),
            "\nend_run\n",
        )
    )


def _stack_lines(stack: StackPlan) -> Iterator[str]:
    yield f"\nbegin_stack {shlex.quote(stack.name)}\n"
    harmless = list(takewhile(lambda o: isinstance(o, _HARMLESS), stack.operations))
    yield from map(_step, harmless)
    yield "begin_changes\n"
    yield from map(_step, stack.operations[len(harmless) :])
    yield "end_stack\n"


def _back(stack: StackPlan, applied: AppliedStack | None) -> str:
    return "".join(map(_step, going_back(stack, applied)))


def _step(operation: Operation) -> str:
    return f"step {shlex.join([str(operation), *words(operation)])}\n"


def words(operation: Operation) -> list[str]:  # noqa: PLR0911, PLR0912 # a line per kind
    """An operation as a call of apply.sh's function for it."""
    match operation:
        case Pull(image):
            return ["pull", image]
        case CheckFile(_, check, image, mounts):
            return ["check_file", image, "\n".join(mounts), *check.command]
        case InstallFile(file):
            return ["install_file", file.path, file.mode]
        case RemoveFile(path):
            return ["remove_file", path]
        case TakeKept(revision, paths):
            return ["take_kept", revision, *paths]
        case RestoreFiles(revision):
            return ["restore_files", revision]
        case ServiceOperation(Verb.CREATE, services):
            return ["compose_up", *services]
        case ServiceOperation(Verb.RECREATE, services):
            return ["compose_up", "--force-recreate", *services]
        case ServiceOperation(Verb.STOP, services):
            return ["stop_services", *services]
        case ServiceOperation(verb, services):
            return ["revive", verb, *services]
        case SignalService(service, signal):
            return ["signal_service", signal, service]
        case RemoveContainer(container, _):
            return ["remove_container", container]
        case RemoveService(service):
            return ["remove_service", service]
        case DisconnectNetwork(network, container, _):
            return ["disconnect_network", network, container]
        case RemoveProject(project):
            return ["compose_down", project]
        case WaitHealthy(services, timeout):
            return ["wait_healthy", str(math.ceil(timeout)), *services]
        case PassGate(gate):
            return ["pass_gate", str(math.ceil(gate.timeout)), gate.service, *gate.command]
