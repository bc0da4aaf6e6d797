"""Redaction: whose texts are removed by whom, and when that is told. protocol.md, Redaction."""

from typing import Any

import pytest

from tests.unit.broker.crowd import FOR_EVER, Crowd, acts, asked_by, texts
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer, delivered, published, segment
from zchat.broker.core import port
from zchat.broker.core.effects import Transmit
from zchat.common import limits, wire
from zchat.common.codes import Refusal


def redact(to: str, pos: Any, reason: str = "") -> wire.Redact:
    return wire.Redact(0, 0, to, pos, reason)


@pytest.fixture
def dev(crowd: Crowd) -> Crowd:
    """Ann made #dev, and Bob is there."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    return crowd


# ---- what it does ----


def test_the_text_goes_and_everything_else_stays(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "one", "two", "three")
    assert isinstance(pos, int)
    request = dev.asks(BOB, redact("#DEV", pos + 1, "a mistake"))
    dev.play.receive(request)
    place = wire.decode_segment(dev.play.segments[-2]).first
    said = segment("#dev", pos + 2, place, wire.Redacted("bob", pos + 1, "a mistake"))
    dev.play.expect(Transmit(BOB.peer, wire.Done(*asked_by(request.request), place)), published(said))
    entry = next(e for e in dev.entries(CAT, "#dev") if isinstance(e, wire.Messages))
    assert entry == wire.Messages("bob", 1, 0, ["one", "", "three"])
    assert b"two" not in b"".join(dev.play.segments)
    audit = wire.Acted("bob", "redacted", "dev", str(pos + 1), 0, "", "a mistake")
    assert dev.play.entries[-1] == audit


def test_a_message_with_a_key(dev: Crowd) -> None:
    stored = dev.ask(BOB, wire.KeyedSend(0, 0, "#dev", "key", "secret"))
    assert dev.act(BOB, redact("#dev", stored.pos)) > 0
    assert dev.entries(ANN, "#dev")[-2:] == [
        wire.KeyedMessage("bob", "key", ""),
        wire.Redacted("bob", stored.pos, ""),
    ]
    again = dev.ask(BOB, wire.KeyedSend(0, 0, "#dev", "key", "secret"))
    assert (again.pos, again.duplicate) == (stored.pos, True)  # its id is still used


def test_a_repeat_of_what_was_redacted_is_still_a_repeat(dev: Crowd) -> None:
    request = dev.says(BOB, "#dev", "secret")
    (first,) = dev.answers(request)
    dev.act(BOB, redact("#dev", first.pos))
    (again,) = dev.answers(request)
    assert (again.pos, again.duplicate) == (first.pos, True)
    assert texts(dev.entries(ANN, "#dev")) == [""]


def test_once_more_it_changes_nothing(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    assert dev.act(BOB, redact("#dev", pos)) > 0
    stored = len(dev.play.entries)
    assert dev.act(BOB, redact("#dev", pos)) == 0
    assert len(dev.play.entries) == stored


def test_two_requests_at_once(dev: Crowd) -> None:
    """The second one finds the text still there."""
    pos = dev.send(BOB, "#dev", "secret")
    one, two = dev.asks(BOB, redact("#dev", pos)), dev.asks(ANN, redact("#dev", pos))
    first, second = dev.answers(one, two)
    assert first.pos > 0 and second.pos == 0
    said = [e for e in dev.entries(ANN, "#dev") if isinstance(e, wire.Redacted)]
    assert said == [wire.Redacted("bob", pos, "")]  # type: ignore[arg-type]
    assert b"secret" not in b"".join(dev.play.segments)


def test_a_direct_message(dev: Crowd) -> None:
    pos = dev.send(BOB, "@ann", "psst")
    assert dev.refusal(ANN, redact("@bob", pos)) is Refusal.NOT_ALLOWED
    request = dev.asks(BOB, redact("@ann", pos))
    dev.play.receive(request)
    said = dev.play.segments[-2]
    assert wire.decode_segment(said).entries == [wire.Redacted("bob", pos, "")]  # type: ignore[arg-type]
    dev.play.expect(
        Transmit(BOB.peer, wire.Done(*asked_by(request.request), wire.decode_segment(said).first)),
        delivered(ANN, dev.sessions[ANN], said),
        delivered(BOB, dev.sessions[BOB], said),
    )
    assert texts(dev.entries(ANN, "@bob")) == [""]
    mine = dev.send(BOB, "@bob", "a note")
    assert dev.act(BOB, redact("@bob", mine)) > 0


def test_a_page_that_was_being_read_is_read_again(dev: Crowd) -> None:
    """The store has read it, and then the text went."""
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.hold()
    redaction = dev.asks(BOB, redact("#dev", pos))
    dev.play.receive(redaction)
    dev.play.carry_out(port.Read)
    fetch = dev.asks(ANN, wire.Fetch(0, 0, "#dev", 0, 0))
    dev.play.receive(fetch)
    (command,) = [one for one in dev.play.waiting if isinstance(one, port.Read)]
    early = port.PageRead(command.token, *dev.play.store.reader().page(command.query))
    dev.play.waiting.remove(command)
    dev.play.carry_out(port.Write)
    assert isinstance(dev.answer(redaction), wire.Done)
    dev.play.handle(early)
    assert dev.answer(fetch) is None
    dev.play.catch_up()
    assert texts([e for s in dev.answer(fetch) for e in s.entries]) == [""]


def test_a_page_that_waited_for_the_commit_is_not_sent(dev: Crowd) -> None:
    """It could be read only from that commit on, and its text has gone with it."""
    room = dev.private_room(ANN)
    pos = dev.send(ANN, f"#{room}", "secret")
    dev.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    dev.play.hold()
    redaction = dev.asks(ANN, redact(f"#{room}", pos))
    dev.play.receive(dev.says(CAT, "#general", "x"))
    dev.play.receive(redaction, dev.asks(BOB, wire.Join(0, 0, room)))
    dev.play.carry_out(port.Read)
    dev.play.carry_out(port.Write)  # now both are decided on
    fetch = dev.asks(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0))
    dev.play.receive(fetch)
    dev.play.carry_out(port.Read)
    dev.play.catch_up()
    assert isinstance(dev.answer(redaction), wire.Done)
    assert Refusal(dev.answer(fetch).code) is Refusal.UNREADABLE
    assert b"secret" not in str(dev.play.effects).encode()


# ---- who may ----


@pytest.mark.parametrize("who", [ANN, ACCOUNT])
def test_operators_remove_what_others_wrote(dev: Crowd, who: Peer) -> None:
    pos = dev.send(BOB, "#dev", "spam")
    assert dev.refusal(CAT, redact("#dev", pos)) is Refusal.NOT_ALLOWED
    assert dev.act(who, redact("#dev", pos, "spam")) > 0
    nick = "ann" if who == ANN else "$"
    assert dev.entries(BOB, "#dev")[-1] == wire.Redacted(nick, pos, "spam")  # type: ignore[arg-type]


def test_who_may_in_general_and_with_which_role(dev: Crowd) -> None:
    pos = dev.send(CAT, "#general", "spam")
    assert dev.refusal(BOB, redact("#general", pos)) is Refusal.NOT_ALLOWED
    dev.act(ACCOUNT, wire.SetRole(0, 0, "general", "bob", wire.VOICE, ""))
    assert dev.refusal(BOB, redact("#general", pos)) is Refusal.NOT_ALLOWED
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    assert dev.act(BOB, redact("#general", pos)) > 0


def test_in_a_private_room(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    pos = dev.send(BOB, f"#{room}", "spam")
    own = dev.send(BOB, f"#{room}", "mine")
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    for who in (CAT, ACCOUNT):
        assert dev.refusal(who, redact(f"#{room}", pos)) is Refusal.NO_SUCH_ROOM
    assert dev.act(ANN, redact(f"#{room}", pos)) > 0
    assert dev.act(BOB, redact(f"#{room}", own)) > 0
    last = dev.send(BOB, f"#{room}", "another")
    dev.act(BOB, wire.Leave(0, 0, room))
    assert dev.refusal(BOB, redact(f"#{room}", last)) is Refusal.NO_SUCH_ROOM


@pytest.mark.parametrize("how", ["kick", "ban"])
def test_who_was_put_out_removes_what_is_theirs(dev: Crowd, how: str) -> None:
    """And does not learn what else is there; not even as an operator."""
    mine, other = dev.send(BOB, "#dev", "mine"), dev.send(ANN, "#dev", "yours")
    dev.act(ANN, wire.SetRole(0, 0, "dev", "bob", wire.OPERATOR, ""))
    if how == "kick":
        dev.act(ANN, wire.Kick(0, 0, "dev", "bob", ""))
    else:
        dev.act(ANN, wire.Sanction(0, 0, "dev", "bob", wire.BAN, FOR_EVER, ""))
    told = {dev.reason(BOB, redact("#dev", pos)) for pos in (other, 1, 2**53 - 1, 0)}
    assert len(told) == 1 and "of #dev by ann" in told.pop().replace("from", "of")
    assert dev.act(BOB, redact("#dev", mine)) > 0


def test_an_operator_who_is_kicked_meanwhile(dev: Crowd) -> None:
    """The page was read before."""
    pos = dev.send(ANN, "#dev", "kept")
    dev.act(ANN, wire.SetRole(0, 0, "dev", "bob", wire.OPERATOR, ""))
    dev.play.hold()
    request = dev.asks(BOB, redact("#dev", pos))
    dev.play.receive(request)
    dev.play.receive(dev.says(CAT, "#general", "x"))
    dev.play.carry_out(port.Read)
    dev.play.receive(dev.asks(ANN, wire.Kick(0, 0, "dev", "bob", "")))
    dev.play.catch_up()
    assert isinstance(dev.answer(request), wire.Done)  # it was there first
    other = dev.send(ANN, "#dev", "kept as well")
    dev.play.hold()
    late = dev.asks(BOB, redact("#dev", other))
    dev.play.receive(late)
    dev.play.catch_up()
    assert Refusal(dev.answer(late).code) is Refusal.NOT_ALLOWED
    assert b"kept as well" in b"".join(dev.play.segments)


def test_who_is_muted_removes_what_is_theirs(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "mine")
    dev.act(ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.MUTE, FOR_EVER, ""))
    assert dev.act(BOB, redact("#dev", pos)) > 0


# ---- what there is not ----


def test_what_is_no_message(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "x")
    general = dev.send(BOB, "#general", "y")
    assert isinstance(pos, int) and isinstance(general, int)
    for to, where in (
        ("#dev", 0),
        ("#dev", pos - 1),  # a join
        ("#dev", general),
        ("#general", pos),
        ("#dev", 2**53 - 1),
        ("@ann", pos),
        ("@bob", pos),
        ("$", pos),
        ("@$", pos),
    ):
        assert dev.refusal(BOB, redact(to, where)) is Refusal.NO_SUCH_ENTRY, (to, where)
    assert dev.refusal(BOB, redact("#nowhere", pos)) is Refusal.NO_SUCH_ROOM
    assert dev.refusal(BOB, redact("@nobody", pos)) is Refusal.NO_SUCH_USER
    assert dev.refusal(BOB, redact("dev", pos)) is Refusal.MALFORMED


def test_a_message_that_is_not_on_disk_yet(dev: Crowd) -> None:
    dev.play.hold()
    send = dev.says(BOB, "#dev", "x")
    dev.play.receive(send)
    request = dev.asks(BOB, redact("#dev", dev.play.core._context.log.state.last_pos))
    dev.play.receive(request)
    dev.play.carry_out(port.Read)
    assert Refusal(dev.answer(request).code) is Refusal.NO_SUCH_ENTRY
    dev.play.catch_up()


# ---- when it is told ----


def test_it_is_told_when_no_copy_is_left(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.store.hinder_next_scrub()
    assert dev.refusal(BOB, redact("#dev", pos)) is Refusal.UNREADABLE
    assert isinstance(dev.entries(ANN, "#dev")[-1], wire.Redacted)
    assert dev.act(BOB, redact("#dev", pos)) == 0  # asked again, it is tried again
    said = [e for e in dev.entries(ANN, "#dev") if isinstance(e, wire.Redacted)]
    assert len(said) == 1


def test_while_the_broker_cannot_write(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.store.fail_next(certain=True)
    assert dev.refusal(BOB, redact("#dev", pos)) is Refusal.STORAGE_UNAVAILABLE
    assert dev.refusal(BOB, redact("#dev", pos)) is Refusal.STORAGE_UNAVAILABLE
    dev.play.elapse(1_000)
    assert texts(dev.entries(ANN, "#dev")) == ["secret"]
    assert dev.act(BOB, redact("#dev", pos)) > 0


def test_of_unknown_outcome_it_is_not_answered_until_that_is_known(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.store.fail_next(certain=False)
    request = dev.asks(BOB, redact("#dev", pos))
    assert dev.answers(request) == [None]
    assert dev.answers(request) == [None]
    assert dev.refusal(ANN, redact("#dev", 1)) is Refusal.STORAGE_UNAVAILABLE  # another one
    dev.play.elapse(1_000)
    dev.play.skip()
    (done,) = dev.answers(request)
    assert isinstance(done, wire.Done) and texts(dev.entries(ANN, "#dev")) == [""]


def test_the_log_cannot_be_read(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.unreadable = True
    assert dev.refusal(BOB, redact("#dev", pos)) is Refusal.UNREADABLE
    dev.play.unreadable = False
    assert dev.act(BOB, redact("#dev", pos)) > 0


def test_no_more_at_once_than_pages(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", *"abc")
    assert isinstance(pos, int)
    dev.play.hold()
    requests = [dev.asks(BOB, redact("#dev", pos + n)) for n in range(limits.FETCHES_MAX + 1)]
    dev.play.receive(*requests)
    assert Refusal(dev.answer(requests[-1]).code) is Refusal.BUSY
    dev.play.catch_up()
    assert all(isinstance(dev.answer(request), wire.Done) for request in requests[:-1])


def test_who_has_gone_is_not_answered(dev: Crowd) -> None:
    pos = dev.send(BOB, "#dev", "secret")
    dev.play.hold()
    dev.play.receive(dev.asks(BOB, redact("#dev", pos)))
    dev.play.receive(dev.asks(BOB, wire.Bye(0)))
    dev.play.catch_up()
    assert texts(dev.entries(ANN, "#dev")) == ["secret"]
    assert acts(dev.play.entries)[-1:] != [("bob", "redacted", str(pos))]
