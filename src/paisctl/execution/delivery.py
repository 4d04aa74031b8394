"""What is sent to a host: an archive with the new files and a run.sh that reads like the plan."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shlex
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from paisctl.errors import HostError
from paisctl.hostside import assignments, script
from paisctl.manifest import VERSION, parse_manifest
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

_WORDS = ("apply.sh", "files.sh", "wait.sh")  # what a run.sh is written in
_SHELL_FILES = (*_WORDS, "probe.sh")


@dataclass(frozen=True, slots=True)
class Run:
    """One apply: its name on the hosts, and who does it from where, for the audit log."""

    name: str
    who: str


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
    contents = dict(_contents(plan, vault))
    contents["fragments/header"] = _header(plan.device, manifest.generation + 1)
    for name, stack in manifest.stacks.items():
        contents[f"fragments/{name}.line"] = _entry(name, stack.line)
    for stack_plan in plan.stacks:
        if stack_plan.entry:
            contents[f"fragments/{stack_plan.name}.new"] = _entry(stack_plan.name, stack_plan.entry)
    settings = _settings(target, state, state.facts, run, manifest.generation + 1)
    contents["run.sh"] = run_script(plan, settings).encode("utf-8", "surrogateescape")
    archive = _archive(contents)
    receive = assignments(
        ROOT=state.root,
        RUN=run.name,
        SIZE=str(len(archive)),
        DIGEST=hashlib.sha256(archive).hexdigest(),
    )
    return Delivery((receive + script("receive.sh")).encode("utf-8", "surrogateescape"), archive)


def _contents(plan: HostPlan, vault: Vault) -> Iterator[tuple[str, bytes]]:
    for name in _SHELL_FILES:
        yield name, script(name).encode()
    for stack in plan.stacks:
        for operation in stack.operations:
            if isinstance(operation, InstallFile):
                file = operation.file
                yield f"files/stacks/{stack.name}/{file.path}", file.bytes(vault)


def _header(device: str, generation: int) -> bytes:
    start = json.dumps({"paisctl": VERSION, "device": device, "generation": generation})
    return f'{start[:-1]}, "stacks": {{'.encode()


def _entry(name: str, line: str) -> bytes:
    return f"{json.dumps(name)}: {line}".encode()


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
        "DOCKER": docker,
        "DOCKER_SUDO": " ".join(sudo),
        "SUDO": "yes" if sudo else "no",
        "IMAGES": " ".join(target.images),
        "TEXTS": "",
        "WHO": run.who,
        "GENERATION": str(generation),
    }


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
    for operation in stack.operations:
        yield f"step {shlex.join([str(operation), *words(operation)])}\n"
    yield "end_stack\n"


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
