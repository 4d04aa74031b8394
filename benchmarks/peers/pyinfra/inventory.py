"""The lab's hosts, as pyinfra wants them; BENCHMARK names the folder that describes the lab."""

import json
import os
from pathlib import Path

_lab = Path(os.environ["BENCHMARK"])
_ports = json.loads((_lab / "ports.json").read_text("utf-8"))

hosts = [
    (
        name,
        {
            "ssh_hostname": "127.0.0.1",
            "ssh_port": port,
            "ssh_user": "paisctl",
            "ssh_key": str(_lab / "lab" / "id_ed25519"),
            "ssh_known_hosts_file": str(_lab / "lab" / "known_hosts"),
            "ssh_strict_host_key_checking": "yes",
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
        },
    )
    for name, port in _ports.items()
]
