"""Times as people read them."""

import time


def utc(time_ms: int) -> str:
    """Milliseconds since 1970 as date and time of day, in seconds and in UTC, whatever the locale."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time_ms // 1000))
