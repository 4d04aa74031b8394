"""Large stacks: a thousand files, and a file of fifty megabytes."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.e2e.faults.harness.canary import look
from tests.e2e.faults.harness.host import Host
from tests.e2e.scenario import apply, plan

FILES = 1_000
LINE = "0123456789" * 8
LINES = 50 * 1024 * 1024 // (len(LINE) + 1)

COMPOSE = """\
services:
  large:
    image: {{ images.main | json }}
    entrypoint: [sleep, infinity]
    init: true
    volumes: ["./files:/files:ro"]
    mem_limit: 16m
"""
MANY = "number {{ vars.number }}\n"
LONG = f"""\
{{{{ vars.number }}}}
{{% for part in range(100) -%}}
{{% for line in range({LINES // 100}) -%}}
{LINE}
{{% endfor %}}
{{%- endfor %}}"""


def write_stack(folder: Path, template: str, paths: list[str]) -> None:
    """A stack `large`, with the same text in each of its files, beside an overlay for the box."""
    stack = folder / "stacks" / "large"
    stack.mkdir(parents=True)
    (stack / "compose.yaml.j2").write_text(COMPOSE, "utf-8")
    (stack / "text.j2").write_text(template, "utf-8")
    change = {"action": "none"}
    bundle = {
        "description": "A large stack",
        "images": {"main": {"repository": "redis", "tag": "7.4.11-alpine", "platforms": ["amd64"]}},
        "vars": {"number": {"type": "integer", "default": 1, "description": "In every file"}},
        "files": [{"path": path, "template": "text.j2", "on_change": change} for path in paths],
    }
    (stack / "bundle.yaml").write_text(yaml.safe_dump(bundle), "utf-8")


def overlay(folder: Path, number: int) -> Path:
    path = folder / f"{number}.yaml"
    large = {"number": number, "images": {"main": {"repository": "paisctl-lab/redis"}}}
    path.write_text(yaml.safe_dump({"devices": {"box": {"stacks": {"large": large}}}}), "utf-8")
    return path


def test_a_thousand_files_arrive(box: Host, tmp_path: Path) -> None:
    before = look(box)
    write_stack(tmp_path, MANY, [f"files/{n // 100}/{n}.conf" for n in range(FILES)])
    wanted = overlay(tmp_path, 1)
    apply(box.lab, "box", "--stack", "large", overlay=wanted)
    count = f"cd {box.root}/stacks/large/files && grep -rlx 'number 1' . | wc -l"
    assert int(box.sh(count)) == FILES
    assert plan(box.lab, "box", "--stack", "large", overlay=wanted) == []
    after = look(box)
    assert (after.id, after.word, after.data) == (before.id, before.word, before.data)


def test_a_file_of_fifty_megabytes_arrives_and_changes(box: Host, tmp_path: Path) -> None:
    before = look(box)
    write_stack(tmp_path, LONG, ["files/long.txt"])
    for number in (1, 2):
        apply(box.lab, "box", "--stack", "large", overlay=overlay(tmp_path, number))
        size = box.sh(f"wc -c <{box.root}/stacks/large/files/long.txt")
        assert int(size) > 50_000_000
        assert plan(box.lab, "box", "--stack", "large", overlay=overlay(tmp_path, number)) == []
    after = look(box)
    assert (after.id, after.word, after.data) == (before.id, before.word, before.data)
