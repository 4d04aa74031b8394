"""The small example in the explanation of the access policy is what its inventory gives."""

from __future__ import annotations

import re
from pathlib import Path

from paisctl import pipeline
from paisctl.policy.text import read

PAGE = Path(__file__).parents[2] / "docs/explanation/access-policy.md"
INVENTORY = """\
version: 1
name: small
tailnet: {dns_name: tail1234.ts.net}
users:
  - {id: me@example.com, role: admin}
  - {id: kid@example.com, role: child}
secrets: {redis_password: {description: The cache}}
stacks: {redis-cache: {password: {secret: redis_password}}}
devices:
  box:
    model: Mini PC
    kind: linux
    layer: core
    role: Cache
    arch: amd64
    memory: 16GiB
    storage: SSD
    address: 100.64.0.1
    stacks: {redis-cache: {memory: 1g}}
  hub:
    model: Mac mini
    kind: macos
    layer: core
    role: Chat
    arch: arm64
    memory: 16GiB
    storage: SSD
    address: 100.64.0.2
    exports:
      anythingllm: {port: 3001, description: Chat}
      litellm: {port: 4000, description: Model router}
    connects: [redis-cache]
  pi:
    model: Raspberry Pi 5
    kind: raspberry-pi
    layer: edge
    role: Assistant
    arch: arm64
    memory: 8GiB
    storage: SD card
    address: 100.64.0.3
    isolated: true
    connects: [litellm]
  laptop:
    model: A laptop
    kind: workstation
    layer: mobile
    role: Mine
    arch: amd64
    memory: 16GiB
    storage: SSD
    address: 100.64.0.4
    owner: me@example.com
"""


def test_the_example_is_what_is_rendered(tmp_path: Path) -> None:
    path = tmp_path / "inventory" / "pais.yaml"
    path.parent.mkdir()
    path.write_text(INVENTORY)
    policy = pipeline.desire([path]).tailnet.policy
    [block] = re.findall(r"^```json\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    shown = read(block)
    assert shown.groups == policy.groups
    assert shown.hosts == policy.hosts
    assert shown.tag_owners == policy.tag_owners
    assert shown.grants == policy.grants
    assert shown.tests
    assert set(map(str, shown.tests)) <= set(map(str, policy.tests))
