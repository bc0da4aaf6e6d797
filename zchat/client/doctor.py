"""An examination of the way to a broker, step by step, up to the first one at which something is wrong."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

import zmq
from msgspec.structs import replace

from zchat import __version__
from zchat.client import contexts, identity, verdicts
from zchat.client.control import socket_of
from zchat.client.core.events import (
    AnswerReceived,
    Disconnected,
    Event,
    HandshakeFailed,
    HandshakeSucceeded,
    HeadsPublished,
)
from zchat.client.diagnosis import Connection, Finding, look, reach, read_greeting, resolve
from zchat.client.identity import Asked, Identity
from zchat.client.sockets import Sockets
from zchat.client.verdicts import Step
from zchat.common import keys, limits, wire
from zchat.common.errors import ConfigurationError, Unreachable, WrongIdentity
from zchat.common.files import why
from zchat.common.keys import KeyPair
from zchat.common.links import Link, authority
from zchat.common.text import without_keys

_SOFTWARE: Final = f"zchat/{__version__}"
_NO_HEADS: Final = 2**53 - 1  # a floor above all heads: nothing is read
_WRONG_KEYS: Final = 4  # handshakes in a row that fail before the link's key is called wrong
_PAUSE_S: Final = 0.1  # between them
_LOOK_S: Final = 5.0  # at the second port, where everything else is waited for for ever


class Known(NamedTuple):
    """What is known before anybody is asked. `who` is None when it is not known who asks, and `lacking` says
    why. Unless `has_key`, the key was drawn for the examination, and is kept nowhere."""

    link: Link
    who: Identity | None
    key: KeyPair
    has_key: bool
    lacking: Step | None = None


def prepare(asked: Asked) -> Known | Step:
    """What options, environment and files say, without anything being written; a wrong step when they do not
    name a broker."""
    try:
        link = identity.find_link(asked)
    except (ConfigurationError, WrongIdentity) as error:
        text = without_keys(str(error))
        is_of_token = text.startswith(("--token: ", "ZCHAT_TOKEN: "))
        mend = verdicts.ANOTHER_TOKEN if is_of_token else verdicts.ASK_FOR_THE_LINK
        return Step("settings", text, mend, error.exit_code)
    try:
        who = identity.find(asked, may_ask=False)
    except ConfigurationError as error:
        return _unknown(link, str(error), verdicts.NAME_A_NICK)
    try:
        who = who.with_key_loaded()
        has_key = who.has_key()
        return Known(link, who, who.key() if has_key else keys.draw(), has_key)
    except ConfigurationError as error:
        text, _, how = str(error).partition(". Mend it: ")
        return _unknown(link, text, f"{how}. {verdicts.MEND_THE_KEY}" if how else verdicts.MEND_THE_KEY)
    except OSError as error:
        return _unknown(link, f"cannot read the key: {why(error)}", verdicts.MEND_THE_KEY)


def _unknown(link: Link, text: str, mend: str) -> Known:
    step = Step("nick", without_keys(text), mend, ConfigurationError.exit_code)
    return Known(link, None, keys.draw(), False, step)


class Examination:
    """Goes the way that a client goes, in a quiet session that registers nobody; each step takes `timeout`
    seconds at most (None: for ever)."""

    def __init__(self, known: Known, timeout: float | None) -> None:
        self._known = known
        self._timeout = timeout
        self._events: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._sockets: Sockets  # from the first step on
        self._addresses: list[str] = []
        self._connection: Connection | None = None
        self._address = ""  # that took the connection
        self._greeted: Finding | None = None
        self._asked_ms = self._answered_ms = 0.0  # Hello, by the clock of this machine
        self._answer: wire.Welcome | wire.Refused | None = None

    async def steps(self) -> AsyncGenerator[Step, None]:
        """The steps as they are taken; the last one is wrong, or there is nothing wrong. All is closed when
        the iterator is."""
        examine = (
            self._settings, self._name, self._port, self._zmtp, self._curve, self._admitted, self._nick,
            self._rooms, self._clock, self._versions,
        )  # fmt: skip
        received = self._events.put_nowait
        self._sockets = Sockets(self._known.link.key, self._known.key, received, received)
        try:
            for one in examine:
                step = await one()
                yield step
                if step.mend is not None:
                    break
        finally:
            await self._close()

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        if isinstance(self._answer, wire.Welcome):
            self._sockets.transmit(wire.Bye(self._answer.session))
        await self._sockets.close(flush=isinstance(self._answer, wire.Welcome))

    # ---- who is there ----

    async def _settings(self) -> Step:
        link = self._known.link
        try:
            name = contexts.of(link.key)
        except ConfigurationError:  # no home
            name = None
        return Step("settings", f"the broker is {link}" + (f", context {name}" if name else ""))

    async def _name(self) -> Step:
        found = await resolve(self._known.link, self._timeout)
        if isinstance(found, Finding):
            return verdicts.of_finding("name", found)
        self._addresses = found
        if found == [self._known.link.host]:
            return Step("name", f"{found[0]} is an address: there is no name to look up")
        return Step("name", f"{self._known.link.host} is {' and '.join(found)}")

    async def _port(self) -> Step:
        connection = await reach(self._known.link, self._addresses, self._timeout)
        if isinstance(connection, Finding):
            return verdicts.of_finding("port", connection)
        self._connection, self._address = connection, connection.address
        return Step("port", f"{authority(self._address, self._known.link.port)} takes connections")

    async def _zmtp(self) -> Step:
        assert self._connection is not None
        finding = await read_greeting(self._known.link, self._connection, self._timeout)
        if finding.kind != "curve":
            return verdicts.of_finding("zmtp", finding)
        self._greeted = finding
        return Step("zmtp", "what listens there speaks ZeroMQ, with CURVE")

    async def _curve(self) -> Step:
        assert self._greeted is not None
        try:
            async with asyncio.timeout(self._timeout):
                while not await self._shakes_hands():
                    if not self._sockets.is_admitted:
                        return verdicts.of_ban()
                    if self._sockets.handshakes_refused >= _WRONG_KEYS:
                        return verdicts.of_finding("curve", self._greeted)
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            return self._silent("curve", "begins to speak, but does not complete the handshake")
        return Step("curve", "the connection is encrypted, and the broker has the key of the link")

    async def _shakes_hands(self) -> bool:
        """Whether new sockets reach somebody who has the link's key."""
        while not self._events.empty():
            self._events.get_nowait()  # of the sockets before
        self._sockets.connect(self._address, self._known.link.port)
        while True:
            event = await self._event()
            if isinstance(event, HandshakeSucceeded | HandshakeFailed | Disconnected):
                return isinstance(event, HandshakeSucceeded)

    # ---- who we are to them ----

    async def _admitted(self) -> Step:
        if self._known.lacking is not None:
            return self._known.lacking
        try:
            async with asyncio.timeout(self._timeout):
                self._answer = await self._greet()
        except TimeoutError:
            return self._silent("admitted", "completes the handshake, but does not answer")
        except Unreachable as error:
            return Step("admitted", str(error), verdicts.LOOK_THERE, error.exit_code)
        refused = self._refused()
        if refused is not None and refused.name != "nick":
            return refused
        return Step("admitted", "the broker answers, and does not turn this key away")

    async def _nick(self) -> Step:
        refused = self._refused()
        if refused is not None:
            return refused
        fingerprint = keys.fingerprint(self._known.key.public)
        return Step("nick", f"{self._welcome.nick} is registered, with the key in use here: {fingerprint}")

    async def _greet(self) -> wire.Welcome | wire.Refused:
        """The answer to Hello. An invite is shown where it takes one, to hear whether it is good: without
        `register` it is not used. protocol.md, Sessions. Raises Unreachable when the broker hangs up."""
        assert self._known.who is not None
        hello = wire.Hello(
            limits.VERSION, limits.VERSION, self._known.who.nick, _instance(), 0, _NO_HEADS, True, _SOFTWARE,
            register=False,
        )  # fmt: skip
        answer = await self._answered(hello)
        invite = self._known.who.invite
        if isinstance(answer, wire.Refused) and invite:
            answer = await self._answered(replace(hello, invite=invite))
        return answer

    async def _answered(self, hello: wire.Hello) -> wire.Welcome | wire.Refused:
        self._asked_ms = time.time() * 1000
        self._sockets.transmit(hello)
        while True:
            event = await self._event()
            if isinstance(event, Disconnected):
                raise Unreachable("the broker breaks off the connection in place of an answer")
            if isinstance(event, AnswerReceived) and isinstance(event.answer, wire.Welcome | wire.Refused):
                self._answered_ms = time.time() * 1000
                return event.answer

    def _refused(self) -> Step | None:
        who = self._known.who
        if who is None or not isinstance(self._answer, wire.Refused):
            return None
        return verdicts.of_refused(
            self._answer,
            who.nick,
            has_key=self._known.has_key,
            is_bot=who.is_bot,
            runs_it=socket_of(who.link) is not None,
        )

    # ---- how well it goes ----

    async def _rooms(self) -> Step:
        port = self._welcome.port
        if not port:
            return Step("rooms", "the broker has no second port: rooms come over the first one")
        place = authority(self._address, port)
        at = self._known.link._replace(host=self._address, port=port)
        finding = await look(at, self._timeout or _LOOK_S)
        if finding.kind == "curve" and await self._is_confirmed(port):
            return Step("rooms", f"{place} confirms what is subscribed to")
        return verdicts.of_second_port(place, finding)

    async def _is_confirmed(self, port: int) -> bool:
        """Whether the heads come on the nonce. protocol.md, Subscriptions: a round, of no rooms."""
        self._sockets.open_subscriber(self._address, port)
        self._sockets.subscribe(wire.nonce_topic(self._welcome.nonce))
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    event = await self._event()
                    if isinstance(event, HeadsPublished) and event.nonce == self._welcome.nonce:
                        return True
        except TimeoutError:
            return False

    async def _clock(self) -> Step:
        return verdicts.of_clocks(self._welcome.time_ms, self._asked_ms, self._answered_ms)

    async def _versions(self) -> Step:
        here = f"{_SOFTWARE} with libzmq {zmq.zmq_version()}"
        protocol, there = f"ZCHAT/{self._welcome.version}", self._welcome.broker
        return Step("versions", f"protocol {protocol}; here {here}, there {there}")

    # ---- what comes ----

    @property
    def _welcome(self) -> wire.Welcome:
        assert isinstance(self._answer, wire.Welcome)
        return self._answer

    async def _event(self) -> Event:
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        return event

    def _silent(self, step: str, what: str) -> Step:
        """The broker did not do something in time."""
        text = f"{authority(self._address, self._known.link.port)} {what} within {self._timeout:g} s"
        return Step(step, text, verdicts.LOOK_THERE, Unreachable.exit_code)


def _instance() -> int:
    """protocol.md, Sending: milliseconds and chance."""
    return (time.time_ns() // 1_000_000 % 2**42 << 21) + random.SystemRandom().getrandbits(21)
