"""What the broker gives to the log to be ordered: Sends and acts, each with who asked."""

from typing import NamedTuple

from zchat.common import wire


class Origin(NamedTuple):
    """Who asked and how to answer: the session and the request's token. Not part of what is decided."""

    session: int
    token: int


class SendSubmitted(NamedTuple):
    """A Send by counters of `user` in `instance`. `key` is that of the session, here and below."""

    origin: Origin
    user: str
    instance: int
    send: wire.Send
    key: str = ""


class KeyedSendSubmitted(NamedTuple):
    """A Send with a key. `looked` is the last Write that the look-up of its key came after."""

    origin: Origin
    user: str
    send: wire.KeyedSend
    looked: int
    key: str = ""


class RegisterSubmitted(NamedTuple):
    """`nick` with the CURVE key `key`, as Hello asked, by the secret of an invite if that is not empty."""

    origin: Origin
    nick: str
    folded: str
    key: str
    invite: str = ""


class ActSubmitted(NamedTuple):
    """An act of `user`. `mark` is the same when the request is repeated."""

    origin: Origin
    user: str
    act: wire.Act
    key: str = ""
    mark: str = ""


class RedactSubmitted(NamedTuple):
    """The text of the message of `sender` at `pos` is to be removed; `is_done`: it was already, but copies
    may be left."""

    origin: Origin
    user: str
    conversation: str
    pos: int
    sender: str
    is_done: bool
    reason: str
    key: str = ""


class TimeSubmitted(NamedTuple):
    """Nothing but a question for the log's time, at which something may have ended."""

    origin: Origin


Submission = (
    SendSubmitted | KeyedSendSubmitted | RegisterSubmitted | ActSubmitted | RedactSubmitted | TimeSubmitted
)
