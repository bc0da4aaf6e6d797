"""Client has the surface of AsyncClient, and does the same."""

import inspect
import threading

import pytest

from tests.unit.client.fake_broker import FakeBroker
from tests.unit.client.play import said, segment
from zchat.client.administration import Administration, AsyncAdministration
from zchat.client.aio import AsyncClient
from zchat.client.messages import CaughtUp
from zchat.client.sync import Client
from zchat.common import keys
from zchat.common.errors import Closed, Refused, WrongIdentity

_DIFFERENT = {"__aenter__", "__aexit__", "__aiter__", "__enter__", "__exit__", "__iter__"}
_INNER = {"usable", "check_usable", "is_mine"}


def _surface(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")} - _INNER


def test_both_surfaces_are_the_same() -> None:
    attributes = {"link", "nick", "registered"}  # set by AsyncClient, properties of Client
    assert _surface(Client) == _surface(AsyncClient) | attributes
    assert _surface(Administration) == _surface(AsyncAdministration)
    _compare(AsyncClient, Client, _surface(AsyncClient) | {"__init__"})
    _compare(AsyncAdministration, Administration, _surface(AsyncAdministration))


def _compare(one: type, other: type, names: set[str]) -> None:
    for name in names:
        asynchronous, synchronous = getattr(one, name), getattr(other, name)
        if isinstance(asynchronous, property):
            assert isinstance(synchronous, property)
            continue
        parameters = inspect.signature(asynchronous).parameters
        assert parameters == inspect.signature(synchronous).parameters, name


def test_a_client_without_asyncio() -> None:
    with FakeBroker() as broker:
        with Client(broker.link, "ann", key=keys.draw()) as ann:
            assert (ann.nick, ann.registered, ann.connected, ann.joined) == ("ann", True, True, {"general"})
            assert ann.link == broker.link
            assert ann.send("general", "hi").pos == 6
            assert ann.post("general", "hi").result().pos == 7
            with pytest.raises(Refused):
                ann.post("none", "hi").result()
            assert (ann.join("tea"), ann.leave("tea"), ann.set_topic("tea", "x")) == (6, 6, 6)
            assert len(ann.users()) == len(ann.members("tea")) == len(ann.rooms()) == 2
            assert ann.history("general") == []
            assert (ann.create_private("ops"), ann.whois("bob").nick) == ("ops+6", "bob")
            assert (ann.set_away("tea"), ann.set_ignored("bob", True), ann.redact("tea", 5)) == (6, 6, 6)
            assert (ann.entries("tea"), ann.change_key("k" * 40)) == ([], 6)
            assert (ann.admin.kick("tea", "bob"), len(ann.admin.invites())) == (6, 2)
            ann.follow(["tea"])
            broker.publish(segment("@ann,bob", 0, 9, said("bob", "a", "b")))
            messages = iter(ann)
            assert [next(messages).text, next(messages).text] == ["a", "b"]
        with pytest.raises(Closed):
            ann.send("general", "hi")
        ann.close()


def test_closing_wakes_a_reader() -> None:
    with FakeBroker() as broker:
        ann = Client(broker.link, "ann", key=keys.draw())
        with pytest.raises(Closed):
            ann.send("general", "hi")
        ann.connect()
        updates = ann.updates()
        assert next(updates) == CaughtUp()
        closer = threading.Timer(0.05, ann.close)
        closer.start()
        with pytest.raises(Closed):
            next(updates)
        closer.join()


def test_a_failed_connect_leaves_no_thread() -> None:
    with FakeBroker() as broker:
        before = set(threading.enumerate())
        link = broker.link._replace(key=keys.draw().public)
        with pytest.raises(WrongIdentity):
            Client(link, "ann", key=keys.draw()).connect()
        assert set(threading.enumerate()) <= before
