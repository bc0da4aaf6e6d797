"""The port to the log: what the core asks of it, and what it reports (docs/architecture.md, The log)."""

from typing import Literal, NamedTuple

from zchat.broker.core.submissions import Submission


class StateRow(NamedTuple):
    """A row of the state that start-up loads, upserted in its entry's transaction. None deletes it."""

    kind: str
    key: str
    value: bytes | None


class StoredSegment(NamedTuple):
    """A segment and what it is found by. `frame` is the encoded segment, the same bytes as on the wire."""

    conversation: str
    prev: int
    first: int
    last: int
    time_ms: int
    frame: bytes


class CounterRow(NamedTuple):
    """A Send by counters that was accepted: `messages` of them from `counter` on, the first at `pos`.
    `digest` (16 bytes) is of addressee and texts."""

    instance: int
    user: str
    counter: int
    messages: int
    pos: int
    time_ms: int
    digest: bytes


class KeyRow(NamedTuple):
    """A message with a key that was accepted, at `pos`. `digest` (16 bytes) is of addressee and text."""

    user: str
    key: str
    pos: int
    time_ms: int
    digest: bytes


class PageQuery(NamedTuple):
    """Which entries of a conversation are wanted: those after position `bound`; the last ones before position
    `bound`; or those from the first entry at or after the time `bound` (ms) on. Enough is a page of
    `bytes_max` bytes, or of `entries_max` entries unless that is 0."""

    conversation: str
    direction: Literal["after", "before", "since"]
    bound: int
    bytes_max: int
    entries_max: int = 0


# ---- core to log ------------------------------------------------------------------------------------------


class Load(NamedTuple):
    """Report the state: at start and after a failed commit. Answered by Loaded, or Failed with seq 0."""


class Append(NamedTuple):
    """Order these submissions and give them their time. Answered by Ordered."""

    seq: int
    submissions: list[Submission]


class Write(NamedTuple):
    """Make durable what was decided, in one transaction. With nothing in it, it is a probe, which still has
    to write and sync. `redactions` are positions of messages whose text is to leave the store. `last_pos` and
    `last_time_ms` are the log's after it. Answered by Durable or Failed."""

    seq: int
    segments: list[StoredSegment]
    counters: list[CounterRow]
    keys: list[KeyRow]
    state: list[StateRow]
    redactions: list[int]
    last_pos: int
    last_time_ms: int


class Look(NamedTuple):
    """Find out which (user, key) were accepted before. In order with Write. Answered by Found."""

    token: int
    keys: list[tuple[str, str]]


class LoadInstance(NamedTuple):
    """Find the accepted Sends of an instance whose last counter is at or above `lowest`. In order with Write.
    Answered by InstanceLoaded."""

    token: int
    user: str
    instance: int
    lowest: int


class Read(NamedTuple):
    """Read a page. Not in order with Write: it sees what is durable by now. Answered by PageRead or
    Unreadable."""

    token: int
    query: PageQuery


# ---- log to core ------------------------------------------------------------------------------------------


class Loaded(NamedTuple):
    """The state as it is on disk; `last_pos` 0 for an empty log."""

    state: list[StateRow]
    last_pos: int
    last_time_ms: int


class Ordered(NamedTuple):
    """The submissions in the log's order, at the log's time: max(wall clock, the time before)."""

    seq: int
    submissions: list[Submission]
    time_ms: int


class Durable(NamedTuple):
    """The Write is synced. `scrubbed`: of what it redacted no copy is left in a file."""

    seq: int
    scrubbed: bool = True


class Failed(NamedTuple):
    """The Write failed. `certain`: before COMMIT, so nothing of it exists. Else nobody knows, until an empty
    Write has succeeded and the store was asked. For Load: seq 0."""

    seq: int
    certain: bool


class Found(NamedTuple):
    """The rows of a Look, in its order; None for a key that is new. `rows` None: the store cannot be read."""

    token: int
    rows: list[KeyRow | None] | None


class InstanceLoaded(NamedTuple):
    """The rows of a LoadInstance in rising order of counters. `rows` None: the store cannot be read."""

    token: int
    rows: list[CounterRow] | None


class PageRead(NamedTuple):
    """Whole segments that overlap the range asked for, in rising order, at least one when there is any, and
    no more than the query's bytes beyond that. Below position `floor` nothing is kept."""

    token: int
    segments: list[bytes]
    floor: int


class Unreadable(NamedTuple):
    """The page cannot be read at the moment."""

    token: int


Command = Load | Append | Write | Look | LoadInstance | Read
Report = Loaded | Ordered | Durable | Failed | Found | InstanceLoaded | PageRead | Unreadable
