"""What an examination says about what it found."""

import pytest

from zchat.client import verdicts
from zchat.client.diagnosis import Finding
from zchat.client.verdicts import CLOCK_MS_MAX, Step, of_clocks, of_finding, of_refused, of_second_port
from zchat.common import wire
from zchat.common.codes import Refusal

NOW_MS = 1_795_000_000_000
KINDS = ["unresolved", "refused", "unreachable", "silent", "other", "plain"]

# ---- clocks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_ms", "round_trip_ms", "said"),
    [
        (0, 0, "the clocks differ by 0 ms at most"),
        (0, 5, "the clocks differ by 3 ms at most"),
        (-40, 10, "the clocks differ by 45 ms at most"),
        (CLOCK_MS_MAX, 0, "the clocks differ by 5.0 s at most"),
        (-CLOCK_MS_MAX, 0, "the clocks differ by 5.0 s at most"),
        (CLOCK_MS_MAX + 100, 200, "the clocks differ by 5.2 s at most"),  # nobody knows in between
    ],
)
def test_clocks_that_agree(ahead_ms: int, round_trip_ms: int, said: str) -> None:
    began_ms = NOW_MS + ahead_ms - round_trip_ms / 2
    assert of_clocks(NOW_MS, began_ms, began_ms + round_trip_ms) == Step("clock", said)


@pytest.mark.parametrize(
    ("ahead_ms", "said"),
    [
        (CLOCK_MS_MAX + 1, "5.0 s ahead of"),
        (-90_000, "90.0 s behind"),
        (150_000, "2.5 minutes ahead of"),
        (-3_600_000, "60 minutes behind"),
        (7_200_000, "2 hours ahead of"),
        (-30 * 86_400_000, "30 days behind"),
    ],
)
def test_clocks_that_differ(ahead_ms: int, said: str) -> None:
    found = of_clocks(NOW_MS, NOW_MS + ahead_ms, NOW_MS + ahead_ms)
    assert (found.name, found.exit_code) == ("clock", 2)
    assert found.text == f"the clock here is {said} the broker's: so wrong is what --since finds"
    assert found.mend is not None and "timedatectl" in found.mend


def test_a_clock_that_is_set_back_meanwhile() -> None:
    assert of_clocks(NOW_MS, NOW_MS + 10, NOW_MS - 10).mend is None


def test_a_broker_that_does_not_tell_the_time() -> None:
    assert of_clocks(0, NOW_MS, NOW_MS) == Step("clock", "the broker does not tell what time it has")


# ---- refusals ---------------------------------------------------------------------------------------------


def refused(row: Refusal, has_key: bool = True, nick: str = "ann", retry_after_ms: int = 0) -> Step:
    return of_refused(wire.Refused(0, 0, row.value, "so it is", retry_after_ms), nick, has_key)


@pytest.mark.parametrize("row", Refusal)
def test_every_refusal_has_a_mend_and_its_exit_code(row: Refusal) -> None:
    found = refused(row)
    assert (found.text, found.exit_code) == ("so it is", row.exit_code)
    assert found.mend and "{" not in found.mend
    assert of_refused(wire.Refused(0, 0, row.value, ""), "ann", True).text == row.meaning


@pytest.mark.parametrize(
    ("row", "step"),
    [
        (Refusal.VERSION_UNSUPPORTED, "versions"),
        (Refusal.NICK_TAKEN, "nick"),
        (Refusal.KEY_BOUND, "nick"),
        (Refusal.NOT_REGISTERED, "nick"),
        (Refusal.NAME_INVALID, "nick"),
        (Refusal.NOT_INVITED, "admitted"),
        (Refusal.INVITE_INVALID, "admitted"),
        (Refusal.BANNED, "admitted"),
        (Refusal.LIMIT_REACHED, "admitted"),
        (Refusal.STORAGE_UNAVAILABLE, "admitted"),
    ],
)
def test_the_step_of_a_refusal(row: Refusal, step: str) -> None:
    assert refused(row).name == step


def test_what_depends_on_who_asks() -> None:
    assert refused(Refusal.NICK_TAKEN, has_key=False).text == "so it is, and no key of it is here"
    assert "--nick 'a;b' " in (refused(Refusal.NOT_REGISTERED, nick="a;b").mend or "")
    assert refused(Refusal.RATE_LIMITED, retry_after_ms=1001).mend == "Ask again in 2 s"


def test_a_refusal_of_a_newer_broker() -> None:
    found = of_refused(wire.Refused(0, 0, 9999, "for a reason of its own"), "ann", True)
    assert found == Step("admitted", "for a reason of its own", verdicts.LOOK_THERE, 5)


# ---- findings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_finding_that_is_no_broker(kind: str) -> None:
    found = of_finding("port", Finding(kind, "it is so", "Is it?"))
    assert (found.name, found.text, found.exit_code) == ("port", "it is so", 3)
    assert found.mend is not None and found.mend.startswith("Is it?")
    assert kind == "refused" or of_finding("port", Finding(kind, "it is so")).mend


def test_a_finding_that_is_another_broker() -> None:
    assert of_finding("curve", Finding("curve", "it is so", "Ask.")) == Step("curve", "it is so", "Ask.", 4)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refused", "nothing listens at h:2"),
        ("curve", "h:2 does not confirm what is subscribed to"),
        ("silent", "it is so"),
    ],
)
def test_the_second_port(kind: str, said: str) -> None:
    found = of_second_port("h:2", Finding(kind, "it is so", "Start one"))
    assert found.text == f"{said}. It is the broker's second port: rooms come over the first one instead"
    assert (found.name, found.exit_code) == ("rooms", 3)
    assert found.mend is not None and found.mend.startswith("Let h:2 through")
