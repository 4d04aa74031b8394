"""What an inventory may say. Every key is here; a key that is not is an error.

The JSON Schema that editors use (`paisctl schema`) is generated from these classes, so each
field's description is written for the person who edits the YAML.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from paisctl.inventory.backups import BackupPlan
from paisctl.inventory.base import Model
from paisctl.inventory.people import Role, User
from paisctl.inventory.rollouts import Rollout
from paisctl.inventory.tailnet import Tailnet
from paisctl.inventory.types import Address, Duration, Identifier, Login, Name, Port, Size

Arch = Literal["amd64", "arm64"]


class Ssh(Model):
    """How to log in. What is left out, `~/.ssh/config` and OpenSSH's defaults decide."""

    host: str | None = Field(None, description="Name or address to connect to; else `address`")
    port: Port | None = Field(None, description="Port of sshd")
    user: str | None = Field(None, description="Login name on the host")
    identity_file: str | None = Field(None, description="Private key file")
    known_hosts: str | None = Field(None, description="File with the host's key")
    host_key: str | None = Field(None, description="Pinned host key: `ssh-ed25519 AAAA…`")
    proxy_jump: str | None = Field(None, description="Host to jump through: `user@host:port`")
    connect_timeout: Duration | None = Field(
        None,
        description="Give up connecting after this long; else 10s, or 5s if it is not `required`",
    )


class Docker(Model):
    """How to call Docker on the host. Discovered; set only what discovery gets wrong."""

    command: str | None = Field(None, description="Absolute path of the docker command")
    sudo: bool | None = Field(None, description="Call docker through `sudo -n`")


class Gpu(Model):
    vendor: Literal["nvidia", "amd", "apple", "intel"] = Field(description="Who made the GPU")
    model: str = Field(description="The GPU's name")


class NetworkMount(Model):
    """A file system of another machine, mounted on this one. No database may live on it."""

    path: str = Field(pattern=r"^/", description="Where it is mounted")
    source: str = Field(description="What is mounted, for example `nas:/volume1/models`")


class Ignore(Model):
    """A difference on a host that is left alone: neither planned nor mended, only noted.

    It is of a service's field or of a file. A service that is made anew for another reason gets
    what the inventory says.
    """

    stack: Name = Field(description="The stack it is in")
    service: str | None = Field(None, description="The service that may differ; or else `file`")
    field: str | None = Field(
        None, description="What of the service, as plans name it: `memory limit`, `image`, …"
    )
    file: str | None = Field(None, description="The file that may differ, as plans name it")
    reason: str = Field(description="Why; plans repeat it")

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: str) -> str:
        if not reason.strip() or not reason.isprintable():
            raise ValueError("`reason` says on one line why the difference is left alone")
        return reason

    @model_validator(mode="after")
    def _is_of_one_thing(self) -> Self:
        if (self.service is None) == (self.file is None):
            raise ValueError("name either a `service` with its `field`, or a `file`")
        if self.service is not None and self.field is None:
            raise ValueError("`field` is missing: which of the service's fields may differ?")
        if self.file is not None and self.field is not None:
            raise ValueError("a `file` has no `field`; it is left alone as a whole")
        return self


class DeviceSettings(Model):
    """What `defaults`, a device kind and a device may all set; the most specific one wins."""

    ssh: Ssh = Field(default_factory=lambda: Ssh.model_validate({}), description="How to log in")
    docker: Docker = Field(
        default_factory=lambda: Docker.model_validate({}), description="How to call Docker"
    )
    root: str = Field(
        "/opt/paisctl",
        pattern=r"^(/|~/).+",
        description="Directory on the host that paisctl owns; `~/…` is under the login's home",
    )
    deploy: bool = Field(True, description="Whether paisctl deploys to it at all")
    reserved_ports: dict[str, str] = Field(
        default_factory=dict, description="Ports the system itself uses, and for what"
    )
    ignore: list[Ignore] = Field(
        default_factory=list,
        description="Differences to leave alone; those of defaults, kind and device add up",
    )


class Kind(DeviceSettings):
    """A device kind: what machines of one sort have in common."""

    description: str = Field("", description="What sort of machine this is")
    os: Literal["linux", "darwin", "dsm", "other"] = Field("linux", description="System family")


class DeviceExport(Model):
    """Something that a device offers to others and paisctl does not deploy: native, or by hand."""

    port: Port = Field(description="The port it listens on")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="Transport protocol")
    scheme: str = Field("http", description="Scheme of its URLs")
    description: str = Field(description="What it is")


class Device(DeviceSettings):
    """One machine."""

    model: str = Field(description="What it is, as sold")
    kind: Name = Field(description="Its device kind")
    layer: str = Field(description="Layer of the architecture it belongs to")
    role: str = Field(description="What it is there for")
    arch: Arch = Field(description="Processor architecture of its containers")
    cpu: str | None = Field(None, description="Processor")
    memory: Size = Field(description="RAM, for example 64GiB")
    storage: str = Field(description="Disks, in words")
    gpu: Gpu | None = Field(None, description="GPU, if it has one that matters")
    power: str | None = Field(None, description="What it draws, in words")
    address: Address = Field(description="Its address in the tailnet")
    renamed_from: Name | None = Field(
        None, description="Its name until now, from when it is renamed to when it is next applied"
    )
    tags: list[Name] = Field(default_factory=list, description="Tags, for selecting and policy")
    owner: Login | None = Field(
        None, description="The user it belongs to; a device of nobody is tagged in the tailnet"
    )
    isolated: bool = Field(
        False,
        description="It reaches nothing but what is declared for it: the access policy proves that, "
        "and no rule written by hand may widen it",
    )
    required: bool = Field(
        True,
        description="Whether it is always on. One that is not is left out while it cannot be reached, "
        "and given what it owes when it is back",
    )
    exports: dict[Name, DeviceExport] = Field(
        default_factory=dict, description="What it offers beside its stacks, by name"
    )
    connects: list[Name] = Field(
        default_factory=list,
        description="Exports that it connects to by itself, beside what its stacks do",
    )
    mounts: list[NetworkMount] = Field(default_factory=list, description="Network mounts")
    stacks: dict[Name, dict[str, Any] | None] = Field(
        default_factory=dict, description="The stacks it runs, with what only it sets"
    )


class Secret(Model):
    """A secret that stacks refer to as `{secret: NAME}`. Its value is never in the inventory."""

    description: str = Field(description="What it protects")
    bytes: int = Field(32, ge=16, le=128, description="Length when generated, in random bytes")
    given: bool = Field(
        False,
        description="Somebody else gives it, so it is not generated: write it into the secrets file",
    )


class Apply(Model):
    """How an apply goes about it, where the command line does not say otherwise."""

    strategy: Literal["independent", "transaction"] = Field(
        "independent",
        description="When a host fails: `independent` leaves the other hosts as applied, "
        "`transaction` has them go back, too",
    )
    keep_generations: int = Field(
        10, ge=2, le=1000, description="How many generations a host keeps to go back to"
    )
    canary: list[Name] = Field(
        default_factory=list,
        description="Devices that are changed first, with what they need; when one fails, no other "
        "is changed",
    )
    max_parallel: int | None = Field(
        None, ge=1, description="How many hosts are changed at once; all if left out"
    )
    max_failures: int | None = Field(
        None,
        ge=0,
        description="How many hosts may fail before no further stack begins; any number if left out",
    )
    pause: Duration = Field("0s", description="Rest between two batches of hosts")


class Inventory(Model):
    """A whole inventory file."""

    version: Literal[1] = Field(description="Version of this format")
    name: Name = Field(description="The fleet's name")
    tailnet: Tailnet = Field(description="The private network all devices share")
    roles: dict[Name, Role] = Field(
        default_factory=dict, description="Changes to the built-in roles, and roles of your own"
    )
    users: list[User] = Field(default_factory=list, description="The people, by login name")
    defaults: DeviceSettings = Field(
        default_factory=lambda: DeviceSettings.model_validate({}),
        description="Settings of every device, unless its kind or the device says otherwise",
    )
    kinds: dict[Name, Kind] = Field(
        default_factory=dict, description="Changes to device kinds, and kinds of your own"
    )
    tags: dict[Name, str] = Field(default_factory=dict, description="Known tags, with a meaning")
    secrets_file: str = Field(
        "secrets.yaml",
        description="File with the secret values, beside the inventory; never in git",
    )
    secrets: dict[Identifier, Secret] = Field(default_factory=dict, description="Known secrets")
    apply: Apply = Field(
        default_factory=lambda: Apply.model_validate({}), description="How an apply goes about it"
    )
    rollouts: dict[Name, Rollout] = Field(
        default_factory=dict, description="Stacks whose members are changed one after the other"
    )
    backups: dict[Name, BackupPlan] = Field(
        default_factory=dict, description="Stacks whose data is copied to another device"
    )
    stacks: dict[Name, dict[str, Any] | None] = Field(
        default_factory=dict, description="What all devices that run a stack share"
    )
    devices: dict[Name, Device] = Field(description="Every machine, by its host name")
