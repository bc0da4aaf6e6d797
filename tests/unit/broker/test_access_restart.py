"""Every right is the same after a restart, and after a commit that failed as if nothing had been asked."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.unit.broker.crowd import DAN, DIGEST, FOR_EVER, SECRET, Crowd, rights
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer, Play, hello, somebody
from zchat.broker.core.events import Request
from zchat.common import wire

LINK = "aaaaaaaa" + SECRET
NEW, ROBO = somebody("new"), somebody("robo")
MINUTE_MS = 60_000


def house() -> tuple[Crowd, str]:
    """A broker where everybody has some right and something is against somebody; the name of its private
    room, where Ann is owner, Bob a member, and Dan invited. Cat was kicked out of #dev and muted there."""
    crowd = Crowd(ANN, BOB, CAT, DAN, ACCOUNT)
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    room = crowd.private_room(ANN, BOB)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "dan"))
    crowd.act(ANN, wire.Sanction(0, 0, "dev", "cat", wire.MUTE, FOR_EVER, ""))
    crowd.act(ANN, wire.Kick(0, 0, "dev", "cat", ""))
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "dan", wire.OPERATOR, ""))
    crowd.act(ACCOUNT, wire.MakeInvite(0, 0, "aaaaaaaa", DIGEST, "", room, 2, FOR_EVER, ""))
    crowd.act(ANN, wire.MakeToken(0, 0, "robo", ROBO.key, ["dev"], True, True, MINUTE_MS, ""))
    crowd.act(BOB, wire.SetIgnored(0, 0, "cat", True))
    crowd.send(ANN, "#dev", "x")
    crowd.send(ANN, f"#{room}", "x")
    return crowd, room


Scene = Callable[[Crowd, str], Request]


def asks(who: Peer, act: Any) -> Scene:
    """Somebody asks for something; ROOM is the private room."""

    def scene(crowd: Crowd, room: str) -> Request:
        fields = [getattr(act, name) for name in act.__struct_fields__]
        return crowd.asks(who, type(act)(*[room if value == "ROOM" else value for value in fields]))

    return scene


def greets(peer: Peer, nick: str) -> Scene:
    return lambda crowd, room: peer.asks(hello(nick, instance=4, invite=LINK))


SCENES: dict[str, Scene] = {
    "join": asks(DAN, wire.Join(0, 0, "dev")),
    "join again": asks(CAT, wire.Join(0, 0, "dev")),
    "create": asks(CAT, wire.Join(0, 0, "ops")),
    "create a private room": asks(BOB, wire.Join(0, 0, "team", True)),
    "join a private room": asks(DAN, wire.Join(0, 0, "ROOM")),
    "give an invitation back": asks(DAN, wire.Leave(0, 0, "ROOM")),
    "leave": asks(BOB, wire.Leave(0, 0, "dev")),
    "leave a private room": asks(BOB, wire.Leave(0, 0, "ROOM")),
    "invite": asks(ANN, wire.InviteToRoom(0, 0, "ROOM", "cat")),
    "topic": asks(BOB, wire.SetTopic(0, 0, "ROOM", "a topic")),
    "announce": asks(ANN, wire.SetMode(0, 0, "dev", True)),
    "voice": asks(ANN, wire.SetRole(0, 0, "dev", "cat", wire.VOICE, "")),
    "operator of a private room": asks(ANN, wire.SetRole(0, 0, "ROOM", "bob", wire.OPERATOR, "")),
    "owner no more": asks(ANN, wire.SetRole(0, 0, "dev", "ann", wire.NONE, "")),
    "administrator": asks(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, "")),
    "administrator no more": asks(DAN, wire.SetRole(0, 0, "", "dan", wire.NONE, "")),
    "kick": asks(ANN, wire.Kick(0, 0, "dev", "bob", "")),
    "kick out of a private room": asks(ANN, wire.Kick(0, 0, "ROOM", "bob", "")),
    "mute": asks(ANN, wire.Sanction(0, 0, "dev", "bob", wire.MUTE, MINUTE_MS, "")),
    "mute everywhere": asks(ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.MUTE, FOR_EVER, "")),
    "ban": asks(ANN, wire.Sanction(0, 0, "dev", "bob", wire.BAN, FOR_EVER, "")),
    "ban from a private room": asks(ANN, wire.Sanction(0, 0, "ROOM", "bob", wire.BAN, FOR_EVER, "")),
    "ban from the broker": asks(DAN, wire.Sanction(0, 0, "", "ann", wire.BAN, MINUTE_MS, "")),
    "pardon": asks(ANN, wire.Pardon(0, 0, "dev", "cat", wire.MUTE, "")),
    "make an invite": asks(DAN, wire.MakeInvite(0, 0, "bbbbbbbb", DIGEST, "eve", "dev", 1, MINUTE_MS, "")),
    "end an invite": asks(DAN, wire.EndInvite(0, 0, "aaaaaaaa", "")),
    "come by an invite": greets(NEW, "new"),
    "come further by an invite": greets(CAT, "cat"),
    "make a token": asks(BOB, wire.MakeToken(0, 0, "other", "o" * 40, [], True, False, FOR_EVER, "")),
    "end a token": asks(ANN, wire.EndToken(0, 0, "robo", "")),
    "change a key": asks(BOB, wire.ChangeKey(0, 0, NEW.key)),
    "away": asks(BOB, wire.SetAway(0, 0, "lunch")),
    "ignore no more": asks(BOB, wire.SetIgnored(0, 0, "cat", False)),
}
READING = ("subscribes", "Fetch", "Follow", "List", "Whois", "is let in")
EVERYBODY = (ANN, BOB, CAT, DAN, ROBO, NEW)


def seen(play: Play) -> dict[str, str]:
    """What everybody may do. Robo and New have their names only if they were registered."""
    return rights(play, EVERYBODY)


@pytest.fixture(scope="module")
def begun() -> tuple[Crowd, str, dict[str, str]]:
    crowd, room = house()
    return crowd, room, seen(crowd.play)


def settled(crowd: Crowd) -> Play:
    """The broker when everything that was begun has come to an end."""
    crowd.play.catch_up()
    crowd.play.elapse(1_000)
    crowd.play.skip()
    crowd.play.check_kept()
    return crowd.play


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_what_was_done(begun: tuple[Crowd, str, dict[str, str]], scene: Scene) -> None:
    kept, room, before = begun
    done = deepcopy(kept)
    done.play.receive(scene(done, room))
    after = seen(settled(done))
    assert after != before
    assert seen(done.play.restarted()) == after

    found = deepcopy(kept)  # its commit fails at the end, and a crash brings it back
    found.play.store.fail_next(certain=False, revives=True)
    found.play.receive(scene(found, room))
    again = found.play.restarted()
    assert again.known() == done.play.known()
    again.check_kept()


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_what_failed(begun: tuple[Crowd, str, dict[str, str]], scene: Scene, certain: bool) -> None:
    kept, room, _ = begun
    failed = deepcopy(kept)
    failed.play.store.fail_next(certain)
    failed.play.receive(scene(failed, room))
    assert failed.play.known() == settled(failed).known() == kept.play.known()
    assert failed.play.restarted().known() == kept.play.known()


@pytest.mark.parametrize("what", ["kick", "join a private room", "ban from the broker", "change a key"])
def test_what_is_read_while_nothing_can_be_written(
    begun: tuple[Crowd, str, dict[str, str]], what: str
) -> None:
    """The rights to read are those of before, although a commit failed that changed them."""
    kept, room, before = begun
    failed = deepcopy(kept)
    failed.play.store.fail_next(certain=True)
    failed.play.receive(SCENES[what](failed, room))
    told = seen(failed.play)
    asked = [one for one in before if any(word in one for word in READING) and not one.startswith("new")]
    assert len(asked) > 100
    assert {one: told[one] for one in asked} == {one: before[one] for one in asked}
    assert seen(settled(failed)) == before
