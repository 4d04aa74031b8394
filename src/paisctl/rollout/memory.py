"""Where a rollout is remembered: the managed directory of every member's host."""

from __future__ import annotations

from collections.abc import Sequence

from paisctl.cluster.place import Place
from paisctl.errors import HostError, UnexpectedAnswer
from paisctl.hostside import assignments, script
from paisctl.rollout.record import Record, parse_record
from paisctl.threads import start_thread

_ANSWER = "@paisctl "


def recall(places: Sequence[Place], name: str) -> Record | None:
    """The newest record of a rollout on these hosts; None when none of them has one.

    Raises:
        HostError: a host could not be asked.
        UnexpectedAnswer: all that is there cannot be read.
    """
    records, damaged = _read_all(places, name)
    if damaged and not records:
        raise damaged[0]
    return max(records.values(), key=lambda each: (each.number, each.sequence), default=None)


def behind(places: Sequence[Place], record: Record | None) -> list[Place]:
    """The hosts that take a rollout to go on which has ended: they were away then.

    Args:
        places: the hosts.
        record: the newest one; nobody is behind one that goes on.

    Raises:
        HostError: a host could not be asked.
    """
    if record is None or record.is_open:
        return []
    records, _ = _read_all(places, record.name)
    old = {device for device, each in records.items() if each.is_open and each != record}
    return [place for place in places if place.device in old]


def _read_all(
    places: Sequence[Place], name: str
) -> tuple[dict[str, Record], list[UnexpectedAnswer]]:
    """What each host remembers, by device, and what cannot be read."""
    futures = [(place, start_thread(_read, (place, name))) for place in places]
    records, damaged = {}, []
    for place, future in futures:
        if text := future.result():
            try:
                records[place.device] = parse_record(text, place.device)
            except UnexpectedAnswer as error:
                damaged.append(error)
    return records, damaged


def _read(asked: tuple[Place, str]) -> str:
    place, name = asked
    program = (
        assignments(FILE=f"{place.root}/rollouts/{name}.json") + '[ ! -e "$FILE" ] || cat "$FILE"'
    )
    done = place.target.transport.run(place.command, program.encode())
    if done.exit_status:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise HostError(f"{place.device} does not show what it remembers of {name}: {said}")
    return done.stdout.decode("utf-8", "replace")


def remember(places: Sequence[Place], record: Record) -> list[str]:
    """Write a record down on all hosts at once.

    Returns:
        The devices that could not take it.

    Raises:
        HostError: none of them could.
    """
    futures = [(place.device, start_thread(_write, (place, record))) for place in places]
    failed: dict[str, HostError] = {}
    for device, future in futures:
        try:
            future.result()
        except HostError as error:
            failed[device] = error
    if len(failed) == len(places):
        raise next(iter(failed.values()))
    return list(failed)


def _write(asked: tuple[Place, Record]) -> None:
    place, record = asked
    values = assignments(ROOT=place.root, NAME=record.name, TEXT=record.to_json())
    program = values + script("remember.sh")
    try:
        done = place.target.transport.run(place.command, program.encode())
    except HostError:
        place.target.close()  # the next one may find it back
        raise
    if f"{_ANSWER}kept".encode() not in done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise HostError(f"{place.device} cannot write below {place.root}/rollouts: {said}")
