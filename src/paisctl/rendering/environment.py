"""The one Jinja environment, and what a template sees.

Sandboxed, since `lint` also renders what somebody else proposes: a template reaches what is below
and nothing of Python. Strict: a name that does not exist is an error at that line of the template, never an empty text.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from paisctl.diagnostics import Mark, did_you_mean
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.rendering.bundle import Alert
from paisctl.rendering.graph import Endpoint, Graph
from paisctl.rendering.instances import Instance, InstancePort
from paisctl.secrets import quoted


class TemplateProblem(Exception):
    """A template failed. `mark` is the line of the template."""

    def __init__(self, message: str, mark: Mark, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark
        self.hint = hint


class _Unknown(jinja2.StrictUndefined):
    """A name that does not exist: the error says which, and what there is instead.

    The hint follows the message after a line break; `_problem` takes them apart.
    """

    @property
    def _undefined_message(self) -> str:
        name, owner = str(self._undefined_name), self._undefined_obj
        if isinstance(owner, Mapping):
            hint = did_you_mean(name, map(str, owner), "names here")
            return f"there is no `{name}`\n{hint}"
        return f"there is no `{name}`"


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device, as a template sees it."""

    name: str
    address: str
    arch: str
    memory: int
    kind: str
    model: str
    gpu: str | None
    tags: tuple[str, ...]

    @classmethod
    def of(cls, fleet_device: FleetDevice) -> DeviceView:
        device = fleet_device.device
        gpu = device.gpu.vendor if device.gpu else None
        return cls(
            fleet_device.name,
            device.address,
            device.arch,
            device.memory,
            device.kind,
            device.model,
            gpu,
            tuple(device.tags),
        )


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance of a stack, as a template sees it."""

    device: DeviceView
    stack: str
    vars: Mapping[str, Any]
    ports: Mapping[str, InstancePort]


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alerting rule of a stack that runs; `expr` has its job filled in."""

    stack: str
    alert: Alert

    @property
    def expr(self) -> str:
        return self.alert.expr.replace("$job", self.stack)


class Contexts:
    """What templates see, for every instance of a fleet; what all share is worked out once."""

    def __init__(self, fleet: Fleet, graph: Graph) -> None:
        self._graph = graph
        inventory = fleet.inventory
        self._fleet = {"name": inventory.name, "dns_name": inventory.tailnet.dns_name}
        self._views: dict[str, list[InstanceView]] = {}
        for instance in graph.instances.values():
            self._views.setdefault(instance.name, []).append(_view(instance))
        bundles = {i.name: i.stack.bundle for i in graph.instances.values()}
        keeping = {
            name for name, bundle in bundles.items() if bundle.backup and not bundle.backup.nothing
        }
        self._backups = {
            name: plan.max_age for name, plan in inventory.backups.items() if plan.stack in keeping
        }
        watched = sorted({i.name for i in graph.instances.values() if graph.is_watched(i)})
        self._alerts = [AlertView(n, alert) for n in watched for alert in bundles[n].alerts]

    def of(self, instance: Instance) -> dict[str, Any]:
        """What the templates of one instance see. `docs/reference/templates.md` lists it."""

        def endpoints(export: str) -> list[Endpoint]:
            declared = {connect.export for connect in instance.stack.bundle.connects}
            if export not in declared:
                raise jinja2.TemplateRuntimeError(
                    f"the template uses the export `{export}`, "
                    f"which `connects` of {instance.name}'s bundle.yaml does not declare"
                )
            return self._graph.endpoints(instance, export)

        return {
            "fleet": self._fleet,
            "device": DeviceView.of(instance.device),
            "stack": instance.name,
            "vars": instance.vars,
            "images": instance.images,
            "ports": instance.ports,
            "instances": self._views[instance.name],
            "endpoints": endpoints,
            "scrapes": self._graph.scrapes,
            "alerts": self._alerts,
            "backups": self._backups,
        }


def _view(instance: Instance) -> InstanceView:
    device = DeviceView.of(instance.device)
    return InstanceView(device, instance.name, instance.vars, instance.ports)


# YAML takes these for line breaks, or not at all, where JSON lets them stand as they are.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@lru_cache(maxsize=64)
def _environment(folder: Path) -> jinja2.Environment:
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=_Unknown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Configs are not HTML; what needs quoting says `| json`.
        autoescape=False,
    )
    environment.filters["json"] = _json
    return environment


def _json(value: Any) -> str:
    """Quote a value for YAML or JSON, whatever it holds."""
    text = quoted(json.dumps(value, ensure_ascii=False, default=_plain), "json")
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, and says which name it is
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def render_template(folder: Path, name: str, values: Mapping[str, Any]) -> str:
    """Render one template of a bundle's folder.

    Raises:
        TemplateProblem: it does not exist, does not parse, or uses what is not there.
    """
    return _guard(folder, name, lambda env: env.get_template(name).render(values))


def render_text(folder: Path, text: str, values: Mapping[str, Any], where: Mark) -> str:
    """Render a text that stands in a `bundle.yaml`, at `where`."""
    try:
        return _environment(folder).from_string(text).render(values)
    except Exception as error:
        raise _problem(error, where) from error


def _guard(folder: Path, name: str, render: Callable[[jinja2.Environment], str]) -> str:
    file = str(folder / name)
    try:
        return render(_environment(folder))
    except jinja2.TemplateNotFound:
        raise TemplateProblem(f"there is no template `{name}`", Mark(file, 1)) from None
    except jinja2.TemplateSyntaxError as error:
        raise TemplateProblem(
            f"{error.message}", Mark(error.filename or file, error.lineno)
        ) from None
    except Exception as error:  # whatever an expression raises is the template's fault
        raise _problem(error, _line_of(error, folder, file)) from error


def _problem(error: Exception, mark: Mark) -> TemplateProblem:
    message, _, hint = str(error).partition("\n")
    return TemplateProblem(message or type(error).__name__, mark, hint or None)


def _line_of(error: BaseException, folder: Path, file: str) -> Mark:
    """The innermost line of a template in a traceback; Jinja maps its frames to the source."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(str(folder))]
    return Mark(inside[-1].filename, inside[-1].lineno or 1) if inside else Mark(file, 1)
