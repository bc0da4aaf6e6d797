"""What stands above the line (zchat/client/terminal/above.py)."""

import pytest

from zchat.client.terminal.above import Above, Print, rows_of

TEXT = "x" * 10 + "\n"


def above(columns: int = 80, rows: int = 24) -> Above:
    found = Above()
    found.has_size(columns, rows)
    return found


def add(to: Above, *positions: int, text: str = TEXT) -> None:
    for pos in positions:
        to.add(Print(lambda columns: [], pos), text)


def taken(of: Above, pos: int) -> tuple[int, list[int | None]]:
    rows, prints = of.take_from(pos)
    return rows, [one.pos for one in prints]


def test_a_message_is_found_and_all_below_it() -> None:
    some = above()
    add(some, 1)
    add(some, 2, text="two\nlines\n")
    add(some, 3)
    assert taken(some, 2) == (3, [2, 3])
    assert taken(some, 2) == (0, [])  # it is to be printed again
    add(some, 2, 3)
    assert taken(some, 1) == (3, [1, 2, 3])
    assert taken(some, 9) == (0, [])


def test_of_one_that_stands_there_twice_the_first_is_found() -> None:
    some = above()
    add(some, 1, 2, 3, 2)
    assert taken(some, 2) == (3, [2, 3, 2])


def test_what_has_scrolled_away_is_not_found() -> None:
    some = above(rows=10)
    add(some, *range(20))
    some.drawn(3)
    assert taken(some, 12) == (0, [])
    assert taken(some, 13) == (7, list(range(13, 20)))


def test_the_line_was_higher_for_a_while() -> None:
    some = above(rows=10)
    add(some, *range(5))
    some.drawn(8)  # three of them have scrolled away, whatever is drawn later
    some.drawn(2)
    assert taken(some, 2) == (0, [])
    assert taken(some, 3) == (2, [3, 4])


def test_where_rows_are_broken_anew_nothing_is_found() -> None:
    some = above()
    add(some, 1)
    some.has_size(80, 24)
    assert taken(some, 1) == (1, [1])
    add(some, 1)
    some.has_size(81, 24)
    assert taken(some, 1) == (0, [])
    add(some, 2)
    some.moved()
    assert taken(some, 2) == (0, [])


def test_behind_a_text_of_doubtful_width_nothing_is_found() -> None:
    some = above(columns=20)
    add(some, 1)
    add(some, 2, text="\U0001f600" * 12 + "\n")
    add(some, 3)
    assert taken(some, 1) == taken(some, 2) == (0, [])
    assert taken(some, 3) == (1, [3])
    add(some, 4, text="\U0001f600\n")  # however wide that is, it fits
    assert taken(some, 4) == (1, [4])


def test_what_may_be_on_the_screen_is_printed_on_a_clear_one() -> None:
    def print_of(pos: int) -> Print:
        return Print(lambda columns: [("", f"message {pos}\n")], pos)

    some = above(rows=10)
    for pos in range(20):
        some.add(print_of(pos), f"message {pos}\n")
    some.has_size(40, 10)
    assert taken(some, 15) == (0, [])
    assert some.take_screen(9) == []  # ten rows are below it
    assert [one.pos for one in some.take_screen(10)] == [*range(13, 20)]  # and three for the line
    assert some.take_screen(19) == []  # it is to be printed again
    some.add(print_of(1), "message 1\n")
    some.cleared()
    assert some.take_screen(1) == []


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\n", (1, 1)),
        ("a\n", (1, 1)),
        ("a\n\nb\n", (3, 3)),
        ("x" * 10 + "\n", (1, 1)),
        ("x" * 11 + "\n", (2, 2)),
        ("x" * 20 + "\n" + "x" * 21 + "\n", (5, 5)),
        ("\u4e16" * 5 + "\n", (1, 1)),
        ("\u4e16" * 9 + "\n", (2, 2)),
        ("\u4e16" * 10 + "\n", (2, 3)),  # at the end of a row one may not fit
        ("e\u0301" * 10 + "\n", (1, 1)),
        ("b\u00fcro\n", (1, 1)),
        ("\u2026" * 6 + "\n", (1, 2)),
    ],
)
def test_rows(text: str, rows: tuple[int, int]) -> None:
    assert rows_of(text, 10) == rows
