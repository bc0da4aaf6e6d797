"""The messages of ZCHAT/1, each a MessagePack array that begins with its tag, and their bounds.

`docs/protocol.md` is the specification; a test keeps both equal. A receiver ignores fields behind those it
knows. Decoding checks every bound, so no number, string or list reaches a core that a core cannot handle.

Longer than other files: the whole wire, to be read beside the specification from its beginning to its end.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from zchat.common import limits

Count = Annotated[int, Meta(ge=0, lt=2**53)]
Position = Count  # of an entry in the log; the first has 1, and 0 stands before it
Milliseconds = Count
Token = Count  # a client's number for a request; the answer carries it
SessionNumber = Count
Instance = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Port = Annotated[int, Meta(ge=0, le=65535)]

Nick = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARACTERS_MAX)]
RoomName = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARACTERS_MAX)]
Address = Annotated[str, Meta(min_length=2, max_length=1 + limits.NAME_CHARACTERS_MAX)]  # "#room" or "@nick"
Conversation = Annotated[str, Meta(min_length=1, max_length=limits.CONVERSATION_BYTES_MAX)]
Key = Annotated[str, Meta(min_length=1, max_length=limits.KEY_CHARACTERS_MAX, pattern=r"^[!-}][!-~]*\Z")]
CurveKey = Annotated[str, Meta(min_length=40, max_length=40)]  # Z85, as ZAP has it in User-Id
Text = Annotated[str, Meta(min_length=1, max_length=limits.TEXT_BYTES_MAX)]
Texts = Annotated[list[Text], Meta(min_length=1, max_length=limits.SEND_MESSAGES_MAX)]
Topic = Annotated[str, Meta(max_length=limits.TOPIC_BYTES_MAX)]
Nonce = Annotated[str, Meta(max_length=64)]
Reason = Annotated[str, Meta(max_length=1024)]


class Head(Struct, array_like=True, frozen=True, gc=False):
    """How far a conversation goes: `pos` is its last durable entry. Below or at `start` the reader has
    nothing to get (the position of its join, or the head when it began to follow; 0 otherwise)."""

    conversation: Conversation
    pos: Position
    start: Position


Heads_ = Annotated[list[Head], Meta(max_length=limits.HEADS_MAX)]


# ---- segments: what is on disk, on the wire and in a page of history, in the same bytes --------------------


class Messages(Struct, array_like=True, frozen=True, tag=0, gc=False):
    """One Send: as many entries as texts, at consecutive positions, of `nick`, with the ids
    `instance`.`counter` and the counters that follow."""

    nick: Nick
    instance: Instance
    counter: Count
    texts: Texts


class KeyedMessage(Struct, array_like=True, frozen=True, tag=1, gc=False):
    """One message of `nick` with the id `key`."""

    nick: Nick
    key: Key
    text: Text


class Registered(Struct, array_like=True, frozen=True, tag=2, gc=False):
    """`nick` was registered with the CURVE key `key`. `folded` is the nick's mapped form for comparison."""

    nick: Nick
    folded: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]
    key: CurveKey


class Joined(Struct, array_like=True, frozen=True, tag=3, gc=False):
    """`nick` became a member of the room; `created`: and the room came to be with this entry."""

    nick: Nick
    created: bool


class Left(Struct, array_like=True, frozen=True, tag=4, gc=False):
    """`nick` is no longer a member of the room."""

    nick: Nick


class TopicSet(Struct, array_like=True, frozen=True, tag=5, gc=False):
    """`nick` set the topic of the room."""

    nick: Nick
    topic: Topic


LAST_ENTRY_TAG: Final = 5  # of those above


class Unknown(Struct, array_like=True, frozen=True, tag=2**31, gc=False):
    """In place of an entry that a newer broker wrote and that is not known here."""


Entries = Messages | KeyedMessage | Registered | Joined | Left | TopicSet | Unknown


class Segment(Struct, array_like=True, frozen=True, gc=False):
    """What one commit holds of one conversation. Positions are consecutive from `first` to `last`; `prev`
    is the conversation's last position before `first` (0: none). `time_ms` is the log's, for all entries."""

    conversation: Conversation
    prev: Position
    first: Position
    last: Position
    time_ms: Milliseconds
    entries: Annotated[list[Entries], Meta(min_length=1, max_length=limits.SEGMENT_ENTRIES_MAX)]


# ---- from client to broker: one frame ---------------------------------------------------------------------


class Hello(Struct, array_like=True, frozen=True, tag=1, gc=False):
    """Opens a session on this connection, and ends the one that was there. With `register`, a nick that is
    free is registered with the connection's key."""

    first_version: Count
    last_version: Count
    nick: Nick
    instance: Instance
    lowest: Count
    floor: Position | None
    quiet: bool
    client: Annotated[str, Meta(max_length=limits.CLIENT_CHARACTERS_MAX)]
    register: bool


class Send(Struct, array_like=True, frozen=True, tag=2, gc=False):
    """Messages for one conversation, with the counters from `counter` on. Answered by a row of Ack, or
    Refused, whole. `lowest` is the lowest counter neither answered nor given up."""

    session: SessionNumber
    token: Token
    lowest: Count
    to: Address
    counter: Count
    texts: Texts


class KeyedSend(Struct, array_like=True, frozen=True, tag=3, gc=False):
    """One message whose id is `key`, which holds for ever and across processes. Answered like Send."""

    session: SessionNumber
    token: Token
    to: Address
    key: Key
    text: Text


class Join(Struct, array_like=True, frozen=True, tag=4, gc=False):
    """Become a member; creates a room that does not exist. Answered by Done."""

    session: SessionNumber
    token: Token
    room: RoomName


class Leave(Struct, array_like=True, frozen=True, tag=5, gc=False):
    """Be a member no longer. Answered by Done, also where one was none."""

    session: SessionNumber
    token: Token
    room: RoomName


class SetTopic(Struct, array_like=True, frozen=True, tag=6, gc=False):
    """Set the topic of a room. Answered by Done."""

    session: SessionNumber
    token: Token
    room: RoomName
    topic: Topic


class Fetch(Struct, array_like=True, frozen=True, tag=7, gc=False):
    """Ask for a page of a conversation. `direction` 0: from the entry after position `bound` on; 1: the last
    ones before position `bound`; 2: from the first entry at or after the time `bound` (ms) on. Answered by
    Page."""

    session: SessionNumber
    token: Token
    to: Address
    direction: Annotated[int, Meta(ge=0, le=2)]
    bound: Count


class Follow(Struct, array_like=True, frozen=True, tag=8, gc=False):
    """Rooms to read beyond the joined ones, all of them, in place of those named before. `over_router`: rooms
    and presence must come over this connection, since the second port cannot be reached. Answered by
    Followed."""

    session: SessionNumber
    token: Token
    rooms: Annotated[list[RoomName], Meta(max_length=limits.FOLLOWED_ROOMS_MAX)]
    over_router: bool


class Ping(Struct, array_like=True, frozen=True, tag=9, gc=False):
    """A sign of life. Answered by Heads with those above `floor`, from the conversation after `after` on
    (the empty string: from the first)."""

    session: SessionNumber
    token: Token
    floor: Position
    after: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]


class ListPeople(Struct, array_like=True, frozen=True, tag=10, gc=False):
    """Ask for the members of `room`, or with None for all who are registered, after the nick `after`.
    Answered by People."""

    session: SessionNumber
    token: Token
    room: RoomName | None
    after: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]


class ListRooms(Struct, array_like=True, frozen=True, tag=11, gc=False):
    """Ask for the public rooms after the name `after`. Answered by Rooms."""

    session: SessionNumber
    token: Token
    after: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]


class Bye(Struct, array_like=True, frozen=True, tag=12, gc=False):
    """Ends the session. Not answered."""

    session: SessionNumber


Request = (
    Hello | Send | KeyedSend | Join | Leave | SetTopic | Fetch | Follow | Ping | ListPeople | ListRooms | Bye
)


# ---- from broker to client: one frame, or a header and segments -------------------------------------------


class Welcome(Struct, array_like=True, frozen=True, tag=32, gc=False):
    """A session is open. `nick` as it was registered; `registered`: just now. `floor`: what the client named,
    or for a new installation the position of the user's registration. `heads` lie above the floor, and
    joined rooms are among them in any case when the client named no floor; `next` is not empty when there
    are more (Ping with `after`). They are complete up to `as_of`. `port` is that of XPUB, `nonce` the
    subscription that confirms all before it."""

    session: SessionNumber
    version: Count
    nick: Nick
    registered: bool
    floor: Position
    as_of: Position
    heads: Heads_
    next: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]
    port: Port
    nonce: Nonce
    heartbeat_ms: Milliseconds
    timeout_ms: Milliseconds
    text_bytes_max: Count
    send_bytes_max: Count
    send_messages_max: Count
    broker: Annotated[str, Meta(max_length=limits.CLIENT_CHARACTERS_MAX)]


class Refused(Struct, array_like=True, frozen=True, tag=33, gc=False):
    """A request was refused, whole. `session` and `token` are the request's, 0 for Hello and for bytes that
    could not be read; `code` is a number of the table of refusals."""

    session: SessionNumber
    token: Token
    code: Count
    reason: Reason


class Stored(Struct, array_like=True, frozen=True, gc=False):
    """A Send is durable. Its first message is at `pos`, the others follow. `duplicate`: it was stored before,
    and these are its position and its time."""

    token: Token
    pos: Position
    time_ms: Milliseconds
    duplicate: bool


class Ack(Struct, array_like=True, frozen=True, tag=34, gc=False):
    """What one commit made durable of a session's Sends; there may be several of a commit."""

    session: SessionNumber
    results: Annotated[list[Stored], Meta(min_length=1, max_length=limits.ACK_RESULTS_MAX)]


class Done(Struct, array_like=True, frozen=True, tag=35, gc=False):
    """An act is durable, at `pos`; 0 when nothing had to change."""

    session: SessionNumber
    token: Token
    pos: Position


class Deliver(Struct, array_like=True, frozen=True, tag=36, gc=False):
    """The header before one segment."""

    session: SessionNumber


class Page(Struct, array_like=True, frozen=True, tag=37, gc=False):
    """The header before the segments of a page, in rising order. Below `floor` nothing is kept any more.
    `head` is the conversation's last durable position."""

    session: SessionNumber
    token: Token
    conversation: Conversation
    floor: Position
    head: Position


class Heads(Struct, array_like=True, frozen=True, tag=38, gc=False):
    """Answer to Ping, and (with token 0) what is published on a nonce: heads above the floor in the order of
    their conversations, complete up to `as_of` once `next` is empty."""

    session: SessionNumber
    token: Token
    as_of: Position
    heads: Heads_
    next: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]


class Followed(Struct, array_like=True, frozen=True, tag=39, gc=False):
    """Answer to Follow: the head of each room now followed, and a new nonce in place of the one before."""

    session: SessionNumber
    token: Token
    as_of: Position
    heads: Heads_
    nonce: Nonce


class Person(Struct, array_like=True, frozen=True, gc=False):
    """Somebody who is registered, and whether they are here now."""

    nick: Nick
    present: bool


class People(Struct, array_like=True, frozen=True, tag=40, gc=False):
    """Answer to ListPeople, in the order of the nicks; `next` is not empty when there are more."""

    session: SessionNumber
    token: Token
    people: Annotated[list[Person], Meta(max_length=limits.LIST_MAX)]
    next: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]


class Room(Struct, array_like=True, frozen=True, gc=False):
    """A public room, its topic and the number of its members."""

    name: RoomName
    topic: Topic
    members: Count


class Rooms(Struct, array_like=True, frozen=True, tag=41, gc=False):
    """Answer to ListRooms, in the order of the names; `next` is not empty when there are more. A page of
    rooms may be shorter than the limit, since topics are long."""

    session: SessionNumber
    token: Token
    rooms: Annotated[list[Room], Meta(max_length=limits.LIST_MAX)]
    next: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]


class Presence(Struct, array_like=True, frozen=True, tag=42, gc=False):
    """Who came and who went, published on `!here` or, over ROUTER, sent to the session."""

    session: SessionNumber
    changes: Annotated[list[Person], Meta(min_length=1, max_length=limits.LIST_MAX)]


Answer = (
    Welcome | Refused | Ack | Done | Deliver | Page | Heads | Followed | People | Rooms | Presence
)  # fmt: skip


# ---- topics of the XPUB socket ----------------------------------------------------------------------------

HERE: Final = b"!here\0"


def room_topic(room: str) -> bytes:
    """The XPUB topic of a public room. It ends with a zero byte: no topic is the prefix of another."""
    return b"#" + room.encode() + b"\0"


def nonce_topic(nonce: str) -> bytes:
    """The XPUB topic of a nonce. `~` sorts behind every other mark, so it is resubscribed last."""
    return b"~" + nonce.encode() + b"\0"


# ---- encoding ---------------------------------------------------------------------------------------------


class Malformed(ValueError):
    """The bytes are no message. `str()` says why, without quoting them."""


class _RawSegment(Struct, array_like=True):
    """A segment whose entries are not looked at."""

    conversation: Conversation
    prev: Position
    first: Position
    last: Position
    time_ms: Milliseconds
    entries: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=limits.SEGMENT_ENTRIES_MAX)]


class _Tagged(Struct, array_like=True):
    """The tag of an entry; the fields behind it are not looked at."""

    number: int


encode: Final = msgspec.msgpack.Encoder().encode
_request: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(Request)
_answer: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)
_segment: Final = msgspec.msgpack.Decoder(Segment)
_raw_segment: Final = msgspec.msgpack.Decoder(_RawSegment)
_tagged: Final = msgspec.msgpack.Decoder(_Tagged)
_entry: Final[msgspec.msgpack.Decoder[Entries]] = msgspec.msgpack.Decoder(Entries)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError)


def decode_request(frame: bytes) -> Request:
    """A request; raises Malformed for anything else."""
    try:
        return _request.decode(frame)
    except _UNREADABLE as error:
        raise Malformed(f"{error}"[:200]) from None


def decode_answer(frame: bytes) -> Answer:
    """An answer or a header; raises Malformed for anything else."""
    try:
        return _answer.decode(frame)
    except _UNREADABLE as error:
        raise Malformed(f"{error}"[:200]) from None


def decode_segment(frame: bytes) -> Segment:
    """A segment; raises Malformed for anything else. Entries whose tag is not known here become Unknown.

    protocol.md, Segments: a reader skips an entry that it does not know, as one position.
    """
    try:
        return _segment.decode(frame)
    except _UNREADABLE:
        pass
    try:
        raw = _raw_segment.decode(frame)
        entries = [_entry_or_unknown(one) for one in raw.entries]
    except _UNREADABLE as error:
        raise Malformed(f"{error}"[:200]) from None
    return Segment(raw.conversation, raw.prev, raw.first, raw.last, raw.time_ms, entries)


def _entry_or_unknown(raw: msgspec.Raw) -> Entries:
    return Unknown() if _tagged.decode(raw).number > LAST_ENTRY_TAG else _entry.decode(raw)
