"""Barriers: what was ordered before an act has a lower position, and what came after it a higher one."""

from collections import Counter, deque
from collections.abc import Sequence

from tests.sim.model import Violation
from zchat.broker.core.port import Write
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    RegisterSubmitted,
    SendSubmitted,
    Submission,
)
from zchat.common import wire


def check_barriers(submissions: Sequence[Submission], write: Write) -> None:
    """Compare the order in which submissions were decided on with the positions that they got."""
    sends = {(row.user, row.instance, row.counter): row.pos for row in write.counters}
    keyed = {(row.user, row.key): row.pos for row in write.keys}
    for id in _repeated(submissions):  # which of them was accepted cannot be seen
        sends.pop(id, None)
    barriers = deque(_barriers(write))
    highest = barrier = 0
    for submission in submissions:
        match submission:
            case SendSubmitted(user=user, instance=instance, send=send):
                pos = sends.pop((user, instance, send.counter), None)
            case KeyedSendSubmitted(user=user, send=keyed_send):
                pos = keyed.pop((user, keyed_send.key), None)
            case ActSubmitted() | RegisterSubmitted():
                if barriers and _is_of(submission, barriers[0][1], barriers[0][2]):
                    barrier = barriers.popleft()[0]
                    if highest > barrier:
                        raise Violation(f"{submission} is at {barrier}, what came before it at {highest}")
                continue
            case _:
                continue
        if pos is not None:
            highest = max(highest, pos)
            if pos < barrier:
                raise Violation(f"{submission} is at {pos}, what came before it at {barrier}")


def _repeated(submissions: Sequence[Submission]) -> list[tuple[str, int, int]]:
    sends = [one for one in submissions if isinstance(one, SendSubmitted)]
    times = Counter((one.user, one.instance, one.send.counter) for one in sends)
    return [id for id, count in times.items() if count > 1]


def _barriers(write: Write) -> list[tuple[int, str, wire.Entries]]:
    found = []
    for stored in write.segments:
        (entry, *_) = wire.decode_segment(stored.frame).entries
        if not isinstance(entry, wire.Messages | wire.KeyedMessage):
            found.append((stored.first, stored.conversation, entry))
    return found


def _is_of(submission: Submission, conversation: str, entry: wire.Entries) -> bool:
    """The entry is what the act would have brought about. Of two such acts the first one has."""
    match submission, entry:
        case RegisterSubmitted(nick=nick), wire.Registered(nick=registered):
            return nick == registered
        case ActSubmitted(user=user, act=wire.Join(room=room)), wire.Joined(nick=nick):
            return (user, f"#{room.lower()}") == (nick, conversation)
        case ActSubmitted(user=user, act=wire.Leave(room=room)), wire.Left(nick=nick):
            return (user, f"#{room.lower()}") == (nick, conversation)
        case ActSubmitted(user=user, act=wire.SetTopic(room=room, topic=new)), wire.TopicSet(nick, topic):
            return (user, f"#{room.lower()}", new) == (nick, conversation, topic)
    return False
