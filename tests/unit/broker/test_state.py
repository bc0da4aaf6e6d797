"""The state: what its rows keep of it, and what an address means."""

import pytest

from zchat.broker.core.port import StateRow
from zchat.broker.core.state import Denied, State, direct, readers
from zchat.common.codes import Refusal


def peopled() -> State:
    state = State()
    state.add_user("Ann", "ann", "a" * 40, 1)
    state.advance("$", 1)
    state.add_room("general")
    state.add_member("general", "Ann", 2)
    state.advance("#general", 2)
    state.add_user("bob", "bob", "b" * 40, 3)
    state.add_member("general", "bob", 4)
    state.set_topic("general", "Straße")
    state.advance("#general", 5)
    return state


def contents(state: State) -> tuple[object, ...]:
    return state.users, state.rooms, state.heads, state.last_pos, state.last_time_ms


def test_its_rows_bring_it_back() -> None:
    state = peopled()
    again = State(state.take_changed(), 5, 0)
    assert contents(again) == contents(state)
    assert again.user_of_folded("ann") == again.user_of_key("a" * 40) == state.users["Ann"]
    assert again.users["Ann"].since == 1 and again.users["bob"].rooms == {"general": 4}


def test_changed_rows_are_taken_once_and_each_once() -> None:
    state = peopled()
    first = state.take_changed()
    assert len({(row.kind, row.key) for row in first}) == len(first)
    assert state.take_changed() == []
    state.remove_member("general", "Ann")
    state.advance("#general", 6)
    assert {(row.kind, row.key, row.value is None) for row in state.take_changed()} == {
        ("member", "general Ann", True),
        ("head", "#general", False),
    }


def test_a_row_without_a_value_is_none() -> None:
    assert contents(State([StateRow("room", "dev", None)])) == contents(State())


@pytest.mark.parametrize(
    ("address", "conversation"),
    [("#general", "#general"), ("#GENERAL", "#general"), ("@BOB", "@Ann,bob"), ("@ann", "@Ann,Ann")],
)
def test_addresses(address: str, conversation: str) -> None:
    assert peopled().conversation("Ann", address) == conversation


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("#dev", Refusal.NO_SUCH_ROOM),
        ("#", Refusal.NO_SUCH_ROOM),
        ("@cat", Refusal.NO_SUCH_USER),
        ("@", Refusal.NO_SUCH_USER),
        ("bob", Refusal.MALFORMED),
        ("general", Refusal.MALFORMED),
    ],
)
def test_addresses_that_name_nothing(address: str, refusal: Refusal) -> None:
    with pytest.raises(Denied) as caught:
        peopled().conversation("Ann", address)
    assert caught.value.refusal is refusal and str(caught.value) == caught.value.reason != ""


def test_direct_conversations() -> None:
    assert direct("bob", "Ann") == direct("Ann", "bob") == "@Ann,bob"
    assert readers("@Ann,bob") == ("Ann", "bob")
    assert readers("@Ann,Ann") == ("Ann",)
    assert readers("#general") == readers("$") == ()
