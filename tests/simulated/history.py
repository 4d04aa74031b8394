"""A simulated host that keeps generations and an audit log, as the real one does."""

from __future__ import annotations

import json
from dataclasses import replace

from paisctl.manifest import parse_manifest
from paisctl.observed import HostState, KeptGeneration
from paisctl.plan import HostPlan
from paisctl.secrets import Vault
from tests.simulated.host import SimulatedHost


class RememberingHost(SimulatedHost):
    """A host whose generation N was applied at 10:00 on the Nth of November, by ann.

    `log` are the lines of its audit log, `lock` is the text of its lock file.
    """

    def __init__(self, device: str, root: str, fleet: str) -> None:
        super().__init__(device, root, fleet)
        self.generations: list[KeptGeneration] = []
        self.kept: dict[str, tuple[str, bytes]] = {}
        self.log: list[str] = []
        self.lock = ""
        self.lock_alive: bool | None = None

    def state(self, *, texts: bool = False) -> HostState:
        state = super().state(texts=texts)
        shown = {
            f"generations/kept/{path}": content.decode()
            for path, (mode, content) in self.kept.items()
            if int(mode, 8) & 0o044
        }
        return replace(
            state,
            texts={**state.texts, **shown} if texts else {},
            generations=tuple(self.generations),
            kept_files=frozenset(self.kept),
            last_runs=tuple(self.log),
            lock=self.lock,
            lock_alive=self.lock_alive,
        )

    def carry_out(self, plan: HostPlan, vault: Vault) -> None:
        super().carry_out(plan, vault)
        manifest = parse_manifest(self.manifest)
        day = f"2026-11-{manifest.generation:02}"
        origin = {
            "run": f"{day}-run",
            "who": "ann",
            "machine": "laptop",
            "command": "apply",
            "revision": "1a2b3c4d5e6f",
            "plan": "99aa",
        }
        names = [stack.name for stack in plan.stacks]
        record = {"generation": manifest.generation, "started": f"{day}T10:00:00Z"}
        lines = [f"{stack.name} {stack.revision}" for stack in manifest.stacks.values()]
        self.generations.append(
            KeptGeneration(
                manifest.generation,
                json.dumps(record | origin | {"changed": names}),
                "\n".join(lines) + "\n",
                self.manifest,
            )
        )
        for stack in manifest.stacks.values():
            for path in stack.files:
                kept = f"{stack.name}/{stack.revision}/files/{path}"
                self.kept.setdefault(kept, self.files[f"stacks/{stack.name}/{path}"])
        self.note("began", f"{day}T10:00:01Z", origin, generation=manifest.generation - 1)
        applied = dict.fromkeys(names, "applied")
        self.note(
            "ended",
            f"{day}T10:00:20Z",
            origin,
            generation=manifest.generation,
            stacks=applied,
            outcome="applied",
        )

    def note(self, event: str, time: str, origin: dict[str, str], **more: object) -> None:
        """Add a line to the audit log."""
        self.log.append(json.dumps({"time": time, "event": event, **origin, **more}))
