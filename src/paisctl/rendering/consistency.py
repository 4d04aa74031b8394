"""A bundle on its own: every name and path in its `bundle.yaml` leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.source import Path_, Source
from paisctl.rendering.bundle import BundleFile, ConfigBundle, StackBundle
from paisctl.rendering.enabled import SETTING

_LONGEST = 255  # bytes of a name, to most file systems
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]")
_RESERVED = ("images", "ports", SETTING)  # what the inventory sets of every stack
_COMPOSE_FILES = ("compose.yaml", "compose.override.yaml")


def check_bundle(
    bundle: StackBundle | ConfigBundle, folder: Path, source: Source, diagnostics: Diagnostics
) -> bool:
    """Check a bundle against itself and its folder.

    Returns:
        Whether it can be used; if not, `diagnostics` says why, each at its line of `bundle.yaml`.
    """
    check = _BundleCheck(folder, source, diagnostics)
    check.files(bundle.files)
    check.vars(bundle.vars)
    if isinstance(bundle, StackBundle):
        check.ports(bundle)
        check.rollout(bundle)
        check.backup(bundle)
        if not (folder / "compose.yaml.j2").is_file():
            check.error((), "missing-file", f"the stack `{folder.name}` has no `compose.yaml.j2`")
    return check.sound


@dataclass
class _BundleCheck:
    folder: Path
    source: Source
    diagnostics: Diagnostics
    sound: bool = True

    def error(self, at: Path_, code: str, message: str, hint: str | None = None) -> None:
        self.sound = False
        self.diagnostics.error(code, message, self.source.mark(at), hint)

    def vars(self, names: Iterable[str]) -> None:
        for name in names:
            if name in _RESERVED:
                message = f"`{name}` is a setting of every stack and cannot be a variable"
                self.error(("vars", name), "reserved-name", message, "give it another name")

    def ports(self, bundle: StackBundle) -> None:
        private = {name for name, port in bundle.ports.items() if port.peers_only}
        for export, exported in bundle.exports.items():
            self._known_port(exported, bundle.ports, ("exports", export), f"the export `{export}`")
        for position, metrics in enumerate(bundle.metrics):
            at = ("metrics", position, "port")
            self._known_port(metrics.port, bundle.ports, at, "`metrics`")
            if metrics.port in private:
                self._opened(metrics.port, at, "what reads metrics")
        for name in bundle.ports:
            if name in private and bundle.ports[name].operated:
                self._opened(name, ("ports", name, "operated"), "machines that run paisctl")

    def backup(self, bundle: StackBundle) -> None:
        driver = bundle.backup.driver if bundle.backup else None
        if driver and not (self.folder / driver / "__init__.py").is_file():
            message = f"there is no Python package `{driver}` in {self.folder}"
            self.error(("backup", "driver"), "missing-file", message)

    def rollout(self, bundle: StackBundle) -> None:
        rollout = bundle.rollout
        if rollout is None:
            return
        if rollout.image not in bundle.images:
            message = f"the bundle has no image `{rollout.image}`"
            hint = did_you_mean(rollout.image, bundle.images, "images")
            self.error(("rollout", "image"), "unknown-image", message, hint)
        driver = rollout.driver
        if driver and not (self.folder / driver / "__init__.py").is_file():
            message = f"there is no Python package `{driver}` in {self.folder}"
            self.error(("rollout", "driver"), "missing-file", message)
        for name, gate in rollout.gates.items():
            if (gate.service is None) != (gate.command is None):
                message = f"the gate `{name}` needs both a `service` and a `command`, or neither"
                self.error(("rollout", "gates", name), "missing-key", message)
            elif (gate.command is None) == (driver is None):
                message = (
                    f"the driver answers the gate `{name}`; it takes no `command`"
                    if driver
                    else f"without a driver, the gate `{name}` needs a `service` and a `command`"
                )
                self.error(("rollout", "gates", name), "missing-key", message)

    def _opened(self, port: str, at: Path_, who: str) -> None:
        message = f"this lets {who} reach the port `{port}`, which is for peers only"
        hint = "take out this, or the port's `peers_only`"
        self.error(at, "private-port", message, hint)

    def _known_port(self, name: str, known: Iterable[str], at: Path_, who: str) -> None:
        if name not in known:
            message = f"{who} names the port `{name}`, which the bundle does not have"
            self.error(at, "unknown-port", message, did_you_mean(name, known, "ports"))

    def files(self, files: list[BundleFile]) -> None:
        seen: set[str] = set()
        for position, file in enumerate(files):
            at = ("files", position)
            self._path(file.path, (*at, "path"))
            if file.path in seen:
                message = f"two files of the bundle are written to `{file.path}`"
                self.error((*at, "path"), "duplicate-file", message)
            above = seen.intersection(map(str, PurePosixPath(file.path).parents))
            below = [path for path in seen if path.startswith(f"{file.path}/")]
            for other in (*above, *below):
                message = (
                    f"`{file.path}` and `{other}` cannot both be: one is the other's directory"
                )
                self.error((*at, "path"), "duplicate-file", message)
            seen.add(file.path)
            if not self._inside(file.template):
                message = f"there is no template `{file.template}` in {self.folder}"
                self.error((*at, "template"), "missing-file", message)
            if file.on_change.action != "none" and not file.on_change.service:
                message = f"`{file.on_change.action}` needs the `service` it is done to"
                self.error((*at, "on_change"), "missing-key", message)
            if file.on_change.action == "reload" and not file.on_change.signal:
                hint = "many daemons take SIGHUP; `restart` works for all"
                message = "`reload` needs the `signal` that makes the service read its files again"
                self.error((*at, "on_change"), "missing-key", message, hint)

    def _path(self, path: str, at: Path_) -> None:
        if ".." in PurePosixPath(path).parts or path.startswith(("/", "~")):
            message = f"the file `{path}` would leave the stack's directory"
            self.error(at, "path-escape", message, "paths are relative and go down only")
        elif _CONTROL.search(path) or str(PurePosixPath(path)) != path:
            message = f"`{path}` is not a plain path"
            hint = "write it without control characters, `.`, doubled or last slashes"
            self.error(at, "path-escape", message, hint)
        elif any(len(part.encode()) > _LONGEST for part in PurePosixPath(path).parts):
            self.error(at, "path-escape", f"a name in `{path}` has more than {_LONGEST} bytes")
        elif path in _COMPOSE_FILES:
            message = f"`{path}` is written by paisctl itself"
            self.error(at, "path-escape", message, "choose another name")

    def _inside(self, template: str) -> bool:
        parts = PurePosixPath(template)
        return (
            not parts.is_absolute()
            and ".." not in parts.parts
            and (self.folder / template).is_file()
        )
