"""What makes a device run a backup by itself, and how to put it there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = "%h/.local/bin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Files by name, and what to do with them, a line each."""

    files: dict[str, str]
    steps: tuple[str, ...]


def schedule(
    name: str, at: str, system: str, project: str, inventories: Sequence[Path]
) -> Scheduled:
    """What a device needs.

    Args:
        name: the backup.
        at: `HH:MM`, by the device's clock.
        system: the device's system family, as its kind says: `linux`, `dsm`, `darwin`.
        project: the folder of the inventory's project on that device, below the login's home.
        inventories: the inventory files, below it; none means the default one.
    """
    files = [word for path in inventories for word in ("-i", str(path))]
    command = shlex.join(["paisctl", *files, "backup", name])
    if system == "linux":
        return _systemd(name, at, project, command)
    if system == "dsm":
        return _task(name, at, project, command)
    return _cron(name, at, project, command)


def _systemd(name: str, at: str, project: str, command: str) -> Scheduled:
    unit = f"paisctl-backup-{name}"
    service = f"""[Unit]
Description=paisctl backup {name}

[Service]
Type=oneshot
Environment=PATH={_PROGRAMS}
WorkingDirectory=%h/{project.replace("%", "%%")}
ExecStart=/usr/bin/env {command.replace("%", "%%").replace("$", "$$")}
Nice=10
IOSchedulingClass=idle
"""
    timer = f"""[Unit]
Description=paisctl backup {name}, every day

[Timer]
OnCalendar=*-*-* {at}:00
RandomizedDelaySec=5m
Persistent=true

[Install]
WantedBy=timers.target
"""
    return Scheduled(
        {f"{unit}.service": service, f"{unit}.timer": timer},
        (
            f"mkdir -p ~/.config/systemd/user && cp {unit}.* ~/.config/systemd/user/",
            f"systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer",
            'sudo loginctl enable-linger "$USER"   # it runs although nobody is logged in',
            f"systemctl --user start {unit}.service   # try it; journalctl --user -u {unit}",
        ),
    )


def _cron(name: str, at: str, project: str, command: str) -> Scheduled:
    hour, minute = at.split(":")
    # In a crontab, % ends the command (crontab(5)); cron's own PATH has next to nothing.
    path = "PATH=$HOME/.local/bin:/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin"
    file, mark = f"paisctl-backup-{name}.cron", f"# paisctl-backup-{name}"
    run = f'cd "$HOME"/{shlex.quote(project)} && {path} {command}'.replace("%", "\\%")
    return Scheduled(
        {file: f"{int(minute)} {int(hour)} * * * {run} {mark}\n"},
        (f"(crontab -l 2>/dev/null | grep -v '{mark}$'; cat {file}) | crontab -",),
    )


def _task(name: str, at: str, project: str, command: str) -> Scheduled:
    file = f"paisctl-backup-{name}.sh"
    script = (
        f"#!/bin/sh\n# A task of DSM: every day at {at}.\n"
        f'PATH="$HOME/.local/bin:/usr/local/bin:$PATH"\nexport PATH\n'
        f'cd "$HOME"/{shlex.quote(project)} || exit 1\nexec {command}\n'
    )
    return Scheduled(
        {file: script},
        (
            f"copy {file} to the home of the user whose SSH keys it needs",
            "Control Panel, Task Scheduler, Create, Scheduled Task, User-defined script",
            f"General: that user; Schedule: daily, {at}",
            f"Task Settings: sh /var/services/homes/USER/{file}",
            "Task Settings: send the run details by e-mail when it ends abnormally",
        ),
    )
