"""Rendering is a function of the inventory's content and of nothing else."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paisctl.desired import HostSpec
from tests.properties.strategies import as_yaml
from tests.simulated.fleet import REPOSITORY, rendered

INVENTORY = REPOSITORY / "inventory/pais.yaml"
Bytes = dict[str, tuple[str, str]]


def everything(hosts: Mapping[str, HostSpec]) -> Bytes:
    return {
        f"{device}/{name}/{path}": (file.mode, file.content)
        for device, host in hosts.items()
        for name, stack in host.stacks.items()
        for path, file in stack.files.items()
    }


@functools.cache
def reference() -> Bytes:
    return everything(rendered([INVENTORY]))


def shuffled(value: Any, chance: random.Random, *path: str) -> Any:
    """The same data with other orders of keys; the order of the devices has a meaning."""
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    if path != ("devices",):
        chance.shuffle(keys)
    return {key: shuffled(value[key], chance, *path, key) for key in keys}


@given(st.randoms(use_true_random=False))
@settings(max_examples=5)
def test_the_order_of_keys_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    path = tmp_path_factory.mktemp("inventory") / "pais.yaml"
    data = yaml.load(INVENTORY.read_text(), Loader=yaml.CSafeLoader)
    path.write_text(as_yaml(shuffled(data, chance)), encoding="utf-8")
    assert everything(rendered([path])) == reference()


SURROUNDINGS = [
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Pacific/Apia"},
    {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "3", "LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr", "TZ": "Asia/Kolkata"},
]


def test_the_surroundings_change_no_byte(tmp_path: Path) -> None:
    trees = []
    for number, surroundings in enumerate(SURROUNDINGS):
        cwd, output = tmp_path / f"cwd {number}", tmp_path / f"rendered-{number}"
        cwd.mkdir()
        program = "from paisctl.cli.app import main; main()"
        arguments = ["-i", str(INVENTORY), "render", "-o", str(output)]
        subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={k: v for k, v in os.environ.items() if k in ("PATH", "HOME")} | surroundings,
            cwd=cwd,
            check=True,
            capture_output=True,
        )
        files = sorted(path for path in output.rglob("*") if path.is_file())
        trees.append({p.relative_to(output): (p.stat().st_mode, p.read_bytes()) for p in files})
    assert trees[0]
    assert trees[0] == trees[1] == trees[2]
