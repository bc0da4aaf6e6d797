"""Lists of people and rooms (zchat/client/commands/people.py)."""

from zchat.client.commands.people import (
    gone_text,
    numbered_text,
    people_text,
    profile_text,
    starred_rooms_text,
)
from zchat.common.keys import draw, fingerprint
from zchat.common.wire import OPERATOR, Person, Profile, Room


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
    people = [
        Person("ann", True, True),
        Person("bob", False, True),
        Person("carl\x1b", True),
        Person("dave", True, True),
    ]
    assert people_text(people, "ann") == (
        "Here: ann (you, away), carl\\x1b, dave (away)\nNot here: bob (away)\n"
    )
    assert people_text([Person("ann", True)], "ann") == "Here: ann (you)\n"


def test_of_many_who_are_not_here_the_first_are_named() -> None:
    assert gone_text([]) == ""
    text = gone_text([f"n{number}" for number in range(100)])
    assert text.startswith("Not here: n0, n1, ")
    assert text.endswith("n39 and 60 more\n")


KEY = draw().public
MINUTE = 60_000


def test_all_that_is_known_about_somebody() -> None:
    rooms = ["general", "kitchen"]
    bob = Profile(1, 1, "bob", [KEY], 0, 0, 2, True, "at lunch\x1b", 61 * MINUTE, OPERATOR, "", rooms, [])
    assert profile_text(bob, "ann") == (
        "nick          bob\n"
        "role          administrator of the broker\n"
        f"fingerprint   {fingerprint(KEY)}\n"
        "registered    1970-01-01 00:00\n"
        "here          in 2 sessions, idle for 61 min\n"
        "away          at lunch\\x1b\n"
        "common rooms  #general, #kitchen\n"
    )


def test_who_is_not_here_and_has_no_key() -> None:
    bot = Profile(1, 1, "bot", [], 0, MINUTE, 0, False, "", 0, 0, "ann", [], [])
    assert profile_text(bot, "ann") == (
        "nick          bot\n"
        "bot of        ann\n"
        "fingerprint   no key\n"
        "registered    1970-01-01 00:00\n"
        "last seen     1970-01-01 00:01\n"
        "common rooms  none\n"
    )


def test_oneself() -> None:
    ann = Profile(1, 1, "ann", [KEY, KEY], 0, 0, 1, True, "", MINUTE - 1, 0, "", ["general"], ["bob", "eve"])
    lines = profile_text(ann, "ann").splitlines()
    assert lines[1:3] == [f"fingerprint   {fingerprint(KEY)}"] * 2
    assert lines[4:] == [
        "here          in 1 session", "rooms         #general", "ignores       bob, eve"
    ]  # fmt: skip


def test_rooms() -> None:
    rooms = [Room("general", "", 12), Room("ops", "Night\x07 shift", 3)]
    assert starred_rooms_text(rooms, {"general"}) == "* #general  12\n  #ops       3  Night\\x07 shift\n"
