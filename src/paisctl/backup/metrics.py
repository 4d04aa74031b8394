"""What Prometheus is told about a backup: a file for node exporter's textfile collector.

It lies on the store's host, in the directory `metrics` of what paisctl owns there; whatever collects
such files there can have it (https://github.com/prometheus/node_exporter#textfile-collector).
"""

from __future__ import annotations

from collections.abc import Sequence

from paisctl.backup.manifest import Backup
from paisctl.cluster.member import checked
from paisctl.hostside import COMMAND, assignments
from paisctl.inventory.backups import BackupPlan
from paisctl.inventory.types import parse_duration
from paisctl.observed import HostState
from paisctl.transports import Transport

_HELP = {
    "last_success_timestamp_seconds": "When the newest complete backup was verified; 0 for never.",
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_run_ok": "Whether the last run did all that it was to do.",
    "bytes": "Size of the newest complete backup.",
    "max_age_seconds": "How old the newest complete backup may be.",
}
# A reader sees the old file or the new one, never half of one.
_WRITE = """
umask 022
mkdir -p "$ROOT/metrics" && printf '%s' "$TEXT" >"$ROOT/metrics/.$NAME.$$" &&
  mv -f "$ROOT/metrics/.$NAME.$$" "$ROOT/metrics/$NAME"
"""


def metrics_text(
    name: str, plan: BackupPlan, backups: Sequence[Backup], *, at: int, succeeded: bool
) -> str:
    """The metrics of a backup.

    Args:
        name: of the backup; names have no character that would need escaping.
        plan: what the inventory says of it.
        backups: those in the store, the newest first.
        at: when the run ended, in seconds since 1970.
        succeeded: whether it did all that it was to do.
    """
    newest = next((each for each in backups if each.is_complete), None)
    values = {
        "last_success_timestamp_seconds": newest.ended if newest else 0,
        "last_run_timestamp_seconds": at,
        "last_run_ok": int(succeeded),
        "bytes": newest.size if newest else 0,
        "max_age_seconds": int(parse_duration(plan.max_age)),
    }
    return "".join(
        f"# HELP paisctl_backup_{key} {_HELP[key]}\n# TYPE paisctl_backup_{key} gauge\n"
        f'paisctl_backup_{key}{{backup="{name}"}} {value}\n'
        for key, value in values.items()
    )


def publish(transport: Transport, state: HostState, name: str, text: str) -> None:
    """Put the metrics of a backup on the store's host.

    Raises:
        HostError: they cannot be written there.
    """
    sudo = "sudo -n " if state.facts and state.facts.files_sudo else ""
    values = assignments(ROOT=state.root, NAME=f"paisctl_backup_{name}.prom", TEXT=text)
    done = transport.run(f"{sudo}{COMMAND}", (values + _WRITE).encode())
    checked(done, f"{state.device} cannot take the metrics of {name}")
