"""A stack on a device: the bundle's settings with the inventory's laid over them.

Precedence, the most specific last: the bundle's defaults, the inventory's `stacks.<stack>`, the
device's `stacks.<stack>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.leaks import is_secret_name
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.source import Path_
from paisctl.inventory.types import parse_port
from paisctl.rendering.bundle import BundlePort, Image, StackBundle, Variable
from paisctl.rendering.catalog import Catalog, Found, variables_of
from paisctl.rendering.enabled import SETTING, Enabled, parse_enabled
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
    enabled: Enabled = field(default_factory=Enabled)

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
        shared = _find(name, catalog, fleet.mark("stacks", name), diagnostics)
        if shared:
            settings = fleet.inventory.stacks[name] or {}
            known = variables_of(shared, catalog)
            _refuse_unknown(fleet, shared, settings, known, ("stacks", name), diagnostics)
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


def _refuse_unknown(
    fleet: Fleet,
    stack: Found[StackBundle],
    settings: Mapping[str, Any],
    known: Iterable[str],
    path: Path_,
    diagnostics: Diagnostics,
) -> bool:
    """Report settings at `path` that a stack does not have; says whether all are known."""
    bundle = stack.bundle
    groups: dict[str, Iterable[str]] = {"images": bundle.images, "ports": bundle.ports}
    every = [*known, *groups, SETTING]
    unknown: list[tuple[tuple[str, ...], str, list[str]]] = [
        ((key,), "settings", every) for key in settings if key not in every
    ]
    for group, names in groups.items():
        within = settings.get(group)
        if isinstance(within, dict):
            unknown += [((group, name), group, [*names]) for name in within if name not in names]
        elif within is not None:
            mark = fleet.source.mark((*path, group))
            diagnostics.error("wrong-type", f"`{group}` must be a mapping", mark)
    for at, what, choices in unknown:
        diagnostics.error(
            "unknown-key",
            f"`{stack.name}` has no `{at[-1]}` among its {what}",
            fleet.source.key_mark((*path, *at)),
            did_you_mean(at[-1], choices, what),
        )
    return not unknown


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
        path = ("devices", self.device.name, "stacks", self.stack.name)
        self.failed = not _refuse_unknown(
            self.fleet, self.stack, self.own, self.variables, path, self.diagnostics
        )
        values = {name: self._variable(name, variable) for name, variable in self.variables.items()}
        images = {name: self._image(name, image) for name, image in bundle.images.items()}
        ports = {name: self._port(name, port) for name, port in bundle.ports.items()}
        enabled = self._enabled()
        mark = self.device.mark("stacks", self.stack.name)
        platforms = {name: list[str](image.platforms) for name, image in bundle.images.items()}
        if self.failed:
            return None
        return Instance(
            self.device, self.stack, values, images, ports, self.settings, mark, platforms, enabled
        )

    def _enabled(self) -> Enabled:
        """What is to run; it counts as a setting only where somebody wrote it."""
        layers = []
        for setting in self._said(SETTING):
            self.settings.setdefault(SETTING, setting)
            try:
                layers.append(parse_enabled(setting.value))
            except ValueError as error:
                message = f"`{SETTING}` of `{self.stack.name}` {error}"
                hint = "`enabled: false`, or `enabled: {SERVICE: false}`"
                self._error("bad-value", message, setting.mark, hint)
        return Enabled(tuple(layers))

    def _layers(self) -> Iterable[tuple[dict[str, Any], Path_]]:
        """The layers that may set something, the most specific first."""
        yield self.own, ("devices", self.device.name, "stacks", self.stack.name)
        yield self.shared, ("stacks", self.stack.name)

    def _lookup(self, *path: str) -> Setting | None:
        return next(self._said(*path), None)

    def _said(self, *path: str) -> Iterator[Setting]:
        """Every value that a layer gives a setting, the one that counts first."""
        for layer, base in self._layers():
            value: Any = layer
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                # An overlay may have changed the name alone in `{secret: NAME}`.
                end = ("secret",) if isinstance(value, dict) and value.keys() == {"secret"} else ()
                yield Setting(value, self.fleet.source.mark((*base, *path, *end)))

    def _variable(self, name: str, variable: Variable) -> Any:
        said = list(self._said(name))
        if not said:
            if variable.required:
                self._error(
                    "missing-variable",
                    f"`{self.stack.name}` on {self.device.name} needs `{name}`",
                    self.device.mark("stacks", self.stack.name),
                    f"`{name}`: {variable.description}",
                )
                return None
            said = [Setting(variable.default, None)]
        self.settings[name] = said[0]
        # What is overridden is checked as well: it counts again once the override goes.
        values = [self._coerced(name, variable, setting) for setting in said]
        return values[0]

    def _coerced(self, name: str, variable: Variable, setting: Setting) -> Any:
        try:
            return coerce(variable, setting.value, self.fleet.inventory.secrets)
        except ValueError as error:
            is_shown = variable.type == "secret" or not is_secret_name(name)
            reason = str(error) if is_shown else f"is not of type {variable.type}"
            message = f"`{name}` of `{self.stack.name}`: {reason}"
            mark = setting.mark or self.stack.source.mark(("vars", name, "default"))
            self._error("bad-value", message, mark, f"`{name}`: {variable.description}")
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
