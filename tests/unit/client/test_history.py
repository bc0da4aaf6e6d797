"""Pages of the past, put together."""

import asyncio

import pytest

from tests.unit.client.play import said, segment
from zchat.client.history import Range, entries_in, messages_in, read
from zchat.common import wire

TEXTS = 20
LOG = [segment("#a", 10 * n, 10 * n + 10, said("bob", f"{n}")) for n in range(TEXTS)]  # at 10, 20, ... 200


class Pages:
    """A broker's pages of at most two segments. `asked` has each direction and bound."""

    def __init__(self, floor: int = 0) -> None:
        self.asked: list[tuple[int, int]] = []
        self.most: list[int] = []
        self._log = [s for s in LOG if s.first >= floor]
        self._floor = floor

    async def page(
        self, direction: int, bound: int, entries_max: int
    ) -> tuple[wire.Page, list[wire.Segment]]:
        self.asked.append((direction, bound))
        self.most.append(entries_max)
        if direction == 1:
            found = [s for s in self._log if s.first < bound][-2:]
        else:
            found = [s for s in self._log if (s.last > bound if direction == 0 else s.time_ms >= bound)][:2]
        return wire.Page(1, 1, "#a", self._floor, 10 * TEXTS), found


def positions(pages: Pages, **wanted: int | None) -> list[int]:
    what = Range(**({"limit": 50, "before": None, "after": None, "since_ms": None} | wanted))  # type: ignore[arg-type]
    return [message.pos for message in asyncio.run(read(what, pages.page, messages_in))]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"limit": 3}, [180, 190, 200]),
        ({"limit": 0}, []),
        ({"limit": 100}, [10 * n for n in range(1, 21)]),
        ({"limit": 3, "before": 100}, [70, 80, 90]),
        ({"before": 10}, []),
        ({"limit": 3, "after": 100}, [110, 120, 130]),
        ({"limit": 3, "after": 0}, [10, 20, 30]),
        ({"after": 100, "before": 131}, [110, 120, 130]),
        ({"after": 200}, []),
        ({"limit": 2, "since_ms": 1000}, [10, 20]),
        ({"since_ms": 1001}, []),
        ({"limit": 2, "since_ms": 5, "after": 50}, [60, 70]),
        ({"limit": 2, "before": 2**60}, [190, 200]),
        ({"after": -5, "limit": 1}, [10]),
    ],
)
def test_ranges(wanted: dict[str, int | None], expected: list[int]) -> None:
    assert positions(Pages(), **wanted) == expected


def test_all_that_can_be_shown_or_messages_alone() -> None:
    joined = segment("#a", 0, 1, wire.Joined("ann", True))

    async def page(direction: int, bound: int, entries_max: int) -> tuple[wire.Page, list[wire.Segment]]:
        return wire.Page(1, 1, "#a", 0, 2), [joined, segment("#a", 1, 2, said("bob", "hi"))]

    wanted = Range(9, None, None, None)
    assert [entry.pos for entry in asyncio.run(read(wanted, page, entries_in))] == [1, 2]
    assert [entry.pos for entry in asyncio.run(read(wanted, page, messages_in))] == [2]


def test_no_more_pages_are_asked_for_than_needed() -> None:
    pages = Pages()
    assert len(positions(pages, limit=4)) == 4
    assert pages.asked == [(1, 2**53 - 1), (1, 190)]
    assert pages.most == [
        4,
        0,
    ]  # the first page was too short: whatever was in it, the next is as long as can be


def test_what_retention_has_taken_is_not_asked_for() -> None:
    pages = Pages(floor=170)
    assert positions(pages) == [170, 180, 190, 200]
    assert len(pages.asked) == 2


def test_a_broker_that_repeats_a_page_does_not_hang_us() -> None:
    async def page(direction: int, bound: int, entries_max: int) -> tuple[wire.Page, list[wire.Segment]]:
        return wire.Page(1, 1, "#a", 0, 999), LOG[:1]

    assert len(asyncio.run(read(Range(9, None, 100, None), page, messages_in))) == 0
