"""What is on disk by now: heads, and who reads what."""

from zchat.broker.core.acts import Change
from zchat.broker.core.durable import Durable
from zchat.broker.core.port import StoredSegment
from zchat.broker.core.state import State
from zchat.common import limits, wire


def stored(conversation: str, prev: int, first: int) -> StoredSegment:
    return StoredSegment(conversation, prev, first, first, 0, b"")


def loaded() -> Durable:
    state = State(last_pos=9)
    for nick in ("ann", "bob"):
        state.add_user(nick, nick, nick, 1)
    state.add_room("general")
    state.add_member("general", "ann", 3)
    for conversation, head in (("$", 2), ("#general", 8), ("@ann,bob", 9)):
        state.heads[conversation] = head
    return Durable(state)


def test_it_begins_with_the_state() -> None:
    durable = loaded()
    assert durable.as_of == 9
    assert durable.start("ann", "#general") == 3
    assert durable.start("bob", "#general") is None
    assert durable.start("bob", "@ann,bob") == durable.start("ann", "@ann,bob") == 0
    assert durable.start("cat", "@ann,bob") is durable.start("ann", "$") is None


def test_it_follows_commits() -> None:
    durable = loaded()
    for segment in (stored("#general", 8, 10), stored("@bob,cat", 0, 11), stored("#dev", 0, 12)):
        durable.advance(segment)
    for change in (
        Change(10, "bob", "#general", 10),
        Change(10, "ann", "#general", None),
        Change(12, "cat", "#dev", 12),
        Change(12, "ann", "#never", None),
    ):
        durable.change(change, is_private=False)
    assert durable.as_of == 12
    assert durable.heads == {"$": 2, "#general": 10, "@ann,bob": 9, "@bob,cat": 11, "#dev": 12}
    assert durable.start("ann", "#general") is None
    assert durable.start("bob", "#general") == 10
    assert durable.start("cat", "@bob,cat") == 0 and durable.start("cat", "#dev") == 12


def test_heads_above_the_floor() -> None:
    durable = loaded()
    general, direct = wire.Head("#general", 8, 3), wire.Head("@ann,bob", 9, 0)
    assert durable.heads_of("ann", {}, 0, "", False) == ([general, direct], "")
    assert durable.heads_of("ann", {}, 8, "", False) == ([direct], "")
    assert durable.heads_of("ann", {}, 8, "", True) == ([general, direct], "")
    assert durable.heads_of("ann", {}, 9, "", True) == ([general], "")
    assert durable.heads_of("ann", {}, 0, "#general", False) == ([direct], "")
    assert durable.heads_of("nobody", {}, 0, "", True) == ([], "")


def test_a_joined_room_that_is_followed_begins_at_the_join() -> None:
    durable = loaded()
    assert durable.heads_of("ann", {"#general": 8}, 0, "", False)[0][0] == wire.Head("#general", 8, 3)
    assert durable.heads_of("bob", {"#general": 7}, 0, "", False)[0][0] == wire.Head("#general", 8, 7)


def test_pages_of_heads_cover_each_once() -> None:
    durable = loaded()
    followed = {f"#{n:05}": 0 for n in range(2 * limits.HEADS_MAX)}
    for n, room in enumerate(followed):
        durable.advance(stored(room, 0, 10 + n))
    listed: list[str] = []
    after = "-"
    while after:
        page, after = durable.heads_of("ann", followed, 0, "" if after == "-" else after, False)
        assert len(page) <= limits.HEADS_MAX
        listed += [head.conversation for head in page]
    assert listed == sorted([*followed, "#general", "@ann,bob"])
