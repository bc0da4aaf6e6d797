"""Receiving: one rule for all segments, lists of heads that find what is missing, and the floor.

Longer than other files: cursors, the floor and what is read change together, by any of the ways on which news
come, and a part that knew one of them alone could let the floor pass over what is missing.
"""

from typing import Final

from zchat.client.core.catchup import CatchUp
from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.core.effects import Deliver, Effect, Save
from zchat.client.core.fetches import Fetches, Wanted
from zchat.client.core.inbox import Inbox
from zchat.client.core.listing import Listing
from zchat.client.messages import entries_of, positions_in
from zchat.common import wire
from zchat.common.codes import Refusal

_FRUITLESS_MAX: Final = 8  # pages without news before the broker's word is taken that there are none
_NOW: Final = 2**53  # behind every position
_GONE: Final = frozenset((Refusal.NO_SUCH_ROOM, Refusal.NO_SUCH_USER, Refusal.NOT_ALLOWED))
_EXPELLING: Final = frozenset(("kicked", "banned"))  # acts that end the reading of a room


class Reading:
    """Decides what is delivered to the user. protocol.md, Receiving.

    `resume`: what was missed since the snapshot is wanted; with no snapshot, direct messages since the
    registration. Without: everything begins with the first Welcome.
    """

    def __init__(self, fetches: Fetches, cursors: Cursors, snapshot: Snapshot | None, resume: bool) -> None:
        self.cursors = cursors
        self.inbox = Inbox(snapshot)
        self.nick = ""
        self.fresh = self.inbox.fresh
        self.requested: set[str] = set()  # rooms that the session follows, or may follow by now
        self._left: dict[str, int] = {}  # rooms that were left, and where
        self.rooms_changed = False  # since this was set to False
        self.expelled: dict[str, str] = {}  # followed rooms that may be read no longer, and why
        self._catchup = CatchUp()
        self._resume = resume
        self._fetches = fetches
        self._first_floor = 0  # of the Welcome, while the first list is not complete
        self._starts: dict[str, int] = {}  # of rooms that are read: where the present membership began
        self._targets: dict[str, int] = {}  # the furthest position heard of, where something is missing
        self._sweep: Listing | None = None  # the list that the floor waits for
        self._unseen: set[str] = set()  # joined rooms that the first list of the session does not name
        self._saved = max(cursors.positions.values(), default=0)  # no log that was read ends below it
        self._is_anew = False

    @property
    def hello_floor(self) -> int | None:
        """What Hello says: None until the first list of heads was complete."""
        return None if self.fresh else self.cursors.floor

    @property
    def list_floor(self) -> int:
        """Above which heads are asked for."""
        return self._first_floor if self.fresh else self.cursors.floor

    @property
    def rooms(self) -> set[str]:
        """The rooms that are read: joined and followed ones."""
        return self.cursors.joined | self.cursors.followed

    # ---- another log ----

    def is_ahead_of(self, welcome: wire.Welcome) -> bool:
        """Whether more was read than there is in the broker's log: it was replaced by an older one. Only what
        was saved by an earlier process counts beside the floor: rooms come on a way of their own, and may
        have been ahead of this Welcome."""
        if self.fresh:  # the answer to a Hello from before it was found out
            return self._is_anew and welcome.floor > welcome.as_of
        return max(self.cursors.floor, self._saved) > welcome.as_of

    def begin_anew(self, as_of: int) -> None:
        """Forget what was reached, and what is known from the log that was replaced. What the present one has
        up to `as_of` is not wanted: what of it is new, nobody knows."""
        self.fresh = self._is_anew = True
        self._resume = False
        self._saved = 0
        self.cursors.begin_anew(as_of)
        self.inbox.began_anew(as_of)
        self.rooms_changed = True
        self._catchup = CatchUp()
        self._fetches.drop_repairs()
        self._sweep = None
        for known in (self._left, self._starts, self._targets):
            known.clear()
        self._unseen.clear()

    # ---- lists of heads ----

    def welcomed(self, welcome: wire.Welcome, covers_followed: bool) -> Listing:
        """A session begins. Its first list of heads begins with the Welcome's."""
        self.nick = welcome.nick
        if self.fresh and self.cursors.floor == 0:
            self._raise_floor(welcome.floor if self._resume else max(welcome.floor, welcome.as_of))
        self._first_floor = welcome.floor
        self._sweep = None
        self._catchup.begin()
        listing = Listing(True, covers_followed)
        self.listed(listing, welcome.heads, welcome.as_of, is_welcome=True)
        return listing

    def listed(self, listing: Listing, heads: list[wire.Head], as_of: int, is_welcome: bool = False) -> None:
        """A page of a list of heads: what lies above the cursors is missing. In a Welcome there are no rooms
        but joined ones, since nothing is followed yet."""
        listing.page(as_of)
        for head in heads:
            conversation = head.conversation
            if conversation.startswith("#"):
                listing.rooms.add(conversation)
                self._adopt(head, is_welcome)
            if not self._reads(conversation):
                if head.pos > self.cursors.position(conversation):
                    listing.covers_followed = False  # it may be read soon: the floor must not pass it
                    if listing.is_first and conversation in self.requested:
                        self._catchup.doubt(conversation, head.pos)
                continue
            if head.pos > self.cursors.position(conversation):
                listing.behind[conversation] = head.pos
                if listing.is_first:
                    self._catchup.expect(conversation, head.pos)
                self._miss(conversation, head.pos)

    def list_completed(self, listing: Listing) -> list[Effect]:
        """The floor may rise to a list's `as_of` as soon as all its heads are reached. One list at a time: a
        newer one would move the goal as fast as it is approached.

        A joined room that the first list does not name has nothing new, or the user has left it elsewhere:
        one page tells, and until then the floor stays where it is.
        """
        effects: list[Effect] = []
        if listing.is_first:
            if self.fresh:
                self.fresh = self.inbox.fresh = False
                effects.append(Save())
            self._catchup.listed()
            self._unseen = self.cursors.joined - listing.rooms
            for room in sorted(self._unseen):
                self._want(room)
        if self._pursue(listing) and listing.covers_followed:
            self._catchup.resolve(self._misses)
            if self._sweep is None:
                self._sweep = listing
                self._advance_sweep()
        return effects

    def _pursue(self, listing: Listing) -> bool:
        """Strike off what is reached by now, and want the rest once more: while the list came, the user may
        have taken nothing for a while. False when some of it is read no longer: then only the next list tells
        whether it is to be."""
        for conversation, position in list(listing.behind.items()):
            if self.cursors.position(conversation) >= position:
                del listing.behind[conversation]
            elif self._reads(conversation):
                self._want(conversation)
        return all(self._reads(conversation) for conversation in listing.behind)

    def _adopt(self, head: wire.Head, is_welcome: bool) -> None:
        """A room that a list names and that is not read yet was joined, here or elsewhere. But one that the
        session follows, or may follow by now, is named for that, except in a Welcome.

        A new installation starts a joined room at its head; otherwise reading starts at the join, `start`.
        """
        room, cursors = head.conversation, self.cursors
        if not is_welcome and room in self.requested:
            return
        self._starts[room] = head.start
        if room in cursors.joined or head.start <= self._left.get(room, -1):
            return  # in the second case it was left: the list is older than that
        position, is_known = cursors.position(room), room in cursors.positions
        self._join(room)
        if room in cursors.followed:
            return
        if self.fresh and self._resume and not is_known:
            self._reach(room, head.pos)
        elif head.start > position:
            self._reach(room, head.start)

    # ---- followed rooms ----

    def followed(self, heads: list[wire.Head]) -> None:
        """The session follows exactly these rooms. One that was not read before begins at its head."""
        before, cursors = self.rooms, self.cursors
        rooms = {head.conversation for head in heads if head.conversation.startswith("#")}
        self.follow(rooms)
        self.requested = set(rooms)
        for head in heads:
            room = head.conversation
            if room not in rooms:
                continue
            if room not in before:
                self._reach(room, head.start or head.pos)
            if head.pos > cursors.position(room):
                self._catchup.expect(room, head.pos)
                self._miss(room, head.pos)

    def follow(self, rooms: set[str]) -> None:
        """Exactly these rooms are followed from now on. Others are read no longer but for joined ones. One
        that was joined unnoticed is named by the next list, and read on from where it was: until then the
        floor must not pass it."""
        dropped = self.cursors.followed - rooms
        self.rooms_changed = True
        self.cursors.followed = set(rooms)
        self.inbox.taken.followed = set(rooms)
        for room in dropped - self.cursors.joined:
            if self._sweep is not None and room in self._sweep.behind:
                self._sweep = None
            self._catchup.doubt(room)
            self._forget(room)

    # ---- the rule ----

    def received(self, segment: wire.Segment, is_page: bool = False) -> list[Effect]:
        """A segment, from wherever: at or below the cursor drop it; behind the cursor without a gap deliver
        it; otherwise drop it and fetch. protocol.md, Receiving."""
        if not self._is_sound(segment) or self.inbox.full:
            return []
        conversation = segment.conversation
        if not self._reads(conversation) and not self._joins(segment):
            return []
        position = self.cursors.position(conversation)
        if segment.last <= position:
            return []
        if segment.prev > position:
            if not is_page:  # a page with a gap is asked for again after a while, not at once
                self._miss(conversation, segment.last)
            return []
        entries = entries_of(segment, position)
        effects: list[Effect] = [Deliver([*entries])] if entries else []
        self.cursors.move(conversation, segment.last)
        self.inbox.reached(conversation, segment.last, entries)
        self._reached(conversation, segment.last)
        self._follow_own(segment)
        return effects

    def page(
        self, wanted: Wanted, header: wire.Page, segments: list[wire.Segment], now_ms: int
    ) -> list[Effect]:
        """A page that was asked for as a repair."""
        conversation = wanted.key
        assert isinstance(conversation, str)
        if not self._reads(conversation) or self.inbox.full:
            return []
        if header.conversation != conversation:
            self._fetches.again(wanted, fruitless=True, now_ms=now_ms)
            return []
        before = self.cursors.position(conversation)
        if header.floor - 1 > before:  # retention: what lies below is gone
            self._reach(conversation, header.floor - 1)
        effects: list[Effect] = []
        for segment in segments:
            if segment.conversation == conversation:
                effects += self.received(segment, is_page=True)
        if self.inbox.full:
            return effects
        position = self.cursors.position(conversation)
        self._page_done(wanted, position, header.head, fruitless=position <= before, now_ms=now_ms)
        return effects

    def _page_done(self, wanted: Wanted, position: int, head: int, fruitless: bool, now_ms: int) -> None:
        conversation = wanted.key
        assert isinstance(conversation, str)
        if not self._reads(conversation):
            return
        if position >= head and conversation in self._unseen:
            self._unseen.discard(conversation)
            self._advance_sweep()
        if position >= head and fruitless and wanted.attempts >= _FRUITLESS_MAX:
            self._targets.pop(conversation, None)  # nothing that can be had
        if position < max(head, self._targets.get(conversation, 0)):
            self._fetches.again(wanted, fruitless, now_ms)
        else:
            self._targets.pop(conversation, None)

    def page_refused(self, conversation: str, refusal: Refusal, reason: str) -> bool:
        """A repair was refused. True when there is nothing to be had there any more: it is read no longer."""
        if refusal not in _GONE:
            return False
        self._forget(conversation)
        if conversation.startswith("#"):
            self._expel(conversation, _NOW, reason)
        return True

    def examine_followed(self) -> None:
        """Some room that is followed may not be read any more: a page of each tells which."""
        for room in sorted(self.cursors.followed):
            self._want(room)

    # ---- the user ----

    def took(self, count: int) -> bool:
        """The user took updates. True when reading goes on after it had stopped: what was dropped meanwhile
        is to be looked for."""
        if not self.inbox.took(count):
            return False
        awaited = self._sweep.behind.keys() if self._sweep else set()
        for conversation in sorted(awaited | self._unseen | self._catchup.awaited):
            self._want(conversation)
        return True

    def stop_if_full(self) -> None:
        """While the user takes nothing, nothing is fetched."""
        if self.inbox.full:
            self._fetches.drop_repairs()
            self._targets.clear()

    def catches_up(self) -> bool:
        """Whether everything that was missed before the session is delivered now. True once in a session."""
        if not self._catchup.is_complete or self._unseen or self.inbox.full:
            return False
        self._catchup.told()
        return True

    # ---- acts of our own ----

    def left(self, typed: str, position: int) -> None:
        """The broker says that we are no member of the room any more, as of `position` (0: we were none)."""
        room = f"#{typed}"
        if room not in self.cursors.joined:
            room = next((r for r in self.cursors.joined if r.casefold() == room.casefold()), room)
        if 0 < position <= self.cursors.position(room):
            return  # the entry was here before this answer, and perhaps a later joining as well
        if room in self.cursors.joined:
            if room not in self.cursors.followed:
                self._reach(room, position)
            self._leave(room, position or _NOW)

    def _follow_own(self, segment: wire.Segment) -> None:
        for entry in segment.entries:
            if isinstance(entry, wire.Joined) and entry.nick == self.nick:
                self._join(segment.conversation)
            elif isinstance(entry, wire.Left) and entry.nick == self.nick:
                self._leave(segment.conversation, segment.last)
            elif isinstance(entry, wire.Acted) and entry.subject == self.nick and entry.act in _EXPELLING:
                self._expelled(entry, segment)

    def _expelled(self, acted: wire.Acted, segment: wire.Segment) -> None:
        """We were put out of a room. That is told there and, for those who read it no longer, in the direct
        conversation with whoever did it, at a later position. What was read in the room beyond that, or is
        told to be there of a later membership, is newer. protocol.md, Acts."""
        room, position = f"#{acted.room}", segment.last
        if not acted.room:
            return
        if segment.conversation != room:
            is_older = position <= self.cursors.position(room) or position < self._starts.get(room, 0)
            if not self._reads(room) or is_older:
                return
        why = f": {acted.reason}" if acted.reason else ""
        self._expel(room, position, f"{acted.nick} {acted.act} you{why}")

    def _expel(self, room: str, position: int, why: str) -> None:
        """A room may not be read any more as of `position`, neither as a member nor beyond that."""
        if room in self.cursors.followed:
            self.cursors.followed.discard(room)
            self.inbox.taken.followed.discard(room)
            self.expelled[room] = why
            self.rooms_changed = True
        self._leave(room, position)

    def _joins(self, segment: wire.Segment) -> bool:
        """Whether the segment, of a room that is not read, is our joining it: then reading begins with it. A
        position that is kept from an earlier time tells an old segment from a new one."""
        room, entry = segment.conversation, segment.entries[0]
        if not (room.startswith("#") and isinstance(entry, wire.Joined) and entry.nick == self.nick):
            return False
        if segment.last <= self.cursors.position(room) or not self.nick:
            return False
        self._join(room)
        self._reach(room, segment.first - 1)
        return True

    def _join(self, room: str) -> None:
        if room not in self.cursors.joined:
            self.cursors.join(room)
            self.rooms_changed = True
            self.inbox.membership_changed(room, joined=True)

    def _leave(self, room: str, position: int) -> None:
        """We are no member any more as of `position`. That position stays until the floor has passed it: it
        tells old segments from new ones. But if a list has told of a later joining, it is with that one that
        reading goes on."""
        start = self._starts.pop(room, 0)
        if start > position and room not in self.cursors.followed:
            self._reach(room, start - 1)
            return
        if position != _NOW:
            self._left[room] = position
        if room in self.cursors.joined:
            self.cursors.joined.discard(room)
            self.rooms_changed = True
            self.inbox.membership_changed(room, joined=False)
        if room in self.cursors.followed:
            self._reached(room, self.cursors.position(room))  # the floor counts for it again
        else:
            self._catchup.doubt(room)  # the list that named it may have known of a later joining
            self._forget(room)

    # ---- positions ----

    def _reads(self, conversation: str) -> bool:
        if conversation.startswith("#"):
            return conversation in self.cursors.joined or conversation in self.cursors.followed
        return conversation.startswith("@") and self.nick in conversation[1:].split(",")

    def _misses(self, conversation: str, position: int) -> bool:
        return self._reads(conversation) and self.cursors.position(conversation) < position

    def _is_sound(self, segment: wire.Segment) -> bool:
        return segment.prev < segment.first and segment.last - segment.first + 1 == positions_in(segment)

    def _reach(self, conversation: str, position: int) -> None:
        """Up to `position` nothing is wanted."""
        self.cursors.move(conversation, position)
        self.inbox.reached(conversation, position)
        self._reached(conversation, position)

    def _reached(self, conversation: str, position: int) -> None:
        self._catchup.reached(conversation, position)
        if self._targets.get(conversation, position + 1) <= position:
            del self._targets[conversation]
        if self._sweep is not None and self._sweep.behind.get(conversation, position + 1) <= position:
            del self._sweep.behind[conversation]
            self._advance_sweep()

    def _miss(self, conversation: str, target: int) -> None:
        self._targets[conversation] = max(target, self._targets.get(conversation, 0))
        self._want(conversation)

    def _want(self, conversation: str) -> None:
        if not self.inbox.full:
            self._fetches.repair(conversation, self._address(conversation))

    def _forget(self, conversation: str) -> None:
        self._fetches.drop(conversation)
        self._targets.pop(conversation, None)
        self._unseen.discard(conversation)
        self._catchup.forget(conversation)
        if self._sweep is not None:
            self._sweep.behind.pop(conversation, None)
            self._advance_sweep()

    def _advance_sweep(self) -> None:
        sweep = self._sweep
        if sweep is not None and not sweep.behind and not self._unseen:
            self._sweep = None
            if sweep.as_of is not None:
                self._raise_floor(sweep.as_of)

    def _raise_floor(self, floor: int) -> None:
        if floor > self.cursors.floor:
            self.cursors.raise_floor(floor)
            self.inbox.floor_raised(floor)

    def _address(self, conversation: str) -> str:
        if conversation.startswith("#"):
            return conversation
        one, _, other = conversation[1:].partition(",")
        return "@" + (other if one == self.nick else one)
