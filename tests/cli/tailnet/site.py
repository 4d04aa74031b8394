"""Commands about the tailnet against a control plane of the tests, without any host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from concurrent.futures import Future, wait
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import yaml

from paisctl.cli.app import run
from paisctl.errors import HostUnreachable
from paisctl.transports import SshSettings
from tests.cli.conftest import SNAPSHOTS
from tests.controlplane.headscale import API_KEY as HEADSCALE_KEY
from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.server import API_KEY, OAUTH_CLIENT, TailscaleServer
from tests.golden_files import expect
from tests.simulated.tailnet import lets_in

SECRETS = (API_KEY, HEADSCALE_KEY, OAUTH_CLIENT.secret)
_SECONDS = re.compile(r"\b[0-9]+\.[0-9] s\b")
_JOIN_KEY = re.compile(r"(ts|hs)key-auth-\w+-notasecret")


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


class QuickClock:
    """Time that is not waited for."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def wait(self, futures: Collection[Future[str]], seconds: float) -> None:
        wait(futures, timeout=max(seconds, 10.0))  # this machine may be slow


@dataclass
class Site:
    """A project in the working directory, and its tailnet."""

    here: Path
    server: TailscaleServer | HeadscaleServer
    lost: set[str] = field(default_factory=set)  # machines that refuse whoever connects
    pauses: list[float] = field(default_factory=list)  # seconds that the client wanted to wait
    asked: int = 0  # requests before the command that was last run

    @property
    def inventory(self) -> Path:
        return self.here / "inventory/pais.yaml"

    @property
    def record(self) -> list[str]:
        """What is left of a change that should have ended."""
        folder = self.here / "inventory/.paisctl/tailnet"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    @property
    def requests(self) -> list[str]:
        """What the last command asked, as `POST /acl`."""
        return [
            f"{r.method} /{r.path.rpartition('/')[2]}" for r in self.server.requests[self.asked :]
        ]

    def connect(self) -> None:
        """Have the inventory name the control plane."""
        tailnet = {"url": self.server.url}
        if isinstance(self.server, HeadscaleServer):
            tailnet["control"] = "headscale"
        (self.here / "tailnet.yaml").write_text(yaml.safe_dump({"tailnet": tailnet}))
        self.overlay()

    def overlay(self, **content: object) -> None:
        """Lay something over the inventory, beside where the control plane is."""
        (self.here / "change.yaml").write_text(
            yaml.safe_dump(content) if content else "name: pais\n"
        )

    def say(self, name: str, *lines: str) -> str:
        """Run command lines in a row and compare what they say with a snapshot."""
        since = len(self.server.requests)
        text = "\n".join(self._transcript(line) for line in lines)
        for what, shown in ((str(self.here), "/here"), (self.server.url, "http://127.0.0.1:PORT")):
            text = text.replace(what.removeprefix("http://"), shown.removeprefix("http://"))
        text = _SECONDS.sub("N s", text)
        expect(SNAPSHOTS / f"{name}.txt", text)
        self.asked = since
        return text

    def _transcript(self, line: str) -> str:
        said = self.run(line)
        streams = (("stdout", said.out), ("stderr", said.err))
        shown = [f"--- {name}\n{text}" for name, text in streams if text]
        return "".join([f"$ {line}\n", *shown, f"--- exit {said.status}\n"])

    def run(self, line: str) -> Said:
        """Run one command line; no secret is in what it says."""
        self.asked = len(self.server.requests)
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(shlex.split(line)[1:])
        said = Said(status, out.getvalue(), err.getvalue())
        self._check(said.err if "devices key" in line else said.out + said.err)
        return said

    def _check(self, text: str) -> None:
        assert not [each for each in SECRETS if each in text]
        assert not _JOIN_KEY.search(text)
        assert "Traceback" not in text

    def check_files(self) -> None:
        """No secret is in any file of the project."""
        for path in self.here.rglob("*"):
            if path.is_file():
                self._check(path.read_bytes().decode(errors="replace"))

    def settle(self) -> None:
        """Put in force what the inventory asks for."""
        self.server.file.put(self.run("paisctl acl render").out)


class Door:
    """In place of SSH: a machine lets in whom the policy in force lets through."""

    def __init__(self, site: Site, settings: SshSettings) -> None:
        self._site, self._address = site, settings.host

    def connect(self) -> None:
        tailnet = self._site.server.tailnet
        name = next(each.name for each in tailnet.devices if self._address in each.addresses)
        open_ = lets_in(self._site.server.packet_filter(), tailnet, name)
        if name in self._site.lost or not open_:
            raise HostUnreachable(f"no connection to {self._address}: refused")

    def close(self) -> None:
        """Nothing is open."""
