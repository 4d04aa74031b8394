"""A lab for tests: paisctl against its hosts, and the hosts themselves, read past paisctl."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paisctl.cli import app
from paisctl.lab.lab import Lab

PAISCTL = Path(sys.executable).with_name("paisctl")


@dataclass(frozen=True, slots=True)
class SshdCounts:
    """What a host's sshd has logged: accepted logins, and commands that were started."""

    connections: int
    executions: int

    def __sub__(self, before: SshdCounts) -> SshdCounts:
        return SshdCounts(
            self.connections - before.connections, self.executions - before.executions
        )


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A lab that is up, and the inventory files that describe its fleet."""

    lab: Lab
    inventories: tuple[Path, ...]
    devices: tuple[str, ...]

    def paisctl(self, *arguments: str, overlay: Path | None = None) -> Completed:
        """Run paisctl against the lab, in this process; `overlay` is laid over its inventory."""
        files = [*self.inventories, *([overlay] if overlay else [])]
        command = [*(part for path in files for part in ("-i", str(path))), *arguments]
        stdout, stderr = io.StringIO(), io.StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = app.run(command)
        return Completed(command, status, stdout.getvalue(), stderr.getvalue())

    def ssh(self, device: str, command: str) -> Completed:
        """Run a command on a host with OpenSSH, as the user that paisctl logs in as."""
        return run(*self.lab.ssh_command(self.lab.host(device)), command)

    def root(self, device: str, *command: str) -> str:
        """Run a command on a host as root, past its sshd. It must succeed."""
        completed = run("docker", "exec", self.lab.host(device).container, *command)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def containers(self, device: str) -> dict[str, Any]:
        """`docker inspect` of every container in a host's engine, by name."""
        inspect = 'ids=$(docker ps -aq); [ -z "$ids" ] && echo [] || docker inspect $ids'
        inspected = json.loads(self.root(device, "sh", "-c", inspect))
        return {container["Name"].lstrip("/"): container for container in inspected}

    def container_ids(self) -> dict[tuple[str, str], str]:
        """The ID of every container on every host, by device and name."""
        with ThreadPoolExecutor() as pool:
            found = pool.map(self.containers, self.devices)
            return {
                (device, name): container["Id"]
                for device, containers in zip(self.devices, found, strict=True)
                for name, container in containers.items()
            }

    def sshd(self, device: str) -> SshdCounts:
        """Count logins and executions in the log of a host's sshd."""
        log = self.root(device, "cat", "/var/log/sshd.log")
        return SshdCounts(log.count("\nAccepted publickey for "), log.count("\nStarting session: "))


Completed = subprocess.CompletedProcess[str]


def run(*command: str) -> Completed:
    """Run a command and return its exit status and both outputs."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
