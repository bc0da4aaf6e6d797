"""What times and durations may look like on the command line: `10m` ago or long, a date, `never`."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import click

_LONG = re.compile(r"([0-9]{1,12})([smhdw])")
_LONG_MS_MAX = 100 * 366 * 86_400_000  # a hundred years: whoever means longer means for ever
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"  # RFC 3339, and as much of it as can be left away without doubt
    r"([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def since_ms(text: str, now_ms: int) -> int:
    """The time that is meant, in milliseconds since 1970 in UTC; never negative.

    `10m` is ten minutes before `now_ms` (also s, h, d, w); `2026-11-24` is the beginning of that day, a time
    of day may follow, and after it `Z` or an offset: without one it is the local time zone. Raises
    click.BadParameter for anything else.
    """
    if ago := _LONG.fullmatch(text):
        return max(0, now_ms - _long_ms(ago))
    if not _DATE.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is no time: 10m, 2h or 3d ago, or 2026-11-24, or 2026-11-24T10:00 (Z or +01:00 behind)"
        )
    try:
        return max(0, round(datetime.fromisoformat(text.upper()).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):  # the last two for years that the time zones do not know
        raise click.BadParameter(f"{text!r}: there is no such day or time of day") from None


def lasting_s(text: str) -> float | None:
    """How long something is to last, in seconds: `30s`, `10m`, `24h`, `30d`, `2w`; None for `never`, when it
    has no end. Raises click.BadParameter for anything else."""
    if text == "never":
        return None
    long = _LONG.fullmatch(text)
    if long is None:
        raise click.BadParameter(f"{text!r} is no duration: 30s, 10m, 24h, 30d or 2w, or never")
    ms = _long_ms(long)
    if not 0 < ms <= _LONG_MS_MAX:
        raise click.BadParameter(f"{text!r}: more than nothing and at most a hundred years, or never")
    return ms / 1000


def _long_ms(found: re.Match[str]) -> int:
    return int(found[1]) * _UNITS_MS[found[2]]


def _since(text: str) -> int:
    return since_ms(text, time.time_ns() // 1_000_000)


SINCE: Callable[[str], int] = _since
"""The type of an option with a time: the command gets what `since_ms` says."""
