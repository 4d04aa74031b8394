"""The operations that change a host, one small object each. `str()` is how a plan shows one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from paisctl.desired import GateSpec
from paisctl.resources.file import FileCheck, FileSpec


class Verb(StrEnum):
    """What an operation does to a service of a stack."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    UNPAUSE = "unpause"
    RESTART = "restart"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Pull:
    """Get an image that the host lacks."""

    image: str

    def __str__(self) -> str:
        return f"pull {self.image}"


@dataclass(frozen=True, slots=True)
class CheckFile:
    """Have a staged file accepted by the program that will read it.

    `mounts` are the service's mounts as `path-in-stack-directory:container-path`.
    """

    path: str
    check: FileCheck
    image: str
    mounts: tuple[str, ...]

    def __str__(self) -> str:
        return f"check {self.path}: {' '.join(self.check.command)}"


@dataclass(frozen=True, slots=True)
class InstallFile:
    """Put a file in place, whole or not at all."""

    file: FileSpec

    def __str__(self) -> str:
        return f"install {self.file.path} {self.file.mode}"


@dataclass(frozen=True, slots=True)
class RemoveFile:
    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class TakeKept:
    """Take files from what the host keeps of a stack's generation, to be put in place."""

    revision: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"take {len(self.paths)} of the files of revision {self.revision}"


@dataclass(frozen=True, slots=True)
class RestoreFiles:
    """Put all files of a stack back as the host keeps them of a generation."""

    revision: str

    def __str__(self) -> str:
        return f"restore the files of revision {self.revision}"


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """Bring services of a stack to their definition, or to life."""

    verb: Verb
    services: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.verb} {' '.join(self.services)}"


@dataclass(frozen=True, slots=True)
class SignalService:
    """Have a service read its configuration again."""

    service: str
    signal: str

    def __str__(self) -> str:
        return f"signal {self.service} {self.signal}"


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Remove a container; its volumes stay."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"remove container {self.name}"


@dataclass(frozen=True, slots=True)
class RemoveService:
    """Remove the containers of a service; its volumes stay."""

    service: str

    def __str__(self) -> str:
        return f"remove service {self.service}, volumes kept"


@dataclass(frozen=True, slots=True)
class DisconnectNetwork:
    network: str
    container: str
    name: str

    def __str__(self) -> str:
        return f"disconnect {self.name} from {self.network}"


@dataclass(frozen=True, slots=True)
class RemoveProject:
    """Take a Compose project down; its volumes stay."""

    project: str

    def __str__(self) -> str:
        return f"take down {self.project}, volumes kept"


@dataclass(frozen=True, slots=True)
class WaitHealthy:
    """Wait until services are healthy. `timeout` is in seconds."""

    services: tuple[str, ...]
    timeout: float

    def __str__(self) -> str:
        return f"wait for {' '.join(self.services)} up to {self.timeout:g} s"


@dataclass(frozen=True, slots=True)
class PassGate:
    gate: GateSpec

    def __str__(self) -> str:
        return f"gate {self.gate.description}"


Operation = (
    Pull
    | CheckFile
    | InstallFile
    | RemoveFile
    | TakeKept
    | RestoreFiles
    | ServiceOperation
    | SignalService
    | RemoveContainer
    | RemoveService
    | DisconnectNetwork
    | RemoveProject
    | WaitHealthy
    | PassGate
)
