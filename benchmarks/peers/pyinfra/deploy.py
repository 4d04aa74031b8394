"""The same deployment for pyinfra; RENDERED names the folder with the files of every host."""

import os
from pathlib import Path

# pyinfra has an environment of its own: benchmarks/make-peers.
from pyinfra import host  # type: ignore[import-not-found]
from pyinfra.facts.docker import DockerContainers  # type: ignore[import-not-found]
from pyinfra.operations import docker, files, server  # type: ignore[import-not-found]

ROOT = "/opt/paisctl/stacks"
rendered = Path(os.environ["RENDERED"], host.name, "stacks")

if os.environ.get("LOOK"):  # `docker.compose` itself looks at nothing before it runs Compose
    host.get_fact(DockerContainers)

configuration = files.sync(
    name="Configuration of the web server",
    src=str(rendered / "web" / "haproxy"),
    dest=f"{ROOT}/web/haproxy",
)
for stack in ("machine", "web"):
    files.put(
        name=f"Compose file of {stack}",
        src=str(rendered / stack / "compose.yaml"),
        dest=f"{ROOT}/{stack}/compose.yaml",
    )
for stack in ("machine", "web"):
    docker.compose(name=f"Containers of {stack}", project_directory=f"{ROOT}/{stack}")
server.shell(
    name="Reload the web server",
    commands=[f"docker compose --project-directory {ROOT}/web kill -s SIGUSR2 web"],
    _if=configuration.did_change,
)
