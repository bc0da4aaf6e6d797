"""The messages of ZCHAT/1, each a MessagePack array that begins with its tag, and their bounds.

`docs/protocol.md` is the specification; a test keeps both equal. A receiver ignores fields behind those it
knows, and a field with a default may be missing. Decoding checks every bound, so no number, string or list
reaches a core that a core cannot handle.

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
Address = Annotated[
    str, Meta(min_length=1, max_length=1 + limits.NAME_CHARACTERS_MAX)
]  # "#room", "@nick" or "$"
Conversation = Annotated[str, Meta(min_length=1, max_length=limits.CONVERSATION_BYTES_MAX)]
Key = Annotated[str, Meta(min_length=1, max_length=limits.KEY_CHARACTERS_MAX, pattern=r"^[!-}][!-~]*\Z")]
CurveKey = Annotated[str, Meta(min_length=40, max_length=40)]  # Z85, as ZAP has it in User-Id
Text = Annotated[str, Meta(min_length=1, max_length=limits.TEXT_BYTES_MAX)]
Texts = Annotated[list[Text], Meta(min_length=1, max_length=limits.SEND_MESSAGES_MAX)]
Topic = Annotated[str, Meta(max_length=limits.TOPIC_BYTES_MAX)]
StoredText = Annotated[str, Meta(max_length=limits.TEXT_BYTES_MAX)]  # empty: it was redacted
StoredTexts = Annotated[list[StoredText], Meta(min_length=1, max_length=limits.SEND_MESSAGES_MAX)]
Nonce = Annotated[str, Meta(max_length=64)]
NameOrNone = Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]  # of a room or a nick; empty: none
RoomNames = Annotated[list[RoomName], Meta(max_length=limits.TOKEN_ROOMS_MAX)]
InviteId = Annotated[str, Meta(min_length=8, max_length=8, pattern=r"^[a-z2-7]*\Z")]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]  # SHA-256
Role = Annotated[int, Meta(ge=0, le=3)]
SanctionKind = Annotated[int, Meta(ge=1, le=2)]
Note = Annotated[str, Meta(max_length=limits.REASON_CHARACTERS_MAX)]
Reason = Annotated[str, Meta(max_length=1024)]

NONE, VOICE, OPERATOR, OWNER = range(4)  # a Role: what somebody may do in a room; at the broker 0 or OPERATOR
MUTE, BAN = 1, 2  # a SanctionKind
FOR_EVER: Final = 2**53 - 1  # in place of a time
ACCOUNT: Final = "$"  # who acts through the control socket, and the conversation of what belongs to no other


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
    `instance`.`counter` and the counters that follow. An empty text was redacted."""

    nick: Nick
    instance: Instance
    counter: Count
    texts: StoredTexts


class KeyedMessage(Struct, array_like=True, frozen=True, tag=1, gc=False):
    """One message of `nick` with the id `key`. An empty text was redacted."""

    nick: Nick
    key: Key
    text: StoredText


class Registered(Struct, array_like=True, frozen=True, tag=2, gc=False):
    """`nick` was registered with the CURVE key `key`, by an invite if `invite` is not empty. `folded` is the
    nick's mapped form for comparison."""

    nick: Nick
    folded: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]
    key: CurveKey
    invite: Annotated[str, Meta(max_length=8)] = ""


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


class Acted(Struct, array_like=True, frozen=True, tag=6, gc=False):
    """`nick` did what `act` names to `subject` (a nick, an invite), in `room` if it is about one, until
    `until_ms` (FOR_EVER, or 0 where it does not end). It stands in the room, in `$`, and in the direct
    conversation of the two. protocol.md, Acts."""

    nick: Nick
    act: Annotated[str, Meta(min_length=1, max_length=32)]
    room: NameOrNone
    subject: Annotated[str, Meta(max_length=limits.CONVERSATION_BYTES_MAX)]
    until_ms: Milliseconds
    details: Reason
    reason: Note


class Redacted(Struct, array_like=True, frozen=True, tag=7, gc=False):
    """`nick` had the text of the message at `pos`, in this conversation, removed."""

    nick: Nick
    pos: Position
    reason: Note


LAST_ENTRY_TAG: Final = 7  # of those above


class Unknown(Struct, array_like=True, frozen=True, tag=2**31, gc=False):
    """In place of an entry that a newer broker wrote and that is not known here."""


Entries = Messages | KeyedMessage | Registered | Joined | Left | TopicSet | Acted | Redacted | Unknown


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
    free is registered with the connection's key. `invite` is the secret of an invite, or empty."""

    first_version: Count
    last_version: Count
    nick: Nick
    instance: Instance
    lowest: Count
    floor: Position | None
    quiet: bool
    client: Annotated[str, Meta(max_length=limits.CLIENT_CHARACTERS_MAX)]
    register: bool
    invite: Annotated[str, Meta(max_length=limits.INVITE_CHARACTERS_MAX)] = ""


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
    """Become a member; creates a room that does not exist. With `private`, always creates a private room,
    whose name begins with `room`. Answered by Done, with the name of what was created."""

    session: SessionNumber
    token: Token
    room: RoomName
    private: bool = False


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
    ones before position `bound`; 2: from the first entry at or after the time `bound` (ms) on. The page may
    end with the segment that brings it to `entries_max` entries; 0: no matter how many. Answered by Page."""

    session: SessionNumber
    token: Token
    to: Address
    direction: Annotated[int, Meta(ge=0, le=2)]
    bound: Count
    entries_max: Count = 0


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


class MakeInvite(Struct, array_like=True, frozen=True, tag=13, gc=False):
    """Let `uses` people in who show the secret with this SHA-256 `digest`, within `lifetime_ms`. `nick`: only
    as that one, also in place of a lost key. `room`: they become members of it. Answered by Done."""

    session: SessionNumber
    token: Token
    invite: InviteId
    digest: Digest
    nick: NameOrNone
    room: NameOrNone
    uses: Annotated[int, Meta(ge=1, le=limits.INVITE_USES_MAX)]
    lifetime_ms: Milliseconds
    reason: Note


class EndInvite(Struct, array_like=True, frozen=True, tag=14, gc=False):
    """Make an invite worthless. Answered by Done."""

    session: SessionNumber
    token: Token
    invite: InviteId
    reason: Note


class MakeToken(Struct, array_like=True, frozen=True, tag=15, gc=False):
    """Register the bot `nick` with the CURVE key `key`. It may do no more than is said here: in `rooms`
    (none: in all public ones, and direct messages), send, read; for `lifetime_ms` (0: for ever). Answered
    by Done."""

    session: SessionNumber
    token: Token
    nick: Nick
    key: CurveKey
    rooms: RoomNames
    may_send: bool
    may_read: bool
    lifetime_ms: Milliseconds
    reason: Note


class EndToken(Struct, array_like=True, frozen=True, tag=16, gc=False):
    """Make the token of the bot `nick` worthless. Answered by Done."""

    session: SessionNumber
    token: Token
    nick: Nick
    reason: Note


class SetRole(Struct, array_like=True, frozen=True, tag=17, gc=False):
    """Give `nick` a role in `room`; with an empty room at the broker (OPERATOR: administers it). Answered by
    Done."""

    session: SessionNumber
    token: Token
    room: NameOrNone
    nick: Nick
    role: Role
    reason: Note


class SetMode(Struct, array_like=True, frozen=True, tag=18, gc=False):
    """`announce`: only who has a role in the room may write there. Answered by Done."""

    session: SessionNumber
    token: Token
    room: RoomName
    announce: bool


class InviteToRoom(Struct, array_like=True, frozen=True, tag=19, gc=False):
    """Let `nick` join a private room. Answered by Done."""

    session: SessionNumber
    token: Token
    room: RoomName
    nick: Nick


class Kick(Struct, array_like=True, frozen=True, tag=20, gc=False):
    """End the membership of `nick`, who reads the room no more until joining it anew. Answered by Done."""

    session: SessionNumber
    token: Token
    room: RoomName
    nick: Nick
    reason: Note


class Sanction(Struct, array_like=True, frozen=True, tag=21, gc=False):
    """Mute or ban `nick` in `room`, with an empty room at the broker, for `lifetime_ms` (0: for ever).
    Answered by Done."""

    session: SessionNumber
    token: Token
    room: NameOrNone
    nick: Nick
    kind: SanctionKind
    lifetime_ms: Milliseconds
    reason: Note


class Pardon(Struct, array_like=True, frozen=True, tag=22, gc=False):
    """End a mute or a ban. Answered by Done."""

    session: SessionNumber
    token: Token
    room: NameOrNone
    nick: Nick
    kind: SanctionKind
    reason: Note


class ChangeKey(Struct, array_like=True, frozen=True, tag=23, gc=False):
    """From now on the nick belongs to `key`, in place of the key of this session. Answered by Done."""

    session: SessionNumber
    token: Token
    key: CurveKey


class Redact(Struct, array_like=True, frozen=True, tag=24, gc=False):
    """Remove the text of the message at `pos` of the conversation `to`. Answered by Done, once it is in no
    file of the broker any more."""

    session: SessionNumber
    token: Token
    to: Address
    pos: Position
    reason: Note


class SetAway(Struct, array_like=True, frozen=True, tag=25, gc=False):
    """Be away, for the reason `text`; empty: be back. Answered by Done."""

    session: SessionNumber
    token: Token
    text: Note


class SetIgnored(Struct, array_like=True, frozen=True, tag=26, gc=False):
    """Whether what `nick` writes is to be passed over. Kept with the account; clients act on it. Answered by
    Done."""

    session: SessionNumber
    token: Token
    nick: Nick
    ignored: bool


class Whois(Struct, array_like=True, frozen=True, tag=27, gc=False):
    """Ask about `nick`; empty: about oneself. Answered by Profile."""

    session: SessionNumber
    token: Token
    nick: NameOrNone


class ListInvites(Struct, array_like=True, frozen=True, tag=28, gc=False):
    """Ask for the invites after the id `after`. Answered by Invites."""

    session: SessionNumber
    token: Token
    after: NameOrNone


class ListTokens(Struct, array_like=True, frozen=True, tag=29, gc=False):
    """Ask for one's tokens, or as an administrator for all, after the nick `after`. Answered by Tokens."""

    session: SessionNumber
    token: Token
    after: NameOrNone


class ListSanctions(Struct, array_like=True, frozen=True, tag=30, gc=False):
    """Ask for the mutes and bans of `room`, with an empty room of the broker, after the nick `after`.
    Answered by Sanctions."""

    session: SessionNumber
    token: Token
    room: NameOrNone
    after: NameOrNone


class ListLimits(Struct, array_like=True, frozen=True, tag=31, gc=False):
    """Ask for the limits of the broker. Answered by Bounds."""

    session: SessionNumber
    token: Token


Act = (
    Join
    | Leave
    | SetTopic
    | MakeInvite
    | EndInvite
    | MakeToken
    | EndToken
    | SetRole
    | SetMode
    | InviteToRoom
    | Kick
    | Sanction
    | Pardon
    | ChangeKey
    | SetAway
    | SetIgnored
)  # answered by Done; each is decided on as it is
Question = ListPeople | ListRooms | Whois | ListInvites | ListTokens | ListSanctions | ListLimits
Request = Hello | Send | KeyedSend | Act | Redact | Fetch | Follow | Ping | Question | Bye


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
    time_ms: Milliseconds = 0


class Refused(Struct, array_like=True, frozen=True, tag=33, gc=False):
    """A request was refused, whole. `session` and `token` are the request's, 0 for Hello and for bytes that
    could not be read; `code` is a number of the table of refusals. `retry_after_ms`: the same request will
    not be refused for that after so long; 0 unless it is RATE_LIMITED."""

    session: SessionNumber
    token: Token
    code: Count
    reason: Reason
    retry_after_ms: Milliseconds = 0


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
    """An act is durable, at `pos`; 0 when nothing had to change. `name`: of the room that it created."""

    session: SessionNumber
    token: Token
    pos: Position
    name: NameOrNone = ""


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
    """Somebody who is registered, and whether they are here now. `role` is that in the room that was asked
    for, else that at the broker."""

    nick: Nick
    present: bool
    away: bool = False
    role: Role = 0


class People(Struct, array_like=True, frozen=True, tag=40, gc=False):
    """Answer to ListPeople, in the order of the nicks; `next` is not empty when there are more."""

    session: SessionNumber
    token: Token
    people: Annotated[list[Person], Meta(max_length=limits.LIST_MAX)]
    next: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]


class Room(Struct, array_like=True, frozen=True, gc=False):
    """A room, its topic and the number of its members. A private one is shown to its members and to who is
    invited; `announce`: only who has a role writes there."""

    name: RoomName
    topic: Topic
    members: Count
    private: bool = False
    announce: bool = False


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


class Profile(Struct, array_like=True, frozen=True, tag=43, gc=False):
    """Answer to Whois. Times are in ms since 1970, `seen_ms` 0 for one who was never seen by this broker;
    `idle_ms` is since the last request of one who is present. `rooms`: those of both. `maker`: of a bot.
    `away` is the reason, `ignored` told to oneself alone."""

    session: SessionNumber
    token: Token
    nick: Nick
    keys: Annotated[list[CurveKey], Meta(max_length=16)]
    since_ms: Milliseconds
    seen_ms: Milliseconds
    sessions: Count
    present: bool
    away: Note
    idle_ms: Milliseconds
    role: Role
    maker: NameOrNone
    rooms: Annotated[list[RoomName], Meta(max_length=limits.JOINED_ROOMS_MAX)]
    ignored: Annotated[list[Nick], Meta(max_length=limits.IGNORED_MAX)]


class InviteRow(Struct, array_like=True, frozen=True, gc=False):
    """An invite that can still be used, `uses` times, until `until_ms`."""

    invite: InviteId
    maker: Nick
    nick: NameOrNone
    room: NameOrNone
    uses: Count
    until_ms: Milliseconds


class Invites(Struct, array_like=True, frozen=True, tag=44, gc=False):
    """Answer to ListInvites, in the order of the ids; `next` is not empty when there are more."""

    session: SessionNumber
    token: Token
    invites: Annotated[list[InviteRow], Meta(max_length=limits.LIST_MAX)]
    next: NameOrNone


class TokenRow(Struct, array_like=True, frozen=True, gc=False):
    """A token that holds: what the bot `nick` may do, until `until_ms`."""

    nick: Nick
    maker: Nick
    rooms: RoomNames
    may_send: bool
    may_read: bool
    until_ms: Milliseconds


class Tokens(Struct, array_like=True, frozen=True, tag=45, gc=False):
    """Answer to ListTokens, in the order of the nicks; `next` is not empty when there are more."""

    session: SessionNumber
    token: Token
    tokens: Annotated[list[TokenRow], Meta(max_length=limits.LIST_MAX)]
    next: NameOrNone


class SanctionRow(Struct, array_like=True, frozen=True, gc=False):
    """A mute or a ban of `nick` by `actor`, until `until_ms`."""

    nick: Nick
    kind: SanctionKind
    until_ms: Milliseconds
    actor: Nick
    reason: Note


class Sanctions(Struct, array_like=True, frozen=True, tag=46, gc=False):
    """Answer to ListSanctions, in the order of the nicks; `next` is not empty when there are more."""

    session: SessionNumber
    token: Token
    sanctions: Annotated[list[SanctionRow], Meta(max_length=limits.LIST_MAX)]
    next: NameOrNone


class Bound(Struct, array_like=True, frozen=True, gc=False):
    """A limit by its name, which has its unit, and what it is of."""

    name: Annotated[str, Meta(max_length=64)]
    value: Count
    meaning: Reason


class Bounds(Struct, array_like=True, frozen=True, tag=47, gc=False):
    """Answer to ListLimits."""

    session: SessionNumber
    token: Token
    limits: Annotated[list[Bound], Meta(max_length=limits.LIST_MAX)]


Listed = People | Rooms | Profile | Invites | Tokens | Sanctions | Bounds  # answers to a Question
Answer = Welcome | Refused | Ack | Done | Deliver | Page | Heads | Followed | Presence | Listed


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
