"""Having the image on every member before the first one is stopped."""

from __future__ import annotations

import shlex

from paisctl.cluster.member import HostMember, said

_PROGRAM = """
set -u
have() {{ {docker} image inspect --format '{{{{.Os}}}}/{{{{.Architecture}}}}' {image} 2>/dev/null; }}
platform=$(have) || {{ {docker} pull --quiet {image} >&2 && platform=$(have); }} || exit 1
engine=$({docker} version --format '{{{{.Server.Os}}}}/{{{{.Server.Arch}}}}')
[ "$platform" = "$engine" ] && exit
echo "it is for $platform, and the engine is $engine" >&2
exit 1
"""


def have_image(member: HostMember, image: str) -> str:
    """See to it that a host has an image, and that it is for the host's architecture.

    Returns:
        Why it has not; empty when it has.

    Raises:
        HostError: the host cannot be asked.
    """
    docker = shlex.join(member.facts.docker)
    done = member.on_host(_PROGRAM.format(docker=docker, image=shlex.quote(image)))
    return f"{image}: {said(done)}" if done.exit_status else ""
