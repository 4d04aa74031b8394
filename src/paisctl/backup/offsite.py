"""The second copy: a restic repository elsewhere, encrypted (AES-256) before it leaves the store.

restic runs in a container on the store's host, and reads what it must not show (the password, keys)
from its stdin: no list of processes and no file there has it. What it says with its exit status:
https://restic.readthedocs.io/en/stable/075_scripting.html
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paisctl.backup.manifest import Backup
from paisctl.cluster.member import said
from paisctl.errors import HostError
from paisctl.inventory.backups import Keep, Offsite
from paisctl.secrets import Vault
from paisctl.secrets import token as token_of
from paisctl.transports import Completed, Transport

_NO_REPOSITORY, _LOCKED, _WRONG_PASSWORD = 10, 11, 12
_AT = "/repository"  # where the container sees a repository that is a directory

Say = Callable[[str], None]


@dataclass(frozen=True)
class Restic:
    """restic on the store's host.

    Args:
        transport: the connection to it.
        device: its name; snapshots carry it as their host.
        docker: how to call docker there.
        settings: where the repository is, and how to sign in.
        vault: the values of secrets.
        name: the backup's; a tag of its snapshots.
        path: the directory of the backup's copies.
    """

    transport: Transport
    device: str
    docker: Sequence[str]
    settings: Offsite
    vault: Vault
    name: str
    path: str

    def copy(self, backup: Backup, keep: Keep, say: Say) -> None:
        """Put a backup into the repository, made first if it is new, and drop what is too old.

        Raises:
            HostError: that did not succeed; restic's words say why.
        """
        self._require_directory()
        say(f"off-site: {self._shown}")
        if self._run(["cat", "config"], may_be_missing=True).exit_status == _NO_REPOSITORY:
            say("off-site: the repository is new")
            self._run(["init"])
        when = backup.began.strftime("%Y-%m-%d %H:%M:%S")
        kind = "state:complete" if backup.is_complete else "state:incomplete"
        tags = ["--tag", self.name, "--tag", kind, "--tag", backup.stamp]
        at = f"/backups/{self.name}"
        self._run(
            ["backup", "--quiet", "--host", self.device, *tags, "--time", when, at],
            ["-v", f"{self.path}/{backup.stamp}:{at}:ro", "--env", "TZ=UTC"],
        )
        # Apart from each other: one that lacks something must not push out one that has all.
        ours = ["--host", self.device, "--tag", f"{self.name},{kind}", "--group-by", "host,paths"]
        self._run(["forget", "--quiet", "--prune", *ours, *_keeping(keep)])
        say(f"off-site: {backup.stamp} is there")

    def check(self, say: Say) -> None:
        """Have restic verify the structure of its repository.

        Raises:
            HostError: it is damaged, or cannot be read.
        """
        self._require_directory()
        say(f"off-site: checks {self._shown}")
        self._run(["check", "--quiet"])

    def _require_directory(self) -> None:
        """A repository on a disk is looked for, and made, only where that disk is mounted."""
        directory = shlex.quote(self._directory)
        if self._directory and self.transport.run(f"test -d {directory}").exit_status:
            raise HostError(
                f"off-site: {self.device} has no directory {self._directory}",
                f"is its disk mounted? if it is new: ssh {self.device} mkdir -m 700 {directory}",
            )

    @property
    def _shown(self) -> str:
        """The repository without what may be a password in it."""
        kind, colon, rest = self.settings.repository.partition(":")
        return f"{kind}{colon}{rest.rpartition('@')[2]}"

    @property
    def _directory(self) -> str:
        """The repository, if it is a directory of the host."""
        repository = self.settings.repository
        return repository if repository.startswith("/") else ""

    def _run(
        self, arguments: Sequence[str], options: Sequence[str] = (), *, may_be_missing: bool = False
    ) -> Completed:
        done = self.transport.run(self._command(arguments, options), self._environment())
        expected = (0, _NO_REPOSITORY) if may_be_missing else (0,)
        if done.exit_status in expected:
            return done
        hint = None
        if done.exit_status == _WRONG_PASSWORD:
            hint = "`offsite.password` is another secret than the repository was made with"
        if done.exit_status == _LOCKED:
            hint = "if no other run is at it: `restic unlock`, with the same image and repository"
        words = self.vault.redact(said(done))
        raise HostError(f"restic {arguments[0]} on {self.device}: {words}", hint)

    def _command(self, arguments: Sequence[str], options: Sequence[str]) -> str:
        """A container with nothing but the login's own rights."""
        mounts = ["-v", f"{self._directory}:{_AT}"] if self._directory else []
        words = [*options, *mounts, self.settings.image, "--no-cache", *arguments]
        # `cat`: sshd may give a socket as stdin, and that cannot be opened by its name.
        script = (
            f"cat | {shlex.join(self.docker)} run --rm --env-file /dev/stdin "
            '--user "$(id -u):$(id -g)" --cap-drop ALL --security-opt no-new-privileges "$@"'
        )
        return f"sh -c {shlex.quote(script)} sh {shlex.join(words)}"

    def _environment(self) -> bytes:
        variables = {
            **{k: self._value(v) for k, v in self.settings.environment.items()},
            "RESTIC_REPOSITORY": _AT if self._directory else self.settings.repository,
            "RESTIC_PASSWORD": self._value(self.settings.password),
        }
        return _lines(variables)

    def _value(self, value: object) -> str:
        name = getattr(value, "secret", None)
        return str(value) if name is None else self.vault.reveal(token_of(name))


def _lines(variables: Mapping[str, str]) -> bytes:
    for name, value in variables.items():
        if "\n" in value or "\r" in value:
            raise HostError(f"{name} for restic has several lines: docker takes only one")
    return "".join(f"{name}={value}\n" for name, value in variables.items()).encode()


def _keeping(keep: Keep) -> list[str]:
    numbers = {
        "last": keep.last,
        "daily": keep.daily,
        "weekly": keep.weekly,
        "monthly": keep.monthly,
    }
    return [word for k, n in numbers.items() if n for word in (f"--keep-{k}", str(n))]


def secrets_of(settings: Offsite | None) -> list[str]:
    """The secrets of the inventory that it needs."""
    if settings is None:
        return []
    values = [settings.password, *settings.environment.values()]
    return [value.secret for value in values if not isinstance(value, str)]
