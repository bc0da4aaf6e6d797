"""The limits of the broker alone, each with its unit in its name; common/limits.py has those of the wire."""

from typing import NamedTuple

from zchat.common import limits as wire_limits


class Limits(NamedTuple):
    """What one broker holds and does at most. Tests choose smaller ones."""

    commit_bytes_max: int = 4 * 1024 * 1024  # of requests in one commit; above it no request is read
    users_max: int = 100_000
    rooms_max: int = 10_000
    sessions_max: int = 10_000
    sessions_per_user_max: int = 100
    joined_rooms_max: int = wire_limits.JOINED_ROOMS_MAX  # of one user
    remembered_sends_max: int = 1024  # of one instance, between its lowest and what is expected of it
    heartbeat_ms: int = wire_limits.HEARTBEAT_MS
    timeout_ms: int = wire_limits.SESSION_TIMEOUT_MS
    probe_interval_ms: int = 1_000  # between attempts to write again after a failed commit
