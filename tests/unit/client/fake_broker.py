"""A broker of a hundred lines: real sockets with CURVE, one user, nothing stored, misbehaving on demand."""

import queue
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from zchat.common import wire
from zchat.common.codes import Refusal
from zchat.common.links import Link

_Socket = zmq.Socket[bytes]


class FakeBroker:
    """Answers in a thread of its own, from `__enter__` to `__exit__`.

    While `silent` it answers nothing; `refusal` is its answer to Hello, if it is set; `received` has what
    came. With `control` there is a control socket at that path, too.
    """

    def __init__(self, control: Path | None = None) -> None:
        public, secret = zmq.curve_keypair()
        self._context = zmq.Context()
        self._router = self._bound(zmq.ROUTER, secret)
        self._xpub = self._bound(zmq.XPUB, secret)
        self._routers = [self._router]
        if control is not None:
            local: _Socket = self._context.socket(zmq.ROUTER)
            local.bind(f"ipc://{control}")
            self._routers.append(local)
        self.link = Link("127.0.0.1", _port(self._router), public.decode())
        self.silent = False
        self.refusal: Refusal | None = None
        self.received: queue.Queue[wire.Request] = queue.Queue()
        self._pos = 5
        self._sessions = 0
        self._peer = b""
        self._control = self._context.socket(zmq.PAIR)
        self._control.bind("inproc://control")
        self._thread = threading.Thread(target=self._run, name="fake broker")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away. Once is enough."""
        if not self._control.closed:
            self._control.send(b"stop")
            self._thread.join()
            self._control.close()
            self._context.term()

    def publish(self, segment: wire.Segment) -> None:
        """Deliver a segment over ROUTER to the last session."""
        self._control.send(wire.encode(segment))

    def _bound(self, kind: int, secret: bytes) -> _Socket:
        socket: _Socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.bind("tcp://127.0.0.1:*")
        return socket

    def _run(self) -> None:
        control: _Socket = self._context.socket(zmq.PAIR)
        control.connect("inproc://control")
        poller = zmq.Poller()
        for socket in (*self._routers, self._xpub, control):
            poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            for router in self._routers:
                if router in ready:
                    peer, frame = router.recv_multipart()
                    self._take(router, peer, wire.decode_request(frame))
            if self._xpub in ready:
                topic = self._xpub.recv()
                if topic.startswith(b"\x01~") and not self.silent:
                    heads = wire.Heads(self._sessions, 0, self._pos, [], "")
                    self._xpub.send_multipart([topic[1:], wire.encode(heads)])
            if control in ready:
                order = control.recv()
                if order == b"stop":
                    break
                header = wire.encode(wire.Deliver(self._sessions))
                self._router.send_multipart([self._peer, header, order])
        for socket in (*self._routers, self._xpub, control):
            socket.close(0)

    def _take(self, router: _Socket, peer: bytes, request: wire.Request) -> None:
        self.received.put(request)
        answer = None if self.silent else self._answer(request)
        if answer is not None:
            self._peer = peer
            router.send_multipart([peer, wire.encode(answer)])

    def _answer(self, request: wire.Request) -> wire.Answer | None:
        session = self._sessions
        match request:
            case wire.Hello() if self.refusal is not None:
                return wire.Refused(0, 0, self.refusal.value, "not you")
            case wire.Hello(nick=nick):
                self._sessions += 1
                return self._welcome(nick)
            case wire.Send(token=token, to="#none"):
                return wire.Refused(session, token, Refusal.NO_SUCH_ROOM.value, "no #none")
            case wire.Send(token=token, texts=texts):
                self._pos += len(texts)
                return wire.Ack(session, [wire.Stored(token, self._pos - len(texts) + 1, 1000, False)])
            case wire.KeyedSend(token=token):
                self._pos += 1
                return wire.Ack(session, [wire.Stored(token, self._pos, 1000, False)])
            case wire.Join(token=token, room=room, private=True):
                return wire.Done(session, token, 6, f"{room}+6")
            case wire.Follow(token=token, rooms=rooms):
                heads = [wire.Head(f"#{room}", 3, 3) for room in rooms]
                return wire.Followed(session, token, self._pos, heads, f"nonce{token}")
            case wire.Ping(token=token):
                return wire.Heads(session, token, self._pos, [], "")
            case wire.Fetch(token=token, to=to):
                return wire.Page(session, token, to, 0, 0)
            case wire.ListPeople(token=token, after=after):
                people = [wire.Person("bob" if after else "ann", True)]
                return wire.People(session, token, people, "" if after else "ann")
            case wire.ListRooms(token=token, after=after):
                rooms = [wire.Room("tea" if after else "general", "", 1)]
                return wire.Rooms(session, token, rooms, "" if after else "general")
            case _:
                return self._answer_newer(request)

    def _answer_newer(self, request: wire.Request) -> wire.Answer | None:
        session = self._sessions
        match request:
            case wire.Whois(token=token, nick=nick):
                return wire.Profile(session, token, nick or "ann", [], 1, 2, 1, True, "", 0, 0, "", [], [])
            case wire.ListInvites(token=token, after=after):
                invite = wire.InviteRow("b" * 8 if after else "a" * 8, "ann", "", "", 1, 9)
                return wire.Invites(session, token, [invite], "" if after else invite.invite)
            case wire.ListTokens(token=token, after=after):
                row = wire.TokenRow("robot" if after else "bot", "ann", [], True, True, wire.FOR_EVER)
                return wire.Tokens(session, token, [row], "" if after else row.nick)
            case wire.ListSanctions(token=token, after=after):
                sanction = wire.SanctionRow("dan" if after else "cat", wire.BAN, 9, "ann", "spam")
                return wire.Sanctions(session, token, [sanction], "" if after else sanction.nick)
            case wire.ListLimits(token=token):
                return wire.Bounds(session, token, [wire.Bound("sessions_max", 8, "of a key")])
            case wire.Hello() | wire.Bye():
                return None
            case _:
                return wire.Done(session, request.token, 6)

    def _welcome(self, nick: str) -> wire.Welcome:
        return wire.Welcome(
            session=self._sessions,
            version=1,
            nick=nick,
            registered=True,
            floor=1,
            as_of=self._pos,
            heads=[wire.Head("#general", 2, 2)],
            next="",
            port=_port(self._xpub),
            nonce=f"nonce-{self._sessions}",
            heartbeat_ms=5_000,
            timeout_ms=15_000,
            text_bytes_max=65536,
            send_bytes_max=131072,
            send_messages_max=256,
            broker="fake",
        )


def _port(socket: _Socket) -> int:
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return int(endpoint.rstrip(b"\0").rpartition(b":")[2])
