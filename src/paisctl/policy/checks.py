"""What a control plane would refuse of a policy, as far as it can be foreseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paisctl.policy.document import Policy

Control = Literal["tailscale", "headscale"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason to refuse a policy. `path` is where: section, key or index, and so on."""

    message: str
    path: tuple[str | int, ...]
    hint: str | None = None


def problems(policy: Policy, control: Control) -> list[Problem]:
    raise NotImplementedError
