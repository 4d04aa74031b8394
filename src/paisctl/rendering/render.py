"""Render a fleet: every file of every stack of every host. Pure, apart from reading templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from paisctl.desired import GateSpec, HostSpec, Ignored, Input, StackSpec
from paisctl.diagnostics import Diagnostic, Diagnostics, Mark
from paisctl.inventory.ignored import ignored_on
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.source import parse_yaml
from paisctl.inventory.types import parse_duration
from paisctl.rendering.bundle import BundleFile, ConfigBundle, StackBundle
from paisctl.rendering.catalog import Catalog, Found
from paisctl.rendering.compose import complete, compose_files
from paisctl.rendering.compose_schema import check_compose
from paisctl.rendering.environment import Contexts, TemplateProblem, render_template, render_text
from paisctl.rendering.graph import Graph, check_offers, check_order
from paisctl.rendering.instances import Instance, Setting, resolve_instances
from paisctl.resources.compose import ServiceSpec
from paisctl.resources.file import FileCheck, FileSpec
from paisctl.secrets import describe, has_token, unquoted

COMPOSE_TEMPLATE = "compose.yaml.j2"
RENDERED = " (rendered)"  # ends the file name of a mark in what a template became


@dataclass(frozen=True, slots=True)
class Rendered:
    """A whole fleet, rendered: one `HostSpec` per device that is deployed to, and from what."""

    hosts: Mapping[str, HostSpec]
    graph: Graph
    catalog: Catalog


def render(fleet: Fleet, catalog: Catalog, diagnostics: Diagnostics) -> Rendered:
    """Render everything that paisctl deploys.

    A stack with problems is left out of its host and its problems are in `diagnostics`.
    """
    instances = resolve_instances(fleet, catalog, diagnostics)
    graph = Graph(instances, fleet)
    check_offers(graph, catalog, fleet, diagnostics)
    check_order(graph, diagnostics)
    contexts = Contexts(fleet, graph)
    hosts = {
        name: bare_host(fleet, device)
        for name, device in fleet.devices.items()
        if device.device.deploy
    }
    for (device, stack), instance in instances.items():
        # What is lacking was reported; its template would only fail for the same reason.
        if device in hosts and not graph.lacks(instance):
            spec = _StackRenderer(
                catalog, graph, instance, contexts.of(instance), diagnostics
            ).render()
            if spec:
                stacks = {**hosts[device].stacks, stack: spec}
                hosts[device] = replace(hosts[device], stacks=stacks)
    return Rendered(hosts, graph, catalog)


def bare_host(fleet: Fleet, device: FleetDevice) -> HostSpec:
    """A host with nothing on it yet."""
    ignored = tuple(
        Ignored(
            entry.stack,
            f"service {entry.service}" if entry.service else f"file {entry.file}",
            entry.field or "",
            entry.reason,
        )
        for _, entry in ignored_on(fleet, device)
    )
    own = device.device
    name, before = fleet.inventory.name, own.renamed_from or ""
    return HostSpec(device.name, own.root, {}, name, before, ignored, own.required)


class _StackRenderer:
    def __init__(
        self,
        catalog: Catalog,
        graph: Graph,
        instance: Instance,
        context: Mapping[str, Any],
        diagnostics: Diagnostics,
    ) -> None:
        self.catalog = catalog
        self.graph = graph
        self.instance = instance
        self.diagnostics = diagnostics
        self.context = context

    def render(self) -> StackSpec | None:
        found = self.instance.stack
        try:
            document = self._compose(found)
            files = self._files(found)
            gates = tuple(self._gates(found))
        except TemplateProblem as problem:
            self._report(problem)
            return None
        if document is None:
            return None
        services = self._services(document, files)
        files += compose_files(self.instance.name, document, services)
        return StackSpec(
            device=self.instance.device.name,
            name=self.instance.name,
            services=services,
            files={file.path: file for file in sorted(files, key=lambda file: file.path)},
            inputs=self._inputs(),
            needs=tuple(self.graph.needs(self.instance.key)),
            gates=gates,
            health_timeout=parse_duration(found.bundle.health_timeout),
            bundle_digest=self._bundle_digest(),
            mark=self.instance.mark,
            resting=tuple(name for name in services if self.instance.enabled.rests(name)),
        )

    def _compose(self, found: Found[StackBundle]) -> Mapping[str, Any] | None:
        text = unquoted(render_template(found.folder, COMPOSE_TEMPLATE, self.context))
        file = f"{found.folder / COMPOSE_TEMPLATE}{RENDERED}"
        problems = Diagnostics()
        source = parse_yaml(text, file, problems, may_hold_tokens=True)
        if not problems.errors:
            check_compose(source, problems)
        lines = describe(text).splitlines()
        for item in problems:
            self.diagnostics.items.append(self._blame(item, lines, file))
        document: Mapping[str, Any] = source.data
        return None if problems.errors else document

    def _blame(self, item: Diagnostic, lines: list[str], file: str) -> Diagnostic:
        """Quote the rendered line, which no file has, and name the inventory line behind it."""
        asked_by = self._asked_by()
        related = [(words, _quoted(mark, lines)) for words, mark in item.related]
        mark = _quoted(item.mark or Mark(file, 1), lines)  # an empty document has no marks
        return replace(item, mark=mark, related=(*related, *([asked_by] if asked_by else [])))

    def _files(self, found: Found[StackBundle]) -> list[FileSpec]:
        files = [self._file(found, file, "") for file in found.bundle.files]
        for name in found.bundle.configs:
            config = self.catalog.configs[name]
            files += [self._file(config, file, f"{name}/") for file in config.bundle.files]
        return files

    def _file(
        self, found: Found[StackBundle] | Found[ConfigBundle], file: BundleFile, prefix: str
    ) -> FileSpec:
        content = render_template(found.folder, file.template, self.context)
        check = FileCheck(file.check.service, tuple(file.check.command)) if file.check else None
        return FileSpec(
            prefix + file.path,
            content,
            "0600" if has_token(content) else file.mode,
            check,
            file.on_change.action,
            file.on_change.service,
            file.on_change.signal,
        )

    def _gates(self, found: Found[StackBundle]) -> list[GateSpec]:
        where = found.mark("gates") or Mark(str(found.folder), 1)
        return [
            GateSpec(
                gate.description,
                gate.service,
                tuple(render_text(found.folder, w, self.context, where) for w in gate.command),
                parse_duration(gate.timeout),
            )
            for gate in found.bundle.gates
        ]

    def _services(
        self, document: Mapping[str, Any], files: list[FileSpec]
    ) -> dict[str, ServiceSpec]:
        definitions = complete(document, self.graph.extra_hosts(self.instance))
        return {
            name: ServiceSpec(name, definition, _baked_in(name, files))
            for name, definition in sorted(definitions.items())
        }

    def _inputs(self) -> dict[str, Input]:
        """Everything the stack was rendered from that a person can change in the inventory."""
        own = {name: _input(setting) for name, setting in self.instance.settings.items()}
        device = self.instance.device
        own["address"] = Input(device.device.address, device.mark("address"))
        for edge in self.graph.edges_of(self.instance.key):
            target = edge.target
            name = f"{target.device}/{target.stack} {target.port.name}"
            own[name] = Input(target.port.authority, target.mark)
        return own

    def _bundle_digest(self) -> str:
        configs = (self.catalog.configs[name] for name in self.instance.stack.bundle.configs)
        return "+".join([self.instance.stack.digest, *(config.digest for config in configs)])

    def _report(self, problem: TemplateProblem) -> None:
        asked_by = self._asked_by()
        related = [asked_by] if asked_by else []
        self.diagnostics.error("template", problem.message, problem.mark, problem.hint, related)

    def _asked_by(self) -> tuple[str, Mark] | None:
        instance = self.instance
        words = f"asked for by {instance.device.name}'s `{instance.name}`"
        return (words, instance.mark) if instance.mark else None


def _quoted(mark: Mark, lines: list[str]) -> Mark:
    return replace(mark, text=lines[mark.line - 1] if mark.line <= len(lines) else "")


def _input(setting: Setting) -> Input:
    return Input(describe(str(setting.value)), setting.mark)


def _baked_in(service: str, files: list[FileSpec]) -> dict[str, str]:
    """Digests of the files whose change must recreate a service. Secrets stay tokens here."""
    return {
        file.path: file.template_digest
        for file in files
        if file.action == "recreate" and file.service == service
    }
