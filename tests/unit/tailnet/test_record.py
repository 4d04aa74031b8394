from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from paisctl.errors import PaisctlError
from paisctl.tailnet.readback import fingerprint
from paisctl.tailnet.record import Record, Started, State

OLD = "// Wörter und Kommentare\r\n{ /* alles */ }\n"


def begun(folder: Path) -> tuple[Record, Started]:
    record = Record(folder)
    with record.alone():
        return record, record.begin("Tailscale", OLD, "ee", "f1", ("k6", "nas"))


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


def test_a_change_is_read_as_it_was_kept(tmp_path: Path) -> None:
    record, started = begun(tmp_path / "a" / "b")
    assert record.read() == started
    assert started.before == OLD
    assert started.since.endswith("Z")
    assert "@" in started.who


def test_policies_are_compared_by_what_they_say_and_other_texts_by_themselves() -> None:
    assert fingerprint('{"grants": []} // x') == fingerprint('{\n"grants":[],}')
    assert fingerprint('{"grants": []}') != fingerprint("{}")
    assert fingerprint("no policy\n") == fingerprint("no policy")
    assert fingerprint("no policy") != fingerprint("none either")


def test_how_far_it_came_is_kept_too(tmp_path: Path) -> None:
    record, started = begun(tmp_path)
    after = record.advance(started, State.SET, "e2")
    assert record.read() == after
    assert (after.state, after.etag_after) == (State.SET, "e2")
    assert record.advance(after, State.GOING_BACK).etag_after == "e2"


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    record, started = begun(folder)
    record.advance(started, State.SET, "e2")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes(folder) == {"change.json": "0o600", "policy-before.hujson": "0o600"}


def test_the_old_policy_lies_in_a_file_that_a_person_can_use(tmp_path: Path) -> None:
    begun(tmp_path)
    assert (tmp_path / "policy-before.hujson").read_bytes().decode() == OLD
    assert "Wörter" not in (tmp_path / "change.json").read_text()


def test_only_one_at_a_time_changes_the_policy(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    with record.alone():
        begin = threading.Event()

        def other() -> None:
            with pytest.raises(PaisctlError, match="at this moment"), Record(record.folder).alone():
                raise AssertionError("two at a time")
            begin.set()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert begin.is_set()
    with record.alone():
        pass


def test_what_blocks_in_the_middle_of_a_change_is_not_taken_for_another_one(
    tmp_path: Path,
) -> None:
    record = Record(tmp_path)
    with pytest.raises(BlockingIOError), record.alone():
        raise BlockingIOError(11, "write could not complete without blocking")
    with record.alone():
        pass


def test_nothing_is_left_when_it_is_removed(tmp_path: Path) -> None:
    record, _ = begun(tmp_path)
    record.remove()
    assert record.read() is None
    assert list(tmp_path.iterdir()) == []
    record.remove()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "state": "dancing"}', "\x80"]
)
def test_a_damaged_record_says_where_the_old_policy_is(tmp_path: Path, text: str) -> None:
    record, _ = begun(tmp_path)
    (tmp_path / "change.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(PaisctlError, match="damaged") as raised:
        record.read()
    assert "policy-before.hujson" in (raised.value.hint or "")


def test_a_record_without_its_policy_is_damaged(tmp_path: Path) -> None:
    record, _ = begun(tmp_path)
    (tmp_path / "policy-before.hujson").unlink()
    with pytest.raises(PaisctlError, match="damaged"):
        record.read()
