"""Lists of people and rooms (zchat/client/commands/people.py)."""

from zchat.client.commands.people import (
    away_text,
    numbered_text,
    people_text,
    starred_rooms_text,
    whois_text,
)
from zchat.common.wire import Person, Room


def test_numbers() -> None:
    assert numbered_text(["ann"]) == "  1 ann\n"
    lines = numbered_text([f"n{number}" for number in range(1, 11)]).splitlines()
    assert lines == [f"  {number:>2} n{number}" for number in range(1, 11)]


def test_many_numbers_stand_side_by_side() -> None:
    nicks = [f"nick{number}" for number in range(1, 60)] + ["世界"]
    text = numbered_text(nicks)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert len(text.splitlines()) < 15
    assert text.split() == [word for number, nick in enumerate(nicks, 1) for word in (str(number), nick)]
    columns = [line.index(f"{number} ") for line, number in zip(text.splitlines(), (1, 7, 13), strict=False)]
    assert len({column + len(str(number)) for column, number in zip(columns, (1, 7, 13), strict=False)}) == 1


def test_who_is_here() -> None:
    people = [Person("ann", True), Person("bob", False), Person("carl\x1b", True)]
    assert people_text(people, "ann") == "Here: ann (you), carl\\x1b\nAway: bob\n"
    assert people_text([Person("ann", True)], "ann") == "Here: ann (you)\n"


def test_of_many_who_are_away_the_first_are_named() -> None:
    assert away_text([]) == ""
    text = away_text([f"n{number}" for number in range(100)])
    assert text.startswith("Away: n0, n1, ")
    assert text.endswith("n39 and 60 more\n")


def test_whois() -> None:
    assert whois_text(Person("bob", True), ["kitchen", "general"], "ann") == (
        "bob is registered, and here now. You are both in #general, #kitchen\n"
    )
    assert whois_text(Person("bob", False), [], "ann") == (
        "bob is registered, and away; what you write to them waits for them. You have no room in common\n"
    )
    assert whois_text(Person("ann", True), ["general"], "ann") == (
        "ann is registered, and here now. That is you, in #general\n"
    )


def test_rooms() -> None:
    rooms = [Room("general", "", 12), Room("ops", "Night\x07 shift", 3)]
    assert starred_rooms_text(rooms, {"general"}) == "* #general  12\n  #ops       3  Night\\x07 shift\n"
