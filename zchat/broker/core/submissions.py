"""What the broker gives to the log to be ordered: Sends and acts, each with who asked."""

from typing import NamedTuple

from zchat.common import wire


class Origin(NamedTuple):
    """Who asked and how to answer: the session and the request's token. Not part of what is decided."""

    session: int
    token: int


class SendSubmitted(NamedTuple):
    """A Send by counters of `user` in `instance`."""

    origin: Origin
    user: str
    instance: int
    send: wire.Send


class KeyedSendSubmitted(NamedTuple):
    """A Send with a key. `looked` is the last Write that the look-up of its key came after."""

    origin: Origin
    user: str
    send: wire.KeyedSend
    looked: int


class RegisterSubmitted(NamedTuple):
    """`nick` with the CURVE key `key`, as Hello asked."""

    origin: Origin
    nick: str
    folded: str
    key: str


class ActSubmitted(NamedTuple):
    """Join, Leave or SetTopic of `user`."""

    origin: Origin
    user: str
    act: wire.Join | wire.Leave | wire.SetTopic


Submission = SendSubmitted | KeyedSendSubmitted | RegisterSubmitted | ActSubmitted
