"""A host in memory: it carries out a plan, and can be read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import count

from paisctl.observed import HostState
from paisctl.operation import (
    DisconnectNetwork,
    InstallFile,
    Operation,
    Pull,
    RemoveContainer,
    RemoveFile,
    RemoveProject,
    ServiceOperation,
    SignalService,
    Verb,
    WaitHealthy,
)
from paisctl.plan import HostPlan, StackPlan
from paisctl.resources.container import Container
from paisctl.resources.file import FileSpec, FileState
from paisctl.secrets import Vault
from tests.simulated.compose import Json, image, inspect, read_project

COMPOSE, OVERRIDE = "compose.yaml", "compose.override.yaml"


class SimulatedHost:
    """One host.

    `files` are modes and contents by path below the root, `containers` what `docker inspect`
    shows by name, `images` what `docker image inspect` shows by reference.
    """

    def __init__(self, device: str, root: str = "/opt/paisctl", fleet: str = "") -> None:
        self.device = device
        self.fleet = fleet
        self.root = root.replace("~", "/home/pais")
        self.files: dict[str, tuple[str, bytes]] = {}
        self.containers: dict[str, Json] = {}
        self.images: dict[str, Json] = {}
        self.manifest = ""
        self.problem = self.hint = ""
        self.last_runs: tuple[str, ...] = ()
        self.remembered: tuple[str, ...] = ()
        self.holds: tuple[str, ...] = ()
        self.epoch = 0
        self.is_away = False
        self.done: list[str] = []
        self._numbers = count()
        self._kept: list[bytes] = []

    def state(self, *, texts: bool = False) -> HostState:
        """The host as a probe would show it."""
        if self.problem:
            return HostState(
                self.device, problem=self.problem, hint=self.hint, is_away=self.is_away
            )
        return HostState(
            device=self.device,
            root=self.root,
            containers=tuple(Container(each) for each in self.containers.values()),
            images={each["Id"]: each for each in self.images.values()},
            files={path: self._file_state(path) for path in self.files},
            texts=dict(self._texts()) if texts else {},
            manifest=self.manifest,
            last_runs=self.last_runs,
            epoch=self.epoch,
            remembered=self.remembered,
            holds=self.holds,
        )

    def carry_out(self, plan: HostPlan, vault: Vault) -> None:
        """Do everything that a plan says, and write the manifest."""
        for stack in plan.stacks:
            for operation in stack.operations:
                self._do(stack.name, operation, vault)
                self.done.append(str(operation))
        if plan.stacks:
            self._write_manifest(plan.stacks)

    def _write_manifest(self, stacks: tuple[StackPlan, ...]) -> None:
        document = json.loads(self.manifest or '{"paisctl": 1, "generation": 0, "stacks": {}}')
        document["generation"] += 1
        document |= {"fleet": self.fleet, "device": self.device}
        for stack in stacks:
            document["stacks"].pop(stack.name, None)
            if stack.entry:
                document["stacks"][stack.name] = json.loads(stack.entry)
        self.manifest = json.dumps(document)

    def _do(self, stack: str, operation: Operation, vault: Vault) -> None:
        match operation:
            case Pull(reference):
                self.images.setdefault(reference, image(reference))
            case InstallFile(file):
                content = self._kept_content(file, vault) if file.kept else file.bytes(vault)
                self._kept.append(content)
                self.files[f"stacks/{stack}/{file.path}"] = (file.mode, content)
            case RemoveFile(path):
                del self.files[f"stacks/{stack}/{path}"]
            case RemoveContainer(_, name):
                del self.containers[name]
            case DisconnectNetwork(network, _, name):
                del self.containers[name]["NetworkSettings"]["Networks"][network]
            case RemoveProject(project):
                for name in [n for n, c in self.containers.items() if _project(c) == project]:
                    del self.containers[name]
            case ServiceOperation(verb, services):
                for service in services:
                    self._bring(stack, service, verb)
            case SignalService(service):
                assert self.containers[f"{stack}-{service}-1"]["State"]["Status"] == "running"
            case WaitHealthy(services):
                for service in services:
                    assert Container(self.containers[f"{stack}-{service}-1"]).is_well

    def _kept_content(self, file: FileSpec, vault: Vault) -> bytes:
        """What was installed once and has the digest that is asked for."""

        def digest(content: bytes) -> str:
            plain = hashlib.sha256(content).hexdigest()
            return vault.seal(plain) if file.secret else plain

        return next(each for each in self._kept if digest(each) == file.digest(vault))

    def _bring(self, stack: str, service: str, verb: Verb) -> None:
        name = f"{stack}-{service}-1"
        if verb in (Verb.CREATE, Verb.RECREATE):
            assert (name in self.containers) == (verb is Verb.RECREATE)
            made = self._made(stack, service)
            self.containers[name] = made
        elif verb is Verb.STOP:
            self.containers[name]["State"] |= {"Status": "exited", "ExitCode": 143}
        else:
            state = self.containers[name]["State"]
            state |= {"Status": "running"} | ({"Health": None} if state.get("Health") else {})

    def _made(self, stack: str, service: str) -> Json:
        texts = [self.files.get(f"stacks/{stack}/{n}", ("", b""))[1] for n in (COMPOSE, OVERRIDE)]
        project = read_project(*(text.decode() for text in texts))
        reference = project["services"][service]["image"]
        image_id = self.images[reference]["Id"]
        directory = f"{self.root}/stacks/{stack}"
        return inspect(project, service, directory, image_id, next(self._numbers))

    def _file_state(self, path: str) -> FileState:
        mode, content = self.files[path]
        return FileState(path, mode, hashlib.sha256(content).hexdigest())

    def _texts(self) -> Iterator[tuple[str, str]]:
        for path, (mode, content) in self.files.items():
            if int(mode, 8) & 0o044 == 0o044:
                yield path, content.decode("utf-8", "surrogateescape")


def _project(container: Json) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.project"])
