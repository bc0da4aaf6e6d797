"""What is on disk by now: how far each conversation goes, and who reads which. Told without waiting."""

from collections.abc import Iterable

from zchat.broker.core.port import StoredSegment
from zchat.broker.core.state import Membership, State, readers
from zchat.common import limits, wire


class Durable:
    """The durable heads. `as_of` is the last durable position, for which they are complete."""

    def __init__(self, state: State) -> None:
        self.as_of = state.last_pos
        self.heads = dict(state.heads)
        self._reads: dict[str, dict[str, int]] = {}
        for nick, user in state.users.items():
            self._reads[nick] = {f"#{name}": pos for name, pos in user.rooms.items()}
        for conversation in state.heads:
            self._add_readers(conversation)

    def commit(self, segments: Iterable[StoredSegment], changes: Iterable[Membership]) -> None:
        """Follow a commit that became durable."""
        for segment in segments:
            if segment.prev == 0:
                self._add_readers(segment.conversation)
            self.heads[segment.conversation] = self.as_of = segment.last
        for nick, conversation, start in changes:
            reads = self._reads.setdefault(nick, {})
            if start is None:
                reads.pop(conversation, None)
            else:
                reads[conversation] = start

    def start(self, nick: str, conversation: str) -> int | None:
        """Where a user began to read a conversation, as a member or as one of the two; None for others."""
        return self._reads.get(nick, {}).get(conversation)

    def heads_of(
        self, nick: str, followed: dict[str, int], floor: int, after: str, with_rooms: bool
    ) -> tuple[list[wire.Head], str]:
        """A page of the heads above `floor` that a session is to know, in the order of their names after
        `after`, and where the next page begins (empty: there is none). `with_rooms`: rooms in any case."""
        starts = {**followed, **self._reads.get(nick, {})}
        page: list[wire.Head] = []
        for conversation in sorted(starts):
            pos = self.heads.get(conversation, 0)
            wanted = pos > floor or (with_rooms and conversation.startswith("#"))
            if conversation <= after or not wanted:
                continue
            if len(page) == limits.HEADS_MAX:
                return page, page[-1].conversation
            page.append(wire.Head(conversation, pos, starts[conversation]))
        return page, ""

    def _add_readers(self, conversation: str) -> None:
        for nick in readers(conversation):
            self._reads.setdefault(nick, {})[conversation] = 0
