"""Reading one host: the probe's one execution, and what its answer means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from paisctl.engine import Engine, EngineState, NoEngine
from paisctl.errors import UnexpectedAnswer
from paisctl.hostside import probe_text
from paisctl.lease import lease_of
from paisctl.manifest import UnusableManifest, parse_manifest
from paisctl.observed import HostFacts, HostState, KeptGeneration
from paisctl.resources.container import Container
from paisctl.resources.file import FileState
from paisctl.targets import Target, start
from paisctl.transports import Channel

COMPOSE_FLOOR = (2, 17)
_DOCUMENT = '{"paisctl":1,'
_LOW_DISK = 2 * 1024 * 1024  # KiB


def probe(target: Target, *, texts: bool = False, history: bool = False) -> HostState:
    """Read a host; one execution. Nothing is changed.

    Args:
        target: the host.
        texts: whether to read what is in its files, too, for showing differences.
        history: whether to read its generations and the whole of its audit.log, too.

    Raises:
        HostError: it cannot be reached, or gives an answer that cannot be understood.
    """
    program = probe_text(
        target.root, target.docker, target.docker_sudo, texts=texts, history=history
    )
    return listen(target, start(target.transport, program))


def listen(target: Target, channel: Channel) -> HostState:
    """Talk with a host that runs the probe, to the end of it.

    Raises:
        HostError: the connection is lost, or what the host says cannot be understood.
    """
    try:
        document = _document(target.device, channel)
        docker = _docker(target, document, channel)
        return _state(target, document, docker)
    except UnexpectedAnswer:
        channel.wait()  # it may be cut off because the connection is
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"the answer of {target.device} is none of a probe ({type(error).__name__}: {error})",
            "is that host what it seems to be?",
        ) from error


@dataclass(frozen=True, slots=True)
class _Docker:
    """What a host's Docker has, and how the probe has reached it, or not."""

    path: str
    sudo: bool
    compose: str
    error: str
    has: EngineState


def _docker(target: Target, document: dict[str, Any], channel: Channel) -> _Docker:
    channel.write(b"engine\n")
    has, last, is_there = EngineState(), "", True
    try:
        has = Engine(channel).read({*target.images, *document["kept_images"]})
        channel.close_stdin()
        last = channel.stdout.readline().decode("utf-8", "replace")
    except NoEngine as none:
        last, is_there = none.line, False
    channel.wait()
    end = _parsed(target.device, last)
    error = "" if is_there else end["error"] or "it does not lead to an engine"
    return _Docker(document["docker"], end["sudo"], end["compose"], error, has)


def _state(target: Target, document: dict[str, Any], docker: _Docker) -> HostState:
    problem, hint = _problem(target, document, docker) or ("", "")
    own = _own_files(target.device, document, docker)
    if problem and (target.images or _has_stacks(document["manifest"])):
        return replace(own, problem=problem, hint=hint)
    return replace(
        own,
        containers=tuple(map(Container, docker.has.containers)),
        images=docker.has.images,
        files={path: _file(path, mode, digest) for path, mode, digest in document["files"]},
        texts=dict(document["texts"]),
        notes=((problem,) if problem else ()) + _busy(own) + _notes(document),
    )


def _own_files(device: str, document: dict[str, Any], docker: _Docker) -> HostState:
    """What paisctl itself has left on the host, which needs no Docker to be read."""
    lock, epoch = document["lock"], int(document["host"]["epoch"])
    generations = (KeptGeneration(**each) for each in document["generations"])
    return HostState(
        device=device,
        root=document["host"]["root"],
        manifest=document["manifest"],
        facts=_facts(document["host"], docker),
        lock=lock,
        lock_alive=document["lock_alive"],
        last_runs=tuple(document["audit"]),
        epoch=epoch,
        generations=tuple(sorted(generations, key=lambda each: each.number)),
        open_rollouts=tuple(document["open_rollouts"]),
        kept_files=frozenset(document["kept_files"]),
        remembered=tuple(document["remembered"]),
        holds=tuple(document["holds"]),
    )


def _has_stacks(manifest: str) -> bool:
    """Whether something is deployed to the host, as far as its manifest tells."""
    try:
        return bool(parse_manifest(manifest).stacks)
    except UnusableManifest:
        return True


def _document(device: str, channel: Channel) -> dict[str, Any]:
    """The document in what a host says, which a talkative login shell may put noise in front of."""
    said = ""
    for line in channel.lines():
        if line.startswith(_DOCUMENT):
            return _parsed(device, line)
        said = line.strip() or said
    channel.wait()
    said = said or channel.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise UnexpectedAnswer(
        f"{device} gave no answer to the probe" + (f", but said: {said}" if said else ""),
        "its login shell must be able to run `sh -s`",
    )


def _parsed(device: str, line: str) -> dict[str, Any]:
    try:
        return dict(json.JSONDecoder(strict=False).decode(line))
    except (ValueError, RecursionError):
        raise UnexpectedAnswer(
            f"the answer of {device} is cut off after {len(line)} characters",
            "run the command again; if it stays so, look at the host's memory and sshd log",
        ) from None


def _problem(target: Target, document: dict[str, Any], docker: _Docker) -> tuple[str, str] | None:
    """Why nothing can be deployed to a host, and what to do."""
    host = document["host"]
    if docker.error:
        return _docker_problem(host, docker)
    if not document["manifest"]:  # else Compose has been at work there
        if not docker.compose:
            return (
                f"Docker Compose was not found beside {docker.path}",
                "install the plugin: the package docker-compose-plugin, or docker-compose on Debian",
            )
        if version_tuple(docker.compose) < COMPOSE_FLOOR:
            floor = ".".join(map(str, COMPOSE_FLOOR))
            problem = f"Docker Compose {docker.compose} is too old, {floor} or newer is needed"
            return (problem, "upgrade it")
    if host["root_state"] == "denied":
        owner = f"sudo install -d -o {host['user']} {host['root']}"
        return (f"{host['user']} may not write to {target.root}, nor use `sudo -n`", owner)
    if host["root_state"] == "closed":
        hint = f"on the host: sudo chmod a+rx {host['root']}, and the directories above it"
        return (f"{host['user']} may not look into {target.root}", hint)
    return None


def _docker_problem(host: dict[str, Any], docker: _Docker) -> tuple[str, str]:
    said = docker.error
    if said == "docker: not found":
        return ("docker was not found", "install Docker, or set `docker.command` to its path")
    if "permission denied" in said:
        user = host["user"]
        return (
            f"{user} may not use Docker, neither directly nor by `sudo -n` ({said.splitlines()[0]})",
            f"on the host: sudo usermod -aG docker {user}; or allow `sudo -n {docker.path}`",
        )
    if "connection refused" in said or "no such file or directory" in said:
        mac = "start OrbStack, Docker Desktop or `colima start` on it"
        hint = mac if host["os"] == "Darwin" else "on the host: sudo systemctl start docker"
        return ("the Docker engine is not running", hint)
    return (f"docker fails: {said.splitlines()[-1]}", f"on the host: {docker.path} ps")


def _facts(host: dict[str, Any], docker: _Docker) -> HostFacts:
    return HostFacts(
        system=host["os"],
        user=host["user"],
        docker=(*(("sudo", "-n") if docker.sudo else ()), docker.path),
        files_sudo=host["files_sudo"],
    )


def _busy(state: HostState) -> tuple[str, ...]:
    """That somebody is at it: what a plan finds may be different in a moment."""
    lease = lease_of(state)
    if lease is None or not lease.is_held:
        return ()
    return (f"it is being changed by {lease}",)


def _notes(document: dict[str, Any]) -> tuple[str, ...]:
    host = document["host"]
    notes = []
    if not host["memory_cgroup"]:
        notes.append("its kernel ignores memory limits: the memory cgroup is off")
    if host["disk_free_kib"] < _LOW_DISK:
        notes.append(f"only {host['disk_free_kib'] // 1024} MiB are free at {host['root']}")
    if document["odd_files"]:
        notes.append(f"{document['odd_files']} file(s) with control characters in their names")
    return tuple(notes)


def version_tuple(version: str) -> tuple[int, ...]:
    """`2.26.1-desktop.1` as (2, 26, 1)."""
    return tuple(map(int, re.findall(r"\d+", re.split(r"[-+]", version)[0])))


def _file(path: str, mode: str, digest: str) -> FileState:
    return FileState(path, octal(mode), digest, mode[0])


def octal(mode: str) -> str:
    """`-rw-r--r--` as `0644`; the letters are those of ls(1) in POSIX."""
    bits = sum(1 << (8 - i) for i, letter in enumerate(mode[1:10]) if letter not in "-ST")
    special = sum(4 >> i for i, position in enumerate((3, 6, 9)) if mode[position] in "sStT")
    return f"{special}{bits:03o}"
