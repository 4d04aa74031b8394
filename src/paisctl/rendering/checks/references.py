"""Names in a `bundle.yaml` that must exist in the Compose file that was rendered."""

from __future__ import annotations

from collections.abc import Iterator

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.source import Path_, Source
from paisctl.rendering.bundle import BundleFile
from paisctl.rendering.checks.mounts import data_path_is_kept
from paisctl.rendering.checks.stack import Stack
from paisctl.resources.compose import fields


def check_references(stack: Stack, diagnostics: Diagnostics) -> None:
    """Check services that ports, gates and files name, ports that are published, data paths."""
    services = stack.spec.services
    for what, name, at, source in _named_services(stack):
        if name not in services:
            message = f"{what} of `{stack.instance.name}` names the service `{name}`"
            hint = did_you_mean(name, services, "services")
            diagnostics.error(
                "unknown-service", f"{message}, which it does not have", source.mark(at), hint
            )
    source = stack.instance.stack.source
    for name, port in stack.instance.ports.items():
        service = services.get(port.service)
        if service is None or service.definition.get("network_mode"):
            continue
        wanted = f":{port.published}:{port.container}/{port.protocol}"
        published = fields(service, stack.spec.project, "")["ports"]
        if not any(text.endswith(wanted) for text in published):
            diagnostics.error(
                "unpublished-port",
                f"the port `{name}` of `{stack.instance.name}` is declared, but the service "
                f"`{port.service}` does not publish it",
                source.mark(("ports", name)),
                f"add `- {{{{ ports.{name} | string | json }}}}` to the service's `ports:`",
            )
    for position, path in enumerate(stack.instance.stack.bundle.data):
        if not data_path_is_kept(stack, path):
            diagnostics.error(
                "data-not-kept",
                f"nothing is mounted at {path}: its data would be lost with the container",
                source.mark(("data", position)),
                "mount a named volume there",
            )


def _named_services(stack: Stack) -> Iterator[tuple[str, str, Path_, Source]]:
    found = stack.instance.stack
    for name, port in found.bundle.ports.items():
        yield f"the port `{name}`", port.service, ("ports", name, "service"), found.source
    for position, gate in enumerate(found.bundle.gates):
        yield "a gate", gate.service, ("gates", position, "service"), found.source
    yield from _of_files(found.bundle.files, found.source)
    for config in stack.configs:
        yield from _of_files(config.bundle.files, config.source)


def _of_files(files: list[BundleFile], source: Source) -> Iterator[tuple[str, str, Path_, Source]]:
    for position, file in enumerate(files):
        at: Path_ = ("files", position)
        if file.on_change.service:
            yield f"`{file.path}`", file.on_change.service, (*at, "on_change", "service"), source
        if file.check:
            yield (
                f"the check of `{file.path}`",
                file.check.service,
                (*at, "check", "service"),
                source,
            )
