"""Image references: well formed, and pinned to something that does not move."""

from __future__ import annotations

import re

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.rendering.checks.stack import Stack
from paisctl.rendering.instances import Instance

# https://github.com/distribution/reference (grammar of an image reference)
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_MOVING = re.compile(
    r"(?:latest|stable|edge|main|master|nightly|dev|develop|rolling|lts)(?:-.*)?|v?[0-9]+(?:-[a-z].*)?"
)


def check_images(instance: Instance, diagnostics: Diagnostics) -> None:
    """Check the form of each image of an instance, and warn about a tag that moves."""
    for name, reference in instance.images.items():
        part = "tag" if instance.settings[f"images.{name}.tag"].mark else "repository"
        if _is_well_formed(reference, _mark(instance, name, part), diagnostics):
            _warn_if_moving(reference, _mark(instance, name, "tag"), diagnostics)


def check_used_images(stack: Stack, diagnostics: Diagnostics) -> None:
    """Check the images that the rendered services use against the device's architecture."""
    instance, device = stack.instance, stack.instance.device
    for image in sorted({service.image for service in stack.spec.services.values()}):
        names = [name for name, reference in instance.images.items() if reference == image]
        if not names:
            mark = stack.blame(image) or instance.mark
            if _is_well_formed(image, mark, diagnostics):
                _warn_if_moving(image, mark, diagnostics)
        elif "arch" in device.source.data:
            _check_platform(stack, names[0], diagnostics)


def _check_platform(stack: Stack, image: str, diagnostics: Diagnostics) -> None:
    instance, device = stack.instance, stack.instance.device
    offers, arch = instance.platforms[image], device.device.arch
    required = instance.stack.bundle.requires.arch
    if arch in offers or (required and arch not in required):  # the latter was reported as such
        return
    listed = " and ".join(offers) or "no architecture"
    places = [
        ("its platforms", instance.stack.mark("images", image, "platforms")),
        (f"{device.name} says", device.source.mark(("arch",))),
    ]
    diagnostics.error(
        "image-arch",
        f"`{instance.name}` cannot run on {device.name}: {instance.images[image]} exists for "
        f"{listed} only, {device.name} is {arch}",
        instance.mark,
        f"move `{instance.name}` to a device with {listed}",
        [(words, mark) for words, mark in places if mark],
    )


def _is_well_formed(reference: str, mark: Mark | None, diagnostics: Diagnostics) -> bool:
    if _REFERENCE.fullmatch(reference):
        return True
    diagnostics.error(
        "bad-image",
        f"`{reference}` is not an image reference",
        mark,
        "it is REPOSITORY:TAG or REPOSITORY:TAG@sha256:DIGEST, the repository in lower case",
    )
    return False


def _warn_if_moving(reference: str, mark: Mark | None, diagnostics: Diagnostics) -> None:
    tag = reference.rpartition("/")[2].partition(":")[2]
    if "@" in reference or not (_MOVING.fullmatch(tag) or not tag):
        return
    what = f"the tag `{tag}` of {reference} moves" if tag else f"{reference} has no tag"
    diagnostics.warning(
        "floating-tag",
        f"{what}: what runs can change without a plan",
        mark,
        "pin a full version, and its digest if you know it: `v1.2.3@sha256:…`",
    )


def _mark(instance: Instance, image: str, part: str) -> Mark | None:
    setting = instance.settings[f"images.{image}.{part}"]
    return setting.mark or instance.stack.source.mark(("images", image, part))
