"""What times and durations may look like (zchat/client/commands/times.py)."""

import time
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest
from click.testing import CliRunner

from zchat.client.commands.times import SINCE, lasting_s, since_ms

NOW_MS = 1_795_500_000_042  # 2026-11-24 06:00:00.042 UTC
DAY_MS = 86_400_000
MIDNIGHT_MS = 1_795_478_400_000  # of that day, UTC


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An hour ahead of UTC in November."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", NOW_MS),
        ("90s", NOW_MS - 90_000),
        ("10m", NOW_MS - 600_000),
        ("2h", NOW_MS - 7_200_000),
        ("3d", NOW_MS - 3 * DAY_MS),
        ("2w", NOW_MS - 14 * DAY_MS),
        ("999999999999w", 0),
    ],
)
def test_so_long_ago(text: str, ms: int) -> None:
    assert since_ms(text, NOW_MS) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-24", MIDNIGHT_MS - 3_600_000),
        ("2026-11-24T06:00", MIDNIGHT_MS + 5 * 3_600_000),
        ("2026-11-24 06:00", MIDNIGHT_MS + 5 * 3_600_000),
        ("2026-11-24T06:00Z", MIDNIGHT_MS + 6 * 3_600_000),
        ("2026-11-24t06:00z", MIDNIGHT_MS + 6 * 3_600_000),
        ("2026-11-24T06:00:01", MIDNIGHT_MS + 5 * 3_600_000 + 1000),
        ("2026-11-24T06:00:00.042Z", NOW_MS),
        ("2026-11-24T07:00:00.042+01:00", NOW_MS),
        ("2026-11-24T01:30:00.042-04:30", NOW_MS),
        ("2026-07-01T06:00", 1_782_878_400_000),  # 04:00 UTC: as the clocks were then
        ("1969-12-31T00:00Z", 0),
    ],
)
def test_a_date(text: str, ms: int) -> None:
    assert since_ms(text, NOW_MS) == ms


@pytest.mark.parametrize(
    "text",
    ["", "10", "m", "-1h", "1.5h", "10 m", "1y", "٣d", "24.11.2026", "2026-11-24T10", "2026-11-24Z", "now"],
)
def test_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time: 10m, 2h or 3d ago, or 2026-11-24"):
        since_ms(text, NOW_MS)


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "2026-11-24T24:01", "0000-01-01"])
def test_no_such_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match="there is no such day or time of day"):
        since_ms(text, NOW_MS)


def test_the_first_year_is_long_ago_or_refused() -> None:
    with suppress(click.BadParameter):  # some time zones do not reach so far
        assert since_ms("0001-01-01", NOW_MS) == 0


def test_as_the_type_of_an_option() -> None:
    @click.command()
    @click.option("--since", type=SINCE)
    def command(since: int) -> None:
        click.echo(f"{since}")

    assert CliRunner().invoke(command, ["--since", "2026-11-24T06:00:00.042Z"]).output == f"{NOW_MS}\n"
    refused = CliRunner().invoke(command, ["--since", "yesterday"])
    assert (refused.exit_code, "Invalid value for '--since': 'yesterday' is no time" in refused.output) == (
        2,
        True,
    )


# ---- durations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("30s", 30), ("10m", 600), ("24h", 86_400), ("30d", 2_592_000), ("2w", 1_209_600)],
)
def test_so_long(text: str, seconds: int) -> None:
    assert lasting_s(text) == seconds


def test_for_ever() -> None:
    assert lasting_s("never") is None


@pytest.mark.parametrize("text", ["", "10", "-1h", "1.5h", "1 h", "1y", "Never", "2026-11-24", "inf"])
def test_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration: 30s, 10m, 24h, 30d or 2w, or never"):
        lasting_s(text)


@pytest.mark.parametrize("text", ["0s", "0w", "36601d", "999999999999w"])
def test_no_time_at_all_and_more_than_a_hundred_years(text: str) -> None:
    with pytest.raises(click.BadParameter, match="more than nothing and at most a hundred years, or never"):
        lasting_s(text)


def test_a_duration_as_the_type_of_an_option() -> None:
    @click.command()
    @click.option("--for", "lasts_s", type=lasting_s, default="never")
    def command(lasts_s: float | None) -> None:
        click.echo(f"{lasts_s}")

    assert CliRunner().invoke(command, []).output == "None\n"
    assert CliRunner().invoke(command, ["--for", "1m"]).output == "60.0\n"
    assert CliRunner().invoke(command, ["--for", "long"]).exit_code == 2
