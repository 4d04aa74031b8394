"""A generation that a host keeps, as desired state: what going back to it would mean. Pure."""

from __future__ import annotations

from dataclasses import replace

from paisctl.desired import HostSpec, Input, StackSpec
from paisctl.manifest import AppliedFile, AppliedStack, Manifest
from paisctl.resources.file import FileSpec, Kept


def kept_host(device: str, root: str, manifest: Manifest) -> HostSpec:
    """Everything that a generation had on its host.

    Args:
        device: the host's name now.
        root: the directory that paisctl owns there.
        manifest: that of the generation.
    """
    stacks = {name: kept_stack(device, applied) for name, applied in manifest.stacks.items()}
    return HostSpec(device, root, stacks)


def kept_stack(device: str, applied: AppliedStack) -> StackSpec:
    """One stack as it was applied: its files lie on the host, its secrets may be older ones."""
    return StackSpec(
        device=device,
        name=applied.name,
        services={
            name: replace(service, sealed=applied.sealed[name])
            for name, service in applied.services.items()
        },
        files={
            path: _kept_file(path, file, applied.revision) for path, file in applied.files.items()
        },
        inputs={name: Input(text, None) for name, text in applied.inputs.items()},
        needs=applied.needs,
        gates=applied.gates,
        health_timeout=applied.health_timeout,
        bundle_digest=applied.bundle_digest,
        mark=None,
        resting=applied.resting,
    )


def _kept_file(path: str, file: AppliedFile, revision: str) -> FileSpec:
    return FileSpec(
        path,
        "",
        file.mode,
        file.check,
        file.action,
        file.service,
        file.signal,
        Kept(revision, file.digest, file.secret),
    )
