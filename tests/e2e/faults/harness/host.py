"""A lab host as a machine: looked at, broken and mended by root, past its sshd and past paisctl."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from paisctl import pipeline
from tests.e2e.rehearsal import Rehearsal, run

ROOTS = {"box": "/opt/paisctl", "nas": "/volume1/docker/paisctl", "spare": "/opt/paisctl"}
LOGIN = "paisctl"
PATIENCE = 60.0  # seconds for anything that a host does by itself


@dataclass(frozen=True, slots=True)
class Host:
    """One device of the lab. `root` is the directory that paisctl owns there."""

    lab: Rehearsal
    device: str

    @property
    def root(self) -> str:
        return ROOTS[self.device]

    @property
    def container(self) -> str:
        return self.lab.lab.host(self.device).container

    def description(self) -> dict[str, Any]:
        """The device as the inventory files describe it together."""
        described: dict[str, Any] = {}
        for path in self.lab.inventories:
            devices = yaml.safe_load(path.read_text("utf-8"))["devices"]
            described |= devices.get(self.device) or {}
        return described

    def sh(self, script: str) -> str:
        """Run a shell script as root; it must succeed."""
        return self.lab.root(self.device, "sh", "-c", script)

    def read(self, path: str) -> str:
        """The text of a file below the managed directory."""
        return self.lab.root(self.device, "cat", f"{self.root}/{path}")

    def stacks(self) -> set[str]:
        """The names of the stacks that have files below the managed directory."""
        return set(self.sh(f"ls {self.root}/stacks 2>/dev/null; true").split())

    def write(self, path: str, text: str) -> None:
        """Replace a file below the managed directory, as its owner would."""
        quoted = text.replace("'", "'\\''")
        self.sh(f"printf %s '{quoted}' >'{self.root}/{path}' && chown {LOGIN} '{self.root}/{path}'")

    # ---- what goes on there -----------------------------------------------------------------

    def is_busy(self) -> bool:
        """Whether the login has any process: a connection, or a run that goes on without one."""
        return run("docker", "exec", self.container, "pgrep", "-u", LOGIN).returncode == 0

    def wait_until_idle(self) -> None:
        """Wait for the end of whatever paisctl has begun there, connected or not."""
        wait_until(lambda: not self.is_busy(), f"{self.device} to be left alone")

    # ---- what happens to it -----------------------------------------------------------------

    def restart_sshd(self) -> None:
        """As `systemctl restart ssh`: it reads its settings and keys again; sessions live on."""
        self.sh("kill -HUP $(cat /run/sshd.pid)")
        self._wait_for_sshd()

    def cut_sessions(self) -> None:
        """Kill the sshd processes that serve logins, and no other."""
        self.sh(
            "for pid in $(pgrep -u paisctl -x 'sshd.*'); do kill -9 $pid 2>/dev/null; done; true"
        )

    def restart_engine(self) -> None:
        """As `systemctl restart docker`: containers are stopped and started with it."""
        self.stop_engine()
        self.start_engine()

    def stop_engine(self) -> None:
        self.sh(
            "pid=$(cat /run/docker.pid); tr '\\0' ' ' </proc/$pid/cmdline >/run/dockerd;"
            "tr '\\0' '\\n' </proc/$pid/environ | grep ^PATH= >/run/path; kill $pid;"
            "while kill -0 $pid 2>/dev/null; do sleep 0.1; done"
        )

    def start_engine(self) -> None:
        """Start it as it ran before."""
        start = "export $(cat /run/path); exec $(cat /run/dockerd) >>/var/log/dockerd.log 2>&1"
        run("docker", "exec", "-d", self.container, "sh", "-c", start)
        ready = "docker version >/dev/null 2>&1"
        wait_until(
            lambda: run("docker", "exec", self.container, "sh", "-c", ready).returncode == 0,
            f"the engine of {self.device}",
        )

    def lose_power(self) -> None:
        """Kill every process at once, without a word to any of them."""
        run("docker", "kill", self.container)

    def power_on(self) -> None:
        """Start again; sshd gets another port, which the lab's overlay then names."""
        fleet = [path for path in self.lab.inventories if path != self.lab.lab.overlay]
        self.lab.lab.up(pipeline.desire(fleet), self.lab.devices)

    def _wait_for_sshd(self) -> None:
        wait_until(lambda: self.lab.ssh(self.device, "true").returncode == 0, "sshd")

    @contextmanager
    def small_disk(self, path: str, spare: int) -> Iterator[None]:
        """A file system of its own in place of a directory, with what is in it and little room.

        Args:
            path: the directory.
            spare: how many KiB are free.
        """
        disk = "/run/small-disk"
        self.sh(
            f"mkdir -p {disk} && mount -t tmpfs -o size=64m tmpfs {disk} && cp -a '{path}/.' {disk}/"
            f" && used=$(df -Pk {disk} | awk 'END {{ print $3 }}')"
            f" && mount -o remount,size=$((used + {spare}))k {disk}"
            f" && mount --bind {disk} '{path}'"
        )
        try:
            yield
        finally:
            self.sh(f"umount '{path}'; umount {disk}")


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(0.2)
