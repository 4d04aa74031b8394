"""A stack on a device: the bundle's settings with the inventory's laid over them.

Precedence, the most specific last: the bundle's defaults, the inventory's `stacks.<stack>`, the
device's `stacks.<stack>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.source import Path_
from paisctl.inventory.types import parse_port
from paisctl.rendering.bundle import BundlePort, Image, StackBundle, Variable
from paisctl.rendering.catalog import Catalog, Found, variables_of
from paisctl.rendering.values import coerce


@dataclass(frozen=True, slots=True)
class Setting:
    """A resolved value and where it was written. `mark` is None for a bundle's default."""

    value: Any
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class InstancePort:
    """A port of one instance, as others reach it."""

    name: str
    service: str
    container: int
    published: int
    protocol: str
    scheme: str
    address: str

    def __str__(self) -> str:
        """In Compose's short syntax: `100.64.0.11:6333:6333`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        suffix = "/udp" if self.protocol == "udp" else ""
        return f"{host}:{self.published}:{self.container}{suffix}"

    @property
    def authority(self) -> str:
        """`address:port` as others write it in a URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.published}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One stack on one device, with every setting resolved.

    `settings` has each input with its origin, by dotted name (`images.qdrant.tag`): a plan uses
    it to say which line asked for a change.
    """

    device: FleetDevice
    stack: Found[StackBundle]
    vars: dict[str, Any]
    images: dict[str, str]
    ports: dict[str, InstancePort]
    settings: dict[str, Setting]
    mark: Mark | None
    platforms: dict[str, list[str]]

    @property
    def name(self) -> str:
        return self.stack.name

    @property
    def key(self) -> tuple[str, str]:
        return (self.device.name, self.stack.name)


def resolve_instances(
    fleet: Fleet, catalog: Catalog, diagnostics: Diagnostics
) -> dict[tuple[str, str], Instance]:
    """Resolve every stack of every device, in the inventory's order.

    Problems go to `diagnostics`; an instance that cannot be resolved is left out.
    """
    for name in fleet.inventory.stacks:
        _find(name, catalog, fleet.mark("stacks", name), diagnostics)
    instances: dict[tuple[str, str], Instance] = {}
    for device in fleet.devices.values():
        for name in device.device.stacks:
            found = _find(name, catalog, device.mark("stacks", name), diagnostics)
            if found:
                variables = variables_of(found, catalog)
                instance = _Resolver(fleet, device, found, variables, diagnostics).resolve()
                if instance:
                    instances[instance.key] = instance
    return instances


def _find(
    name: str, catalog: Catalog, mark: Mark | None, diagnostics: Diagnostics
) -> Found[StackBundle] | None:
    found = catalog.stacks.get(name)
    if found is None and name not in catalog.broken:
        hint = did_you_mean(name, catalog.stacks, "stacks")
        diagnostics.error("unknown-stack", f"unknown stack `{name}`", mark, hint)
    return found


class _Resolver:
    def __init__(
        self,
        fleet: Fleet,
        device: FleetDevice,
        stack: Found[StackBundle],
        variables: Mapping[str, Variable],
        diagnostics: Diagnostics,
    ) -> None:
        self.variables = variables
        self.fleet = fleet
        self.device = device
        self.stack = stack
        self.diagnostics = diagnostics
        self.shared: dict[str, Any] = fleet.inventory.stacks.get(stack.name) or {}
        self.own: dict[str, Any] = device.device.stacks.get(stack.name) or {}
        self.settings: dict[str, Setting] = {}
        self.failed = False

    def resolve(self) -> Instance | None:
        bundle = self.stack.bundle
        self._refuse_unknown()
        values = {
            name: self._variable(name, variable) for name, variable in self.variables.items()
        }
        images = {name: self._image(name, image) for name, image in bundle.images.items()}
        ports = {name: self._port(name, port) for name, port in bundle.ports.items()}
        mark = self.device.mark("stacks", self.stack.name)
        platforms = {name: list[str](image.platforms) for name, image in bundle.images.items()}
        if self.failed:
            return None
        return Instance(
            self.device, self.stack, values, images, ports, self.settings, mark, platforms
        )

    def _layers(self) -> Iterable[tuple[dict[str, Any], Path_]]:
        """The layers that may set something, the most specific first."""
        yield self.own, ("devices", self.device.name, "stacks", self.stack.name)
        yield self.shared, ("stacks", self.stack.name)

    def _lookup(self, *path: str) -> Setting | None:
        for layer, base in self._layers():
            value: Any = layer
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return Setting(value, self.fleet.source.mark((*base, *path)))
        return None

    def _refuse_unknown(self) -> None:
        bundle = self.stack.bundle
        known = {"images": set(bundle.images), "ports": set(bundle.ports)}
        for layer, base in self._layers():
            if layer is self.shared and not self._is_first_device():
                continue
            for key, value in layer.items():
                if key in known:
                    self._refuse_names(key, value, known[key], (*base, key))
                elif key not in self.variables:
                    hint = did_you_mean(key, [*self.variables, *known], "settings")
                    self._error(
                        "unknown-key",
                        f"`{self.stack.name}` has no setting `{key}`",
                        self.fleet.source.key_mark((*base, key)),
                        hint,
                    )

    def _is_first_device(self) -> bool:
        """Whether this device is the one that shared settings are checked for, once."""
        runners = (n for n, d in self.fleet.devices.items() if self.stack.name in d.device.stacks)
        return next(runners, None) == self.device.name

    def _refuse_names(self, what: str, value: Any, known: set[str], path: Path_) -> None:
        if not isinstance(value, dict):
            message = f"`{what}` must be a mapping"
            self._error("wrong-type", message, self.fleet.source.mark(path), None)
            return
        for name in value:
            if name not in known:
                self._error(
                    "unknown-key",
                    f"`{self.stack.name}` has no `{name}` among its {what}",
                    self.fleet.source.key_mark((*path, name)),
                    did_you_mean(name, known, what),
                )

    def _variable(self, name: str, variable: Variable) -> Any:
        setting = self._lookup(name)
        if setting is None:
            if variable.required:
                self._error(
                    "missing-variable",
                    f"`{self.stack.name}` on {self.device.name} needs `{name}`",
                    self.device.mark("stacks", self.stack.name),
                    variable.description,
                )
                return None
            setting = Setting(variable.default, None)
        self.settings[name] = setting
        try:
            return coerce(variable, setting.value, self.fleet.inventory.secrets)
        except ValueError as error:
            message = f"`{name}` of `{self.stack.name}`: {error}"
            mark = setting.mark or self.stack.mark("vars", name, "default")
            self._error("bad-value", message, mark, variable.description)
            return None

    def _image(self, name: str, image: Image) -> str:
        parts = {}
        for part in ("repository", "tag"):
            setting = self._lookup("images", name, part)
            value = setting.value if setting else getattr(image, part)
            if not isinstance(value, str):
                message = f"`{part}` of image `{name}` must be text"
                hint = "put it in quotes" if not isinstance(value, dict | list) else None
                self._error("wrong-type", message, setting.mark if setting else None, hint)
            self.settings[f"images.{name}.{part}"] = setting or Setting(value, None)
            parts[part] = str(value)
        return f"{parts['repository']}:{parts['tag']}"

    def _port(self, name: str, port: BundlePort) -> InstancePort:
        setting = self._lookup("ports", name)
        published = port.published or port.port
        if setting:
            try:
                published = parse_port(setting.value)
            except ValueError as error:
                message = f"port `{name}` of `{self.stack.name}`: {error}"
                self._error("bad-value", message, setting.mark, None)
        self.settings[f"ports.{name}"] = setting or Setting(published, None)
        address = self.device.device.address
        return InstancePort(
            name, port.service, port.port, published, port.protocol, port.scheme, address
        )

    def _error(self, code: str, message: str, mark: Mark | None, hint: str | None) -> None:
        self.failed = True
        self.diagnostics.error(code, message, mark, hint)
