"""Reading the past: as many pages as a range of a conversation takes."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from zchat.client.messages import Entry, Message, entries_of
from zchat.common import wire

_AFTER: Final = 0
_BEFORE: Final = 1
_SINCE: Final = 2
_END: Final = 2**53 - 1
_PAGES_MAX: Final = 10_000

_T = TypeVar("_T", bound=Entry)
ReadPage = Callable[[int, int, int], Awaitable[tuple[wire.Page, list[wire.Segment]]]]
Pick = Callable[[list[wire.Segment]], list[_T]]


class Range(NamedTuple):
    """Which entries are wanted: see AsyncClient.history."""

    limit: int
    before: int | None
    after: int | None
    since_ms: int | None

    def has(self, entry: Entry) -> bool:
        return (
            (self.before is None or entry.pos < self.before)
            and (self.after is None or entry.pos > self.after)
            and (self.since_ms is None or entry.time_ms >= self.since_ms)
        )


def entries_in(segments: list[wire.Segment]) -> list[Entry]:
    """All that a user can be shown."""
    return [entry for segment in segments for entry in entries_of(segment, 0)]


def messages_in(segments: list[wire.Segment]) -> list[Message]:
    """The messages alone."""
    return [entry for entry in entries_in(segments) if isinstance(entry, Message)]


async def read(wanted: Range, page: ReadPage, pick: Pick[_T]) -> list[_T]:
    """The entries of the range that `pick` takes from segments. `page` asks for one page, by direction, bound
    and number of entries as in Fetch: the first page is no longer than what is wanted, and when it has too
    little of that, the next ones are as long as can be."""
    if wanted.limit <= 0:
        return []
    if wanted.after is None and wanted.since_ms is None:
        return await _backward(wanted, page, pick)
    return await _forward(wanted, page, pick)


async def _backward(wanted: Range, page: ReadPage, pick: Pick[_T]) -> list[_T]:
    found: list[_T] = []
    bound = _clamp(_END if wanted.before is None else wanted.before)
    for number in range(_PAGES_MAX):
        header, segments = await page(_BEFORE, bound, 0 if number else _clamp(wanted.limit))
        segments = [segment for segment in segments if segment.first < bound]
        if not segments:
            break
        found = [entry for entry in pick(segments) if entry.pos < bound] + found
        bound = segments[0].first
        if len(found) >= wanted.limit or segments[0].prev == 0 or segments[0].prev < header.floor:
            break
    return found[-wanted.limit :]


async def _forward(wanted: Range, page: ReadPage, pick: Pick[_T]) -> list[_T]:
    found: list[_T] = []
    direction, bound = _AFTER, wanted.after or 0
    if wanted.after is None:
        direction, bound = _SINCE, wanted.since_ms or 0
    bound = _clamp(bound)
    for number in range(_PAGES_MAX):
        header, segments = await page(direction, bound, 0 if number else _clamp(wanted.limit))
        found += [entry for entry in pick(segments) if wanted.has(entry)]
        if not segments or len(found) >= wanted.limit:
            break
        last = segments[-1].last
        if last >= header.head or (wanted.before is not None and last >= wanted.before):
            break
        if direction == _AFTER and last <= bound:
            break
        direction, bound = _AFTER, last
    return found[: wanted.limit]


def _clamp(bound: int) -> int:
    return max(0, min(bound, _END))
