"""Named cursors: whose they are, how a tail moves them, and how they are set."""

import threading
from pathlib import Path

import pytest

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.cursorfile import CursorFile, NotPrinted, all_of
from zchat.client.identity import Identity
from zchat.common import keys
from zchat.common.errors import ConfigurationError, No, StateInUse
from zchat.common.links import Link

GENERAL, TEA, BOB = "#general", "#tea", "@ann,bob"


def cursor(directory: Path, *, to: tuple[str, ...] = (GENERAL, TEA), peek: bool = False) -> CursorFile:
    made = CursorFile(directory, "c", "key", to=to, peek=peek)
    made.nick = "ann"
    return made


def snapshot(floor: int | None = 5, **positions: int) -> Snapshot:
    rooms = frozenset({GENERAL, TEA})
    return Snapshot(floor, {f"#{room}": pos for room, pos in positions.items()}, frozenset(), rooms)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The directory of a cursor that a tail has left at 10 in #general and at 7 in #tea."""
    one = cursor(tmp_path)
    one.open()
    one.write(snapshot(5, general=10, tea=7))
    one.close()
    return tmp_path


def position(directory: Path, conversation: str) -> int:
    made = cursor(directory)
    found = made.open()
    made.close()
    assert found is not None
    return Cursors(found).position(conversation)


def peeked(directory: Path, *printed: tuple[int, str]) -> CursorFile:
    """A tail that peeks, holds the cursor, and has printed this."""
    made = cursor(directory, peek=True)
    made.open()
    for pos, conversation in printed:
        made.prints(pos, conversation)
    return made


def test_a_new_one_begins_now_or_behind_a_position(tmp_path: Path) -> None:
    one = cursor(tmp_path)
    assert one.begins_now
    assert one.open() is None
    one.close()
    other = CursorFile(tmp_path, "d", "key", to=[TEA, BOB], after=40)
    assert other.open() == Snapshot(40, {}, frozenset(), frozenset({TEA}))
    other.close()


@pytest.mark.parametrize("name", ["", ".x", "a/b", "a b", "-x", "é", "x" * 65, "..", "a\n"])
def test_names_that_no_cursor_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no cursor can be called"):
        CursorFile(tmp_path, name, "key")


def test_it_is_for_one_set_of_addresses(written: Path) -> None:
    for to in ((), (GENERAL,), (GENERAL, TEA, "@bob")):
        with pytest.raises(ConfigurationError, match="is for #general #tea, not for"):
            cursor(written, to=to).open()
    same = cursor(written, to=(TEA, GENERAL, TEA))
    assert same.open() == snapshot(5, general=10, tea=7)
    same.close()


def test_one_tail_at_a_time(written: Path) -> None:
    one = cursor(written)
    one.open()
    with pytest.raises(StateInUse, match="another zchat tail is using the cursor c") as caught:
        cursor(written).open()
    assert caught.value.exit_code == 5
    one.close()
    other = cursor(written)
    other.open()
    other.close()


def test_another_broker_is_another_cursor(written: Path) -> None:
    with pytest.raises(ConfigurationError, match="belongs to another broker"):
        CursorFile(written, "c", "other key", to=(GENERAL, TEA)).open()


def test_a_tail_that_peeks_writes_where_it_begins_and_then_moves_nothing_that_it_prints(
    tmp_path: Path,
) -> None:
    one = cursor(tmp_path, peek=True)
    one.open()
    one.write(snapshot(5))
    one.prints(8, GENERAL)
    one.write(snapshot(8, general=8, tea=7))
    one.close()
    assert (position(tmp_path, GENERAL), position(tmp_path, TEA)) == (5, 7)


def test_what_is_acknowledged_lets_the_floor_rise(written: Path) -> None:
    tail = peeked(written, (12, GENERAL))
    tail.write(snapshot(20, general=12))
    assert tail.listed().pos == 7  # #tea, of which nothing was printed
    cursor(written).set(12)
    tail.write(snapshot(20))
    tail.close()
    assert (position(written, GENERAL), position(written, TEA)) == (20, 20)


def test_an_acknowledgement_is_for_all_that_was_printed_before(written: Path) -> None:
    tail = peeked(written, (12, GENERAL), (9, TEA), (13, GENERAL), (11, TEA))
    cursor(written).set(13)
    assert (position_while_held(written, GENERAL), position_while_held(written, TEA)) == (13, 9)
    cursor(written).set(12)  # an earlier line: nothing moves back
    assert (position_while_held(written, GENERAL), position_while_held(written, TEA)) == (13, 9)
    cursor(written).set(11)
    tail.close()
    assert (position(written, GENERAL), position(written, TEA)) == (13, 11)


def position_while_held(directory: Path, conversation: str) -> int:
    made = CursorFile(directory, "c", "key", to=(conversation,))
    found = made._existing()
    return Cursors(found).position(conversation)


def test_what_was_printed_can_be_acknowledged_when_the_tail_has_ended(written: Path) -> None:
    peeked(written, (12, GENERAL), (9, TEA)).close()
    cursor(written).set(9)
    assert (position(written, GENERAL), position(written, TEA)) == (12, 9)


def test_while_a_tail_peeks_only_what_it_printed_is_acknowledged(written: Path) -> None:
    tail = peeked(written, (12, GENERAL))
    with pytest.raises(NotPrinted, match="has not printed a message 13") as caught:
        cursor(written).set(13)
    assert caught.value.exit_code == 5
    with pytest.raises(StateInUse, match="While it runs"):
        cursor(written).set(13, in_log=True)
    tail.close()
    with pytest.raises(NotPrinted):
        cursor(written).set(13)
    cursor(written).set(13, in_log=True)
    assert (position(written, GENERAL), position(written, TEA)) == (13, 13)
    cursor(written).set(12)  # nothing that was printed counts any more
    assert position(written, GENERAL) == 12


def test_a_tail_that_moves_it_leaves_nothing_to_set(written: Path) -> None:
    peeked(written, (12, GENERAL)).close()
    tail = cursor(written)
    tail.open()
    for pos in (12, 13):
        with pytest.raises(StateInUse, match="While it runs"):
            cursor(written).set(pos)
    with pytest.raises(StateInUse):
        cursor(written).delete()
    tail.close()


@pytest.mark.parametrize("pos", [0, 6, 8, 100])
def test_set_by_hand_it_is_at_one_position_everywhere(written: Path, pos: int) -> None:
    cursor(written).set(pos)
    assert (position(written, GENERAL), position(written, TEA)) == (pos, pos)


def test_what_an_earlier_tail_printed_is_forgotten(written: Path) -> None:
    peeked(written, (12, GENERAL)).close()
    peeked(written, (11, GENERAL)).close()
    cursor(written).set(11)
    assert position(written, GENERAL) == 11


def test_a_line_that_is_being_written_was_not_printed(written: Path) -> None:
    peeked(written, (12, GENERAL)).close()
    with (written / "c.printed").open("a") as file:
        file.write("14 #gene")
    cursor(written).set(12)
    assert position(written, GENERAL) == 12


def test_the_older_half_of_much_is_forgotten(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zchat.client.printed._BYTES_MAX", 1000)
    tail = peeked(written, *((pos, GENERAL) for pos in range(100, 300)))
    assert (written / "c.printed").stat().st_size <= 1000
    with pytest.raises(NotPrinted, match="has not printed a message 100, or long ago"):
        cursor(written).set(100)
    cursor(written).set(299)
    tail.close()
    assert position(written, GENERAL) == 299


def test_none_of_that_name(tmp_path: Path) -> None:
    for act in (lambda c: c.set(1), lambda c: c.delete(), lambda c: c.listed()):
        with pytest.raises(No, match="there is no cursor c"):
            act(cursor(tmp_path))
    assert not list(tmp_path.iterdir())


def test_deleted_it_begins_anew(written: Path) -> None:
    cursor(written).delete()
    one = cursor(written, to=(GENERAL,))
    assert not one.exists
    assert one.open() is None
    one.close()


def test_a_direct_conversation_is_known_by_its_partner(tmp_path: Path) -> None:
    one = cursor(tmp_path, to=("@BOB",))
    one.open()
    one.write(Snapshot(5, {BOB: 9, "@ann,cat": 7}, frozenset(), frozenset()))
    one.close()
    assert cursor(tmp_path).listed().pos == 9


def test_a_tail_that_prints_nothing_forgets_nothing(written: Path) -> None:
    """It may not even have reached its broker."""
    peeked(written, (12, GENERAL), (9, TEA)).close()
    peeked(written).close()
    silent = cursor(written)
    silent.open()
    silent.close()
    cursor(written).set(12)
    assert (position(written, GENERAL), position(written, TEA)) == (12, 7)


def test_a_room_that_was_joined_meanwhile_begins_at_the_joining(written: Path) -> None:
    """Of which something was printed, that is not acknowledged: where it begins the next listing says."""
    tail = peeked(written, (12, GENERAL), (14, "#new"))
    tail.write(snapshot(5, general=12, new=14)._replace(joined=frozenset({"#new"})))
    tail.close()
    saved = cursor(written)
    found = saved.open()
    saved.close()
    assert found is not None
    assert "#new" not in found.joined and "#new" not in found.positions


def test_a_set_does_not_stop_a_tail_that_starts(written: Path) -> None:
    """They wait for each other."""
    errors: list[Exception] = []

    def set_often() -> None:
        try:
            for _ in range(50):
                cursor(written).set(10)
        except StateInUse:
            pass  # while a tail holds it
        except Exception as error:
            errors.append(error)

    setting = threading.Thread(target=set_often)
    setting.start()
    while setting.is_alive():
        tail = cursor(written)
        tail.open()
        tail.close()
    setting.join()
    assert errors == []


@pytest.mark.parametrize("damage", [b"\0" * 100, b"\xff\n12 #general\n", b"x #general\n\n12 #general\n"])
def test_damage_to_what_was_printed_was_not_printed(written: Path, damage: bytes) -> None:
    peeked(written, (11, GENERAL)).close()
    (written / "c.printed").write_bytes(damage)
    if b"12" in damage:
        cursor(written).set(12)
        assert position(written, GENERAL) == 12
    with pytest.raises(NotPrinted):
        cursor(written).set(13)


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 100_000, b"\xff", b'{"version": 1}'])
def test_a_damaged_cursor_is_told_and_can_be_deleted(written: Path, damage: bytes) -> None:
    (written / "c.cursor").write_bytes(damage)
    with pytest.raises(ConfigurationError):
        cursor(written).set(1)
    with pytest.raises(ConfigurationError):
        cursor(written).open()
    cursor(written).delete()
    assert not cursor(written).exists


def test_files_are_for_their_owner_alone(written: Path) -> None:
    peeked(written, (12, GENERAL)).close()
    cursor(written).set(12)
    assert {path.stat().st_mode & 0o777 for path in written.iterdir()} == {0o600}


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot use the cursor c"):
        cursor(tmp_path / "file").open()


def test_all_of_a_nick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHAT_STATE_DIR", str(tmp_path))
    who = Identity(Link("h", 1, keys.draw().public), "a.b")
    assert all_of(who) == []
    directory = who.state().parent / "a.b.cursors"
    directory.mkdir(parents=True)
    for name in ("b.cursor", "a.cursor", "._a.cursor", "c.printed"):
        (directory / name).write_text("")
    assert [one.name for one in all_of(who)] == ["a", "b"]


@pytest.mark.parametrize("prints", [0, 1, 2])  # before the first write
def test_when_the_log_was_replaced_nothing_printed_or_acknowledged_counts(written: Path, prints: int) -> None:
    one = peeked(written, (12, GENERAL))
    cursor(written).set(12)
    one.prints(13, GENERAL)
    one.begin_anew()
    with pytest.raises(NotPrinted):
        cursor(written).set(13)
    for pos in range(5, 5 + prints):
        one.prints(pos, GENERAL)
    one.write(snapshot(6, general=4 + prints))
    one.prints(8, GENERAL)
    one.write(snapshot(8, general=8))
    one.close()
    assert (position(written, GENERAL), position(written, TEA)) == ((4, 4) if prints else (6, 6))
