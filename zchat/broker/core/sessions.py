"""Sessions: who is connected, as whom, and who is here."""

from collections import deque
from collections.abc import Container, Iterator, KeysView
from typing import Final, NamedTuple

from zchat.broker.core.instances import Instance
from zchat.broker.core.limits import Limits
from zchat.broker.core.metering import Meter
from zchat.common import wire

NOTHING_SENT: Final = Meter(Limits(), 0)  # of a session that is not yet open, and sends nothing


class Session:
    """One client on one connection. `instance` is None until its rows are loaded; the session is `open` from
    its Welcome on. Times are monotonic milliseconds."""

    def __init__(self, number: int, peer: bytes, key: str, hello: wire.Hello, nick: str, now_ms: int) -> None:
        self.number = number
        self.peer = peer
        self.key = key
        self.nick = nick
        self.hello = hello
        self.quiet = hello.quiet
        self.floor = hello.floor or 0
        self.lowest = hello.lowest
        self.seen_ms = now_ms
        self.acted_ms = now_ms  # when the user last did something, as far as the broker can tell
        self.meter = NOTHING_SENT
        self.queued = 0  # bytes of Sends since the Append `queued_seq`
        self.queued_seq = 0
        self.instance: Instance | None = None
        self.open = False
        self.registered = False
        self.over_router = False
        self.followed: dict[str, int] = {}  # conversations, and where reading them began
        self.nonce = ""
        self.nonces = 0
        self.fetches = 0
        self.looking = False
        self.behind: deque[tuple[wire.Send | wire.KeyedSend, int]] = deque()  # Sends that wait for a Look
        self.deliver = wire.Deliver(number)

    @property
    def is_of_account(self) -> bool:
        """It came through the control socket."""
        return not self.key

    @property
    def reads_live(self) -> bool:
        """Deliveries and presence go to it."""
        return self.open and not self.quiet


class Sessions:
    """All sessions, found by number, connection, user and nonce."""

    def __init__(self, first_number: int, nonce_prefix: str) -> None:
        self._next_number = first_number
        self._nonce_prefix = nonce_prefix
        self._by_number: dict[int, Session] = {}
        self._by_peer: dict[bytes, Session] = {}
        self._by_nick: dict[str, dict[int, Session]] = {}
        self._by_key: dict[str, dict[int, Session]] = {}
        self._by_nonce: dict[str, Session] = {}
        self.over_router: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def numbers(self) -> KeysView[int]:
        """The numbers of the sessions that live."""
        return self._by_number.keys()

    @property
    def nicks(self) -> KeysView[str]:
        """The users that have sessions."""
        return self._by_nick.keys()

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_number.values()))

    def begin(self, peer: bytes, key: str, hello: wire.Hello, nick: str, now_ms: int) -> Session:
        """A session that is not yet open."""
        session = Session(self._next_number, peer, key, hello, nick, now_ms)
        self._next_number += 1
        self._by_number[session.number] = self._by_peer[peer] = session
        self._by_nick.setdefault(nick, {})[session.number] = session
        self._by_key.setdefault(key, {})[session.number] = session
        return session

    def end(self, session: Session) -> None:
        """Forget a session."""
        del self._by_number[session.number]
        del self._by_peer[session.peer]
        _remove(self._by_nick, session.nick, session)
        _remove(self._by_key, session.key, session)
        self._by_nonce.pop(session.nonce, None)
        self.over_router.pop(session.number, None)

    def numbered(self, number: int) -> Session | None:
        """The session of that number, if it lives."""
        return self._by_number.get(number)

    def at(self, peer: bytes) -> Session | None:
        """The session on that connection."""
        return self._by_peer.get(peer)

    def of(self, nick: str) -> list[Session]:
        """The sessions of a user."""
        return list(self._by_nick.get(nick, {}).values())

    def of_key(self, key: str) -> list[Session]:
        """The sessions of a key."""
        return list(self._by_key.get(key, {}).values())

    def rename(self, session: Session, nick: str) -> None:
        """The session's user turned out to be written otherwise."""
        _remove(self._by_nick, session.nick, session)
        session.nick = nick
        self._by_nick.setdefault(nick, {})[session.number] = session

    def with_nonce(self, nonce: str) -> Session | None:
        """The session whose present nonce this is."""
        return self._by_nonce.get(nonce)

    def renew_nonce(self, session: Session) -> str:
        """Give a session a new nonce in place of the one before."""
        self._by_nonce.pop(session.nonce, None)
        session.nonces += 1
        session.nonce = f"{self._nonce_prefix}.{session.number}.{session.nonces}"
        self._by_nonce[session.nonce] = session
        return session.nonce

    def is_present(self, nick: str) -> bool:
        """Whether somebody has a session that others see."""
        return any(session.reads_live for session in self._by_nick.get(nick, {}).values())


def _remove(index: dict[str, dict[int, Session]], name: str, session: Session) -> None:
    del index[name][session.number]
    if not index[name]:
        del index[name]


class Change(NamedTuple):
    """Somebody came or went, or is away or back."""

    nick: str
    present: bool
    away: bool


class Presence:
    """Who was told to be here, and what changed since. Changes are told together after an interval."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._told: dict[str, bool] = {}  # who is here, and whether away
        self._touched: dict[str, None] = {}
        self.due_ms: int | None = None

    def touch(self, nick: str, now_ms: int) -> None:
        """Somebody's sessions changed, or whether they are away."""
        self._touched[nick] = None
        if self.due_ms is None:
            self.due_ms = now_ms + self._interval_ms

    def take(self, sessions: Sessions, away: Container[str]) -> list[Change]:
        """What is to be told now; who came and went in between is not. `away`: who is."""
        changes = []
        for nick in self._touched:
            told = self._told.pop(nick, None)
            is_away = nick in away
            present = sessions.is_present(nick)
            if present:
                self._told[nick] = is_away
            if self._told.get(nick) is not told:
                changes.append(Change(nick, present, is_away))
        self._touched.clear()
        self.due_ms = None
        return changes
