"""Refusals: each that a client can bring about, with the numbers of its request and a reason.

STORAGE_UNAVAILABLE and UNREADABLE need a disk that fails: tests/unit/broker/test_log.py, tests/fault.
"""

from pathlib import Path

import pytest

from tests.wire.conftest import Connect
from tests.wire.raw import Client, unused
from zchat.common import wire
from zchat.common.codes import Refusal

REQUESTS: list[tuple[Refusal, wire.Request]] = [
    (Refusal.NOT_GREETED, wire.Ping(1, 7, 0, "")),
    (Refusal.MALFORMED, wire.Send(0, 7, 0, "general", 0, ["x"])),
    (Refusal.MALFORMED, wire.KeyedSend(0, 7, "general", "k", "x")),
    (Refusal.MALFORMED, wire.Fetch(0, 7, "!general", 0, 0)),
    (Refusal.OUT_OF_ORDER, wire.Send(0, 7, 0, "#general", 1, ["x"])),
    (Refusal.NAME_INVALID, wire.Join(0, 7, "a b")),
    (Refusal.NO_SUCH_ROOM, wire.Send(0, 7, 0, "#nowhere", 0, ["x"])),
    (Refusal.NO_SUCH_ROOM, wire.KeyedSend(0, 7, "#nowhere", "k", "x")),
    (Refusal.NO_SUCH_ROOM, wire.Leave(0, 7, "nowhere")),
    (Refusal.NO_SUCH_ROOM, wire.SetTopic(0, 7, "nowhere", "t")),
    (Refusal.NO_SUCH_ROOM, wire.Fetch(0, 7, "#nowhere", 0, 0)),
    (Refusal.NO_SUCH_ROOM, wire.Follow(0, 7, ["nowhere"], True)),
    (Refusal.NO_SUCH_ROOM, wire.ListPeople(0, 7, "nowhere", "")),
    (Refusal.NO_SUCH_ROOM, wire.Send(0, 7, 0, "#a b", 0, ["x"])),
    (Refusal.NO_SUCH_USER, wire.Send(0, 7, 0, "@nobody1", 0, ["x"])),
    (Refusal.NO_SUCH_USER, wire.KeyedSend(0, 7, "@nobody1", "k", "x")),
    (Refusal.NO_SUCH_USER, wire.Fetch(0, 7, "@nobody1", 0, 0)),
    (Refusal.NO_SUCH_USER, wire.Fetch(0, 7, "@a,b", 0, 0)),
    (Refusal.TOO_LARGE, wire.Send(0, 7, 0, "#general", 0, ["ü" * 40_000])),
    (Refusal.TOO_LARGE, wire.KeyedSend(0, 7, "#general", "k", "ü" * 40_000)),
    (Refusal.TOO_LARGE, wire.SetTopic(0, 7, "general", "ü" * 513)),
]


@pytest.mark.parametrize(("refusal", "request_"), REQUESTS)
def test_a_refusal_quotes_its_request(ann: Client, refusal: Refusal, request_: wire.Request) -> None:
    fields = {name: getattr(request_, name) for name in request_.__struct_fields__}
    session = fields["session"] or ann.session
    ann.say(type(request_)(**fields | {"session": session}))
    answer = ann.answer(wire.Refused)
    assert (answer.session, answer.token, answer.code) == (session, 7, refusal.value)
    assert answer.reason and "\n" not in answer.reason
    assert not ann.send("#general", 0, "and all goes on").duplicate


def test_the_reasons_help(ann: Client, bob: Client) -> None:
    room = unused("room")
    ann.say(
        wire.Send(ann.session, 1, 0, f"#{bob.nick}", 0, ["x"]),
        wire.Send(ann.session, 2, 0, f"#{room}", 0, ["x"]),
        wire.Send(ann.session, 3, 0, "@general", 0, ["x"]),
        wire.Join(ann.session, 4, bob.nick),
    )
    assert [ann.answer(wire.Refused).reason for _ in range(4)] == [
        f"there is no room #{bob.nick}; did you mean @{bob.nick}?",
        f"there is no room #{room}; joining #{room} creates it",
        "nobody is registered as @general; did you mean #general?",
        f"a person is called {bob.nick}",
    ]


def test_every_refusal_but_of_a_failing_disk_occurs_on_the_wire() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for refusal in set(Refusal) - {Refusal.STORAGE_UNAVAILABLE, Refusal.UNREADABLE}:
        assert f"Refusal.{refusal.name}" in text, refusal


def test_hello_is_refused_without_numbers(connect: Connect, ann: Client) -> None:
    client = connect()
    client.say(wire.Hello(1, 1, ann.nick, 1, 0, None, False, "raw/1", True))
    answer = client.answer(wire.Refused)
    assert (answer.session, answer.token, answer.code) == (0, 0, Refusal.NICK_TAKEN.value)
