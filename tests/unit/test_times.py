"""Times as people read them."""

from zchat.common.times import utc


def test_milliseconds_since_1970() -> None:
    assert utc(0) == "1970-01-01 00:00:00 UTC"
    assert utc(1_795_000_000_999) == "2026-11-18 11:06:40 UTC"


def test_years_of_five_digits() -> None:
    """A clock may be wrong by much."""
    assert utc(2**53 - 1).endswith(" UTC")
