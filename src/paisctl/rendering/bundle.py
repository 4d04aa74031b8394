"""What a `bundle.yaml` may say: one folder of `stacks/` or `templates/`.

A stack bundle says WHAT runs (images, ports, a Compose template); a config bundle says WHAT is
configured (files, how each is checked, what happens when it changes).
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from paisctl.inventory.base import Model
from paisctl.inventory.model import Arch
from paisctl.inventory.types import Duration, Identifier, Name, Port, Size

VariableType = Literal[
    "text", "integer", "boolean", "size", "duration", "port", "list", "mapping", "secret"
]


class Variable(Model):
    """A setting of the stack. Without a default it must be set in the inventory."""

    type: VariableType = Field(description="What sort of value it takes")
    description: str = Field(description="What it is for, with its unit")
    default: Any = Field(None, description="Its value when the inventory says nothing")

    @property
    def required(self) -> bool:
        return "default" not in self.model_fields_set


class Image(Model):
    """An image, pinned here and nowhere else; the inventory may move the pin for the fleet."""

    repository: str = Field(description="Registry and name, without a tag")
    tag: str = Field(description="Tag, and digest where known: `v1.2.3@sha256:…`")
    platforms: list[Arch] = Field(description="Architectures the image exists for")


class BundlePort(Model):
    """A port that a service of the stack listens on."""

    service: Name = Field(description="The Compose service")
    port: Port = Field(description="Port inside the container")
    published: Port | None = Field(None, description="Port on the host; the same if left out")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="Transport protocol")
    scheme: str = Field("http", description="Scheme of its URLs")
    description: str = Field(description="What it serves")
    peers_only: bool = Field(
        False, description="Only the stack's other instances may reach it, and nobody else ever"
    )
    operated: bool = Field(
        False, description="paisctl itself talks to it, so machines that run paisctl may reach it"
    )


class Connect(Model):
    """A connection that the stack makes: an edge of the service graph."""

    export: Name | None = Field(None, description="The export it connects to")
    metrics: bool = Field(False, description="It reads the metrics of every stack")
    peers: bool = Field(False, description="Only to the other instances of this same stack")
    after: bool = Field(True, description="The other side is applied first")
    optional: bool = Field(False, description="Nothing is wrong when no device offers it")
    extra_hosts: bool = Field(False, description="Containers know the other devices by name, too")


class Metrics(Model):
    """Where Prometheus finds the stack's metrics."""

    port: Name = Field(description="One of the bundle's ports")
    path: str = Field("/metrics", description="Path of the metrics")


class Alert(Model):
    """An alerting rule that belongs to the stack."""

    name: str = Field(description="Name of the alert")
    expr: str = Field(description="PromQL; `$job` stands for the stack's scrape job")
    duration: Duration = Field("5m", description="How long it must hold (`for`)")
    severity: Literal["warning", "critical"] = Field("warning", description="How bad it is")
    summary: str = Field(description="One line for the person who gets it")


class Requires(Model):
    """What a device must be or have. What is left out does not matter."""

    arch: list[Arch] | None = Field(None, description="Architectures it runs on")
    gpu: list[Literal["nvidia", "amd", "apple", "intel"]] | None = Field(
        None, description="GPU vendors it runs on"
    )
    kinds: list[Name] | None = Field(None, description="Device kinds it runs on")
    os: list[Literal["linux", "darwin", "dsm"]] | None = Field(
        None, description="System families it runs on"
    )
    memory: Size | None = Field(None, description="RAM the device must have at least")
    tags: list[Name] | None = Field(None, description="Tags the device must carry")


class Check(Model):
    """A command that must accept a staged file before it is used; it runs in the service's image.

    The service's mounts are in place, with the staged files instead of the live ones.
    """

    service: Name = Field(description="The Compose service whose image and mounts are used")
    command: list[str] = Field(min_length=1, description="Program and arguments")


class OnChange(Model):
    """What to do when a file changed: the least disruptive that works."""

    action: Literal["none", "reload", "restart", "recreate"] = Field(description="What to do")
    service: Name | None = Field(None, description="The Compose service it is done to")
    signal: str | None = Field(None, description="Signal for a reload: SIGHUP, SIGUSR2, …")


class BundleFile(Model):
    """A file that is rendered beside the Compose file."""

    path: str = Field(
        pattern=r"^[^/].*$", description="Where, relative to the bundle's directory on the host"
    )
    template: str = Field(description="The template in the bundle's folder")
    mode: str = Field("0644", pattern=r"^0[0-7]{3}$", description="Permissions")
    check: Check | None = Field(None, description="What must accept it first")
    on_change: OnChange = Field(description="What to do when it changed")


class Gate(Model):
    """What healthy means beyond the containers' own health checks. Passes when it exits with 0."""

    description: str = Field(description="What it waits for")
    service: Name = Field(description="The Compose service to run it in")
    command: list[str] = Field(min_length=1, description="Program and arguments; may use Jinja")
    timeout: Duration = Field("2m", description="How long it may take")


class RolloutGate(Model):
    """What must hold after a member was changed, before the next one is.

    The stack's driver answers it; of a stack without a driver it is a command, as in `gates`, and must
    pass on every member, before the first one is changed, too.
    """

    description: str = Field(description="What it waits for")
    service: Name | None = Field(None, description="The Compose service to run the command in")
    command: list[str] | None = Field(
        None, min_length=1, description="Program and arguments; passes when it exits with 0"
    )
    timeout: Duration = Field("2m", description="How long it may take")
    hold: Duration = Field("0s", description="For how long it must then stay passed")


class BundleRollout(Model):
    """How the stack's members are changed one after the other (`paisctl rollout`)."""

    image: Name = Field(description="The image whose tag is the version")
    driver: Identifier | None = Field(
        None, description="Python package in the bundle's folder that knows this kind of cluster"
    )
    gates: dict[Name, RolloutGate] = Field(
        min_length=1,
        description="What must hold after each member, in this order; the longest timeout also holds "
        "for its health checks",
    )


class Balances(Model):
    """Servers behind the stack: how one of them is taken out of use and back while it is changed.

    Each command runs in the service, with the server's device appended as its last argument.
    """

    exports: list[Name] = Field(min_length=1, description="The exports that it distributes to")
    service: Name = Field(description="The Compose service to run the commands in")
    drain: list[str] = Field(min_length=1, description="Give it nothing new")
    idle: list[str] = Field(
        min_length=1, description="Exits with 0 if it has nothing to do, with 3 if it has"
    )
    ready: list[str] = Field(min_length=1, description="Use it again")


class Dump(Model):
    """A command whose output is the data of the stack on one device, while it goes on running."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-zA-Z0-9._-]*$",
        description="Name of the file. By its ending it is opened when it is verified: `.tar`, "
        "`.tar.gz`, `.gz`, `.json`; anything else must not be empty",
    )
    service: Name = Field(description="The Compose service to run the commands in")
    command: list[str] = Field(min_length=1, description="Writes the data to its stdout")
    restore: list[str] | None = Field(
        None, min_length=1, description="Takes such data back from its stdin"
    )
    replaces: str | None = Field(
        None, description="What restoring it replaces, or adds to, in a few words"
    )


class BundleBackup(Model):
    """How the stack's data is copied away and brought back (`paisctl backup`, `paisctl restore`).

    Either a driver knows how, or commands do it, or there is nothing to keep.
    """

    driver: Identifier | None = Field(
        None, description="Python package in the bundle's folder that knows how"
    )
    dumps: list[Dump] = Field(default_factory=list, description="Commands that write the data out")
    nothing: str | None = Field(None, description="Why there is nothing to keep")

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if sum(map(bool, (self.driver, self.dumps, self.nothing))) != 1:
            raise ValueError("say one of `driver`, `dumps`, `nothing`")
        names = [dump.name for dump in self.dumps]
        if len(set(names)) < len(names):
            raise ValueError("each of `dumps` needs a `name` of its own")
        return self


class ConfigBundle(Model):
    """`templates/<name>/bundle.yaml`."""

    description: str = Field(description="What it configures")
    vars: dict[Identifier, Variable] = Field(default_factory=dict, description="Its settings")
    files: list[BundleFile] = Field(description="The files, below `<stack>/<name>/` on the host")


class StackBundle(Model):
    """`stacks/<name>/bundle.yaml`. Its Compose template is `compose.yaml.j2` beside it."""

    description: str = Field(description="What the stack is for")
    requires: Requires = Field(
        default_factory=lambda: Requires.model_validate({}), description="What a device must be"
    )
    images: dict[Name, Image] = Field(description="Its images")
    vars: dict[Identifier, Variable] = Field(default_factory=dict, description="Its settings")
    ports: dict[Name, BundlePort] = Field(default_factory=dict, description="What it listens on")
    exports: dict[Name, Name] = Field(
        default_factory=dict, description="What it offers to others: export name to port name"
    )
    connects: list[Connect] = Field(default_factory=list, description="What it connects to")
    metrics: list[Metrics] = Field(default_factory=list, description="Where its metrics are")
    alerts: list[Alert] = Field(default_factory=list, description="When to alert")
    configs: list[Name] = Field(default_factory=list, description="Config bundles it uses")
    files: list[BundleFile] = Field(default_factory=list, description="Files of its own")
    gates: list[Gate] = Field(default_factory=list, description="What healthy means")
    health_timeout: Duration = Field("2m", description="How long it may take to become healthy")
    data: list[str] = Field(
        default_factory=list, description="Container paths of data that must survive"
    )
    rollout: BundleRollout | None = Field(None, description="How its members are rolled")
    backup: BundleBackup | None = Field(None, description="How its data is backed up")
    balances: list[Balances] = Field(
        default_factory=list, description="Servers behind it that can be drained"
    )
