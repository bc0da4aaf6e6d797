"""Roles, kicks, bans and removed messages in the chat, on terminals of 80x24."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import Broker, Zchat
from tests.e2e.screens import CTRL_D, ENTER, Screen

Sit = Callable[..., Screen]


@pytest.fixture
def sit(run: Zchat) -> Iterator[Sit]:
    """Somebody sits down at a terminal, enters the chat, and says hello in a room."""
    screens: list[Screen] = []

    def sit_down(nick: str, room: str = "general") -> Screen:
        screen = Screen(["connect", "--room", room], run.environment(nick))
        screens.append(screen)
        screen.until(lambda screen: screen.typed == "choose>" or "* Nobody else is here." in screen.rows)
        if screen.typed == "choose>":
            screen.type(ENTER)
        screen.until_typed(f"#{room}>")
        screen.type(f"{nick} says hello", ENTER)
        screen.until(f"#{room} <{nick}> {nick} says hello")
        return screen

    yield sit_down
    for screen in screens:
        screen.close()


def seen(screen: Screen) -> str:
    """All that was ever on the screen."""
    return "\n".join(screen.scrolled())


def test_a_kick(run: Zchat, sit: Sit) -> None:
    ann, bob = sit("ann", "dev"), sit("bob", "dev")
    ann.until("#dev <bob> bob says hello")
    bob.type("only for #dev")
    bob.until_typed("#dev> only for #dev")
    ann.type("/kick bob no spam, please", ENTER)
    ann.until("* ann kicked bob out of #dev: no spam, please\n")
    bob.until("* you were kicked out of #dev by ann: no spam, please\n")
    bob.until_typed("(nowhere)> only for #dev")
    bob.type(ENTER)
    bob.until("-- not sent: you write nowhere. Choose where to write: ")
    bob.until_typed("(nowhere)> only for #dev")
    bob.type("\x15")
    ann.type("among us", ENTER)
    ann.until("#dev <ann> among us")
    bob.type("/msg #dev hello?", ENTER)
    bob.until("-- you are not in #dev; /join dev joins it")
    bob.type("/join dev", ENTER)
    bob.until_typed("#dev>")
    ann.until("* bob joined #dev")
    ann.type("welcome back", ENTER)
    bob.until("#dev <ann> welcome back")
    bob.type("thanks", ENTER)
    ann.until("#dev <bob> thanks")
    for screen in (ann, bob):
        assert seen(screen).count(" out of #dev") == 1  # it stands in two conversations
    assert "among us" not in seen(bob)
    assert "only for" not in run(["history", "general"], nick="ann").stdout


def test_a_ban_and_its_end(sit: Sit) -> None:
    ann, bob = sit("ann", "dev"), sit("bob", "dev")
    ann.type("/ban bob 1h rude", ENTER)
    ann.until("* ann banned bob from #dev until 20")
    bob.until(
        lambda screen: re.search(r"\* you were banned from #dev by ann until 20\S+ \S+: rude", seen(screen))
    )
    bob.until_typed("(nowhere)>")
    bob.type("/join dev", ENTER)
    bob.until(lambda screen: re.search(r"-- you were banned from #dev .*: rude\n", seen(screen)))
    ann.type("/unban bob", ENTER)
    ann.until("* ann ended the ban of bob from #dev\n")
    bob.until("* ann ended your ban from #dev\n")
    ann.type("/unban bob", ENTER)
    ann.until("-- it was so already")
    bob.type("/join dev", ENTER)
    bob.until_typed("#dev>")
    ann.until("* bob joined #dev")


def test_who_may_write(sit: Sit) -> None:
    ann, bob = sit("ann", "dev"), sit("bob", "dev")
    bob.type("/mute ann", ENTER)
    bob.until("-- for that one has to be operator in #dev")
    ann.type("/mute bob 1h calm down", ENTER)
    bob.until("* you were muted in #dev by ann until 20")
    bob.type("but I", ENTER)
    bob.until(lambda screen: re.search(r"-- not sent to #dev: .*muted", seen(screen)))
    ann.type("/unmute bob", ENTER)
    bob.until("* ann ended your mute in #dev")
    ann.type("/mode announce", ENTER)
    for screen in (ann, bob):
        screen.until("* in #dev only those with a voice write now (ann)")
    bob.type("anybody?", ENTER)
    bob.until("-- not sent to #dev: ")
    bob.type("/rooms", ENTER)
    bob.until("* #dev      2  (announce)\n")
    ann.type("/role bob voice", ENTER)
    ann.until("* ann gave bob a voice in #dev")
    bob.until("* ann gave you a voice in #dev")
    bob.type("there you are", ENTER)
    ann.until("#dev <bob> there you are")
    ann.type("/mode open", ENTER, "/role bob none", ENTER)
    bob.until("* in #dev everybody writes now (ann)")
    bob.until("* you have no role in #dev any more (ann)")
    assert "but I" not in seen(ann) and "anybody?" not in seen(ann)


def test_a_private_room(sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    ann.type("/private ops", ENTER)
    ann.until(lambda screen: re.fullmatch(r"#ops\+\d+>", screen.typed))
    name = ann.typed[1:-1]
    ann.until(f"-- only who is invited comes in: /invite NICK, and then they /join {name}")
    bob.type(f"/join {name}", ENTER)
    bob.until(f"-- there is no room #{name}")
    ann.type("/invite bob", ENTER)
    ann.until(f"* ann invited bob to #{name}\n")
    bob.until(f"* ann invited you to #{name}: /join {name}\n")
    bob.type(f"/join {name}", ENTER)
    bob.until_typed(f"#{name}>")
    ann.until(f"* bob joined #{name}")
    bob.type("only us?", ENTER)
    ann.until(f"#{name} <bob> only us?")
    ann.type("only us", ENTER)
    bob.until(f"#{name} <ann> only us")
    bob.type("/rooms", ENTER)
    bob.until(lambda screen: re.search(rf"\* #{re.escape(name)} +2  \(private\)\n", seen(screen)))
    ann.type("/kick bob", ENTER)
    bob.until(f"* you were kicked out of #{name} by ann\n")
    bob.until_typed("(nowhere)>")
    ann.type("without bob", ENTER)
    ann.until(f"#{name} <ann> without bob")
    bob.type(f"/join {name}", ENTER)
    bob.until(lambda screen: seen(screen).count(f"-- there is no room #{name}") == 2)
    assert "without bob" not in seen(bob)


# ---- what is removed --------------------------------------------------------------------------------------


def test_a_message_that_is_removed_is_replaced_on_the_screen(run: Zchat, sit: Sit) -> None:
    ann, bob = sit("ann", "dev"), sit("bob", "dev")
    bob.type(
        "before", ENTER, "my password is swordfish, and this goes on for more than a row of the screen", ENTER
    )
    bob.type("after", ENTER)
    for screen in (ann, bob):
        screen.until("#dev <bob> after")
        screen.until("swordfish")
    bob.type("half typed")
    ann.type("/redact bob", ENTER)  # the last one
    for screen in (ann, bob):
        screen.until("#dev <bob> [removed]\n")
    ann.type("/redact bob a secret", ENTER)  # and the one before that
    for screen in (ann, bob):
        screen.until(lambda screen: "swordfish" not in "\n".join(screen.rows))
        screen.until(
            lambda screen: re.search(r"\* message \d+ of #dev was removed by ann: a secret\n", seen(screen))
        )
        rows = [row[6:] for row in screen.rows if re.match(r"\d\d:\d\d ", row)]
        assert rows[-3:] == ["#dev <bob> before", "#dev <bob> [removed]", "#dev <bob> [removed]"]
        assert "swordfish" not in seen(screen)
    bob.until_typed("#dev> half typed")
    ann.type("still fine", ENTER)
    bob.until("#dev <ann> still fine")
    ann.type("/history 4", ENTER)
    ann.until(lambda screen: seen(screen).count("[removed]") == 4)


def test_ones_own_last_message(sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    ann.type("/msg bob", ENTER, "oops", ENTER)
    bob.until("@ann -> @bob oops")
    ann.type("/redact", ENTER)
    for screen in (ann, bob):
        screen.until("@ann -> @bob [removed]\n")
    ann.until("with @bob was removed by ann\n")
    bob.until("with @ann was removed by ann\n")
    ann.type("/redact bob", ENTER)
    ann.until("-- there is no message of bob among the last 500 here")


def test_what_has_scrolled_away_is_told_and_not_repeated(run: Zchat, sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    bob.type("swordfish", ENTER)
    ann.until("<bob> swordfish")
    lines = "".join(f"line {number}\n" for number in range(40))
    assert run(["send", "--lines", "general"], nick="eve", input=lines).returncode == 0
    ann.until("line 39")
    bob.until("line 39")
    drawn = len(ann.drawn)
    bob.type("/redact", ENTER)
    ann.until("of general was removed by bob".replace("general", "#general"))
    assert b"swordfish" not in ann.drawn[drawn:]
    assert [row for row in ann.rows if "line" in row] == [
        row for row in ann.rows if re.search(r"line \d+$", row)
    ]


def test_the_screen_is_drawn_anew_when_nobody_knows_where_the_message_is(sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    bob.type("swordfish", ENTER)
    ann.until("<bob> swordfish")
    ann.resize(60, 20)
    bob.type("/redact", ENTER)
    ann.until("of #general was removed by bob")
    ann.until("#general <bob> [removed]\n")
    assert "swordfish" not in "\n".join(ann.rows)
    assert "#general <ann> ann says hello" in "\n".join(ann.rows)


def test_what_was_missed_and_removed_is_shown_without_its_text(run: Zchat, sit: Sit) -> None:
    ann = sit("ann")
    ann.type(CTRL_D)
    assert ann.ended() == 0
    bob = sit("bob")
    bob.type("swordfish", ENTER)
    bob.until("<bob> swordfish")
    bob.type("/redact", ENTER)
    bob.until("[removed]")
    ann = Screen(["connect"], run.environment("ann"))
    try:
        ann.until("#general <bob> [removed]")
        assert "swordfish" not in seen(ann) and b"swordfish" not in ann.drawn
    finally:
        ann.close()


def test_whoever_is_banned_from_the_broker_leaves(run: Zchat, sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    ann.until("* bob is here")  # who comes and goes at once was never here
    banned = run(["admin", "ban", "--for", "1h", "--reason", "spam", "bob"], nick=None)
    assert (banned.returncode, banned.stderr) == (0, "")
    assert bob.ended() == 4
    assert bob.is_restored()
    assert re.search(r"zchat: bob was banned by .* until 20.*: spam", "".join(bob.scrolled()))
    ann.until("* bob has gone")
    again = run(["connect"], nick="bob")
    assert again.returncode == 4
    assert "banned" in again.stderr and "spam" in again.stderr


def test_what_is_too_much_at_once_waits(tmp_path: Path, bare_environment: dict[str, str]) -> None:
    (tmp_path / "config.toml").write_text("[broker.limits]\nmessages_per_second = 2\nmessages_burst = 3\n")
    broker = Broker(tmp_path / "broker", bare_environment | {"ZCHAT_CONFIG_DIR": str(tmp_path)})
    run = Zchat(tmp_path / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    ann = Screen(["connect"], run.environment("ann"))
    try:
        ann.until("* Nobody else is here.")
        ann.type(*(f"line {number}{ENTER}" for number in range(6)))
        ann.until("(waiting) #general line 5\n#general>\nann | 1 here | sent too much at once: it waits\n")
        ann.until("<ann> line 5\n#general>\nann | 1 here\n")
        said = [row[6:] for row in ann.rows if "<ann>" in row]
        assert said == [f"#general <ann> line {number}" for number in range(6)]
        ann.type(*(f"more {number}{ENTER}" for number in range(6)), CTRL_D)
        assert ann.ended() == 0  # which waits for them
        assert "<ann> more 5" in seen(ann)
    finally:
        ann.close()
        run.close()
        broker.kill()


# ---- about oneself ----------------------------------------------------------------------------------------


def test_whoever_is_ignored_is_not_seen(sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    ann.type("/ignore Bob", ENTER)
    ann.until("-- what Bob writes is shown no more; /unignore Bob ends that")
    bob.type("hello?", ENTER, "/msg ann hello!", ENTER)
    bob.until("@bob -> @ann hello!")
    ann.type("/ignore", ENTER)
    ann.until("* You ignore bob.")
    ann.type("/unignore bob", ENTER)
    ann.until("-- what bob writes is shown again")
    bob.type("now?", ENTER)
    ann.until("<bob> now?")
    assert "hello?" not in seen(ann) and "hello!" not in seen(ann)
    ann.type("/history 3", ENTER)
    ann.until("<bob> hello?")


def test_away_and_back(sit: Sit) -> None:
    ann, bob = sit("ann"), sit("bob")
    ann.type("/away at lunch", ENTER)
    ann.until("-- you are away: at lunch")
    ann.until(" | you are away: at lunch")
    bob.type("/whois ann", ENTER)
    bob.until("away          at lunch\n")
    bob.type("/users", ENTER)
    bob.until("Here: ann (away), bob (you)\n")
    ann.type("/back", ENTER)
    ann.until("-- you are back")
    ann.until(lambda screen: "you are away" not in screen.rows[-1] and "ann | 2 here" in screen.rows)
