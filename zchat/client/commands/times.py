"""What a time may look like on the command line: so long ago, or a date, or a date with a time of day."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import click

_AGO = re.compile(r"([0-9]{1,12})([smhdw])")
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
    if ago := _AGO.fullmatch(text):
        return max(0, now_ms - int(ago[1]) * _UNITS_MS[ago[2]])
    if not _DATE.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is no time: 10m, 2h or 3d ago, or 2026-11-24, or 2026-11-24T10:00 (Z or +01:00 behind)"
        )
    try:
        return max(0, round(datetime.fromisoformat(text.upper()).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):  # the last two for years that the time zones do not know
        raise click.BadParameter(f"{text!r}: there is no such day or time of day") from None


def _since(text: str) -> int:
    return since_ms(text, time.time_ns() // 1_000_000)


SINCE: Callable[[str], int] = _since
"""The type of an option with a time: the command gets what `since_ms` says."""
