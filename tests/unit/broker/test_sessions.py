"""The table of sessions, and who is here."""

from tests.unit.broker.play import hello
from zchat.broker.core.sessions import Change, Presence, Session, Sessions


def begun(sessions: Sessions, peer: bytes, nick: str, *, instance: int = 1, quiet: bool = False) -> Session:
    return sessions.begin(peer, nick.ljust(40), hello(nick, instance=instance, quiet=quiet), nick, 0)


def test_a_session_is_found_by_what_it_has() -> None:
    sessions = Sessions(5, "n")
    ann, phone = begun(sessions, b"\0a", "ann"), begun(sessions, b"\0b", "ann", instance=2)
    assert (ann.number, phone.number) == (5, 6)
    assert sessions.numbered(5) is ann and sessions.numbered(7) is None
    assert sessions.at(b"\0a") is ann and sessions.at(b"\0c") is None
    assert sessions.of("ann") == sessions.of_key(ann.key) == list(sessions) == [ann, phone]
    assert sessions.of("bob") == sessions.of_key("") == []
    assert (len(sessions), list(sessions.numbers)) == (2, [5, 6])


def test_nothing_is_left_of_a_session_that_ended() -> None:
    sessions = Sessions(1, "n")
    ann = begun(sessions, b"\0a", "ann")
    nonce = sessions.renew_nonce(ann)
    sessions.over_router[ann.number] = ann
    sessions.end(ann)
    assert sessions.numbered(1) is None and sessions.at(b"\0a") is None and len(sessions) == 0
    assert sessions.of("ann") == sessions.of_key(ann.key) == list(sessions) == []
    assert sessions.with_nonce(nonce) is None and not sessions.over_router
    tables = ("_by_number", "_by_peer", "_by_nick", "_by_key", "_by_nonce")
    assert all(not getattr(sessions, table) for table in tables)


def test_a_session_may_end_while_all_are_gone_through() -> None:
    sessions = Sessions(1, "n")
    for number in range(3):
        begun(sessions, b"\0%d" % number, "ann", instance=number)
    for session in sessions:
        sessions.end(session)
    assert len(sessions) == 0


def test_a_new_nonce_takes_the_place_of_the_one_before() -> None:
    sessions = Sessions(1, "n")
    ann, bob = begun(sessions, b"\0a", "ann"), begun(sessions, b"\0b", "bob")
    nonces = [sessions.renew_nonce(session) for session in (ann, bob, ann)]
    assert nonces == ["n.1.1", "n.2.1", "n.1.2"]
    assert [sessions.with_nonce(nonce) for nonce in nonces] == [None, bob, ann]


def test_a_user_turns_out_to_be_written_otherwise() -> None:
    sessions = Sessions(1, "n")
    ann, phone = begun(sessions, b"\0a", "ann"), begun(sessions, b"\0b", "ann", instance=2)
    sessions.rename(phone, "Ann")
    sessions.rename(ann, "ann")
    assert (sessions.of("ann"), sessions.of("Ann"), phone.nick) == ([ann], [phone], "Ann")
    sessions.end(phone)
    assert sessions.of("Ann") == []


def test_present_is_who_has_an_open_session_that_is_not_quiet() -> None:
    sessions = Sessions(1, "n")
    script = begun(sessions, b"\0a", "ann", quiet=True)
    script.open = True
    assert not sessions.is_present("ann") and not script.reads_live
    ann = begun(sessions, b"\0b", "ann", instance=2)
    assert not sessions.is_present("ann")
    ann.open = True
    assert sessions.is_present("ann")
    sessions.end(ann)
    assert not sessions.is_present("ann")


def test_changes_are_taken_once_and_only_where_something_changed() -> None:
    sessions, presence = Sessions(1, "n"), Presence(100)
    ann, bob = begun(sessions, b"\0a", "ann"), begun(sessions, b"\0b", "bob")
    ann.open = bob.open = True
    assert presence.due_ms is None
    presence.touch("ann", 1_000)
    presence.touch("bob", 1_050)
    assert presence.due_ms == 1_100
    sessions.end(bob)
    presence.touch("bob", 1_080)
    assert presence.take(sessions, ()) == [Change("ann", True, False)]
    assert presence.due_ms is None
    presence.touch("ann", 2_000)
    assert presence.take(sessions, ()) == []
    sessions.end(ann)
    presence.touch("ann", 3_000)
    assert presence.take(sessions, ()) == [Change("ann", False, False)]
    assert presence.take(sessions, ()) == []
    presence.touch("ann", 4_000)
    assert presence.take(sessions, {"ann"}) == []  # who is not here is not away


def test_who_is_away_is_told_once() -> None:
    sessions, presence = Sessions(1, "n"), Presence(100)
    begun(sessions, b"\0a", "ann").open = True
    for away, told in (
        ({"ann"}, [Change("ann", True, True)]),
        ({"ann"}, []),
        (set(), [Change("ann", True, False)]),
        (set(), []),
    ):
        presence.touch("ann", 1_000)
        assert presence.take(sessions, away) == told
