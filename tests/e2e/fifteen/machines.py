"""All hosts of the lab at once, read past paisctl: their containers, files, logs and logins."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paisctl.desired import HostSpec
from tests.e2e.rehearsal import Rehearsal, SshdCounts, run

EXPORTER = "node-exporter-node-exporter-1"
MIB = 2**20

# One process per host that is looked at, for they are many. The log of who came by is apart from
# the other files: it alone may grow when nothing changes.
_MARK = "\n--- {} ---\n"
_LOOK = """
ids=$(docker ps -aq); [ -z "$ids" ] && echo [] || docker inspect $ids
printf '\\n--- files ---\\n'
cd {root} && find . -type f ! -name audit.log -exec sha256sum {{}} + | sort -k 2
printf '\\n--- log ---\\n'
[ ! -e audit.log ] || cat audit.log
printf '\\n--- sshd ---\\n'
grep -c '^Accepted publickey for ' /var/log/sshd.log
grep -c '^Starting session: ' /var/log/sshd.log
true
"""


@dataclass(frozen=True)
class Seen:
    """A host as it is.

    Attributes:
        containers: `docker inspect` of each, by name.
        files: digests of what paisctl keeps there, but for its log.
        log: what is written down there of paisctl's runs, oldest first.
        logins: what sshd has counted.
    """

    containers: dict[str, Any]
    files: str
    log: list[dict[str, Any]]
    logins: SshdCounts

    @property
    def ids(self) -> dict[str, str]:
        return {name: container["Id"] for name, container in self.containers.items()}

    @property
    def is_the_same(self) -> tuple[object, ...]:
        """What is the same as long as nothing is done there."""
        return self.ids, self.files, self.log

    @property
    def exporter_memory(self) -> int | None:
        """The memory limit of its node exporter in MiB; None where there is none."""
        exporter = self.containers.get(EXPORTER)
        return exporter and exporter["HostConfig"]["Memory"] // MIB

    @property
    def ended(self) -> datetime:
        """When the last run ended there, in whole seconds of its clock."""
        assert self.log[-1]["event"] == "ended", self.log[-1]
        return datetime.fromisoformat(self.log[-1]["time"])


@dataclass(frozen=True, slots=True)
class Machines:
    """The lab, what each of its hosts is to have, and the container that each host is."""

    lab: Rehearsal
    hosts: dict[str, HostSpec]
    names: dict[str, str]

    def look(self, but: Iterable[str] = ()) -> dict[str, Seen]:
        """Look at all hosts, but for some, by device."""
        devices = [device for device in self.lab.devices if device not in {*but}]
        with ThreadPoolExecutor() as pool:
            return dict(zip(devices, pool.map(self._look, devices), strict=True))

    def _look(self, device: str) -> Seen:
        said = self.sh(device, _LOOK.format(root=self.root(device)))
        parts = {}
        for part in ("sshd", "log", "files"):
            said, _, parts[part] = said.rpartition(_MARK.format(part))
        return Seen(
            containers={each["Name"].lstrip("/"): each for each in json.loads(said)},
            files=parts["files"],
            log=[json.loads(line) for line in parts["log"].splitlines()],
            logins=SshdCounts(*map(int, parts["sshd"].split())),
        )

    def wait_for_health(self) -> None:
        """Wait until the engines themselves have asked new containers how they are: some seconds."""
        wait = 'while [ "$(docker ps -q --filter health=starting)" ]; do sleep 0.5; done'
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda device: self.sh(device, wait), self.lab.devices))

    def sh(self, device: str, script: str) -> str:
        """Run a shell script on a host as root; it must succeed."""
        completed = run("docker", "exec", self.names[device], "sh", "-c", script)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def root(self, device: str) -> str:
        """The directory that paisctl owns on a host."""
        return self.hosts[device].root.replace("~", "/home/paisctl")

    def limit_processor(self, device: str, share: float | None) -> None:
        """Let a host have that share of one processor; None for all it can get."""
        period = 100_000  # microseconds, as Docker has it unless asked otherwise
        quota = -1 if share is None else int(share * period)
        done = run("docker", "update", f"--cpu-quota={quota}", self.names[device])
        assert done.returncode == 0, done.stderr


def moment(text: str) -> datetime:
    """A time as Docker writes it, in nanoseconds, cut to microseconds."""
    return datetime.fromisoformat(f"{text[:26].rstrip('Z')}+00:00")
