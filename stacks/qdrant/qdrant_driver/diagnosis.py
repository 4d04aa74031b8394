"""What is known about a node that does not come back, and what may be done about it."""

from __future__ import annotations

from typing import Any

from paisctl.cluster.driver import Diagnosis, Task
from paisctl.cluster.member import Member
from paisctl.errors import PaisctlError
from qdrant_driver import whole
from qdrant_driver.nodes import SERVICE, STORAGE, Nodes, api_of
from qdrant_driver.rebuild import ASIDE

# `start.sh` writes the container's host name into it at the first start, before Qdrant opens anything.
_MARK = f"{STORAGE}/.started-by"
_KILLED = 137
_TOUCHED = (
    f'[ "$(cat {_MARK})" = "$1" ] || exit 3\n'
    f"exec find {STORAGE} -newer {_MARK} -not -path '{STORAGE}/{ASIDE}*' -print -quit"
)
_OUT_OF_MEMORY = (
    "if its memory is too small: a larger `memory` for it in the inventory, or in its `environment`: "
    "QDRANT__STORAGE__LOW_MEMORY_MODE: no_populate"
)


def diagnose(nodes: Nodes, device: str, task: Task) -> Diagnosis:
    """Look at a node, its container and its volume, and at what the others have. Changes nothing."""
    member = nodes.member(device)
    container, facts = _container(member)
    state = container.get("State", {})
    may_go_back = None if task.is_restart else _is_untouched(member, container, task.target)
    if may_go_back is not None:
        touched = "was not touched" if may_go_back else "was opened"
        facts.append(f"its storage {touched} by {task.target}")
    facts += _answers(member)
    look = nodes.look({device})
    facts += [str(obstacle) for obstacle in look.problems({device})]
    facts += [str(each) for each in whole.replicas(look) if f" on {device} " in f"{each} "]
    lost = whole.lost_without(look, {device})
    alone = whole.consensus(look, {device})
    facts += [f"no other node has all of {name} Active" for name in lost]
    facts += [f"the other nodes: {alone[0]}"] if alone and not look.problems({device}) else []
    killed = state.get("OOMKilled") or state.get("ExitCode") == _KILLED
    return Diagnosis(
        tuple(facts),
        may_go_back,
        can_be_rebuilt=not lost and not alone,
        hints=(_OUT_OF_MEMORY,) if killed else (),
    )


def _container(member: Member) -> tuple[dict[str, Any], list[str]]:
    try:
        described = member.inspect(SERVICE)
    except PaisctlError as error:
        return {}, [error.message]
    if not described:
        return {}, ["it has no container"]
    state = described["State"]
    text = f"its container is {state['Status']}"
    if state["Status"] != "running":
        text += f", exit status {state['ExitCode']}"
    if state.get("OOMKilled"):
        text += ", killed for want of memory"
    if restarts := described.get("RestartCount"):
        text += f", restarted {restarts} times"
    facts = [text]
    if reason := state.get("Error"):
        facts.append(f"Docker says: {reason}")
    return described, facts


def _is_untouched(member: Member, container: dict[str, Any], target: str) -> bool | None:
    """Whether nothing has been written since the version came that is wanted; None if nobody knows.

    There may still be the container of the version before.

    That Qdrant can go back is not said by the versions in its files: they name the format of segments
    and collections, which few releases change (qdrant lib/common/common/src/storage_version.rs).
    """
    if not container:
        return None
    image = container["Config"]["Image"].partition("@")[0]
    never_started = container["State"].get("StartedAt", "").startswith("0001-")  # Docker's zero
    if never_started or not image.endswith(f":{target.partition('@')[0]}"):
        return True
    hostname = container.get("Config", {}).get("Hostname", "")
    try:
        done = member.beside(SERVICE, ["sh", "-c", _TOUCHED, "sh", hostname])
    except PaisctlError:
        return None
    return None if done.exit_status else not done.stdout.strip()


def _answers(member: Member) -> list[str]:
    try:
        with api_of(member) as api:
            version = api.version()
            reason = api.not_ready()
    except PaisctlError as error:
        return [error.message.removeprefix(f"{member.device}: ")]
    return [f"it answers, as {version}" + (f", but is not ready: {reason}" if reason else "")]
