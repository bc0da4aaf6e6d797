"""The limits of the broker alone, each with its unit in its name; common/limits.py has those of the wire."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from zchat.common import limits as wire_limits
from zchat.common import wire


class Limits(NamedTuple):
    """What one broker holds and does at most. Tests choose smaller ones, and the settings others."""

    commit_bytes_max: int = 4 * 1024 * 1024
    users_max: int = 100_000
    rooms_max: int = 10_000
    sessions_max: int = 10_000
    sessions_per_user_max: int = 100
    joined_rooms_max: int = wire_limits.JOINED_ROOMS_MAX
    remembered_sends_max: int = 1024
    heartbeat_ms: int = wire_limits.HEARTBEAT_MS
    timeout_ms: int = wire_limits.SESSION_TIMEOUT_MS
    invite_only: bool = False
    tokens_per_user_max: int = 20
    invites_max: int = 1_000
    sanctions_max: int = 10_000
    ignored_max: int = wire_limits.IGNORED_MAX
    queued_bytes_per_session_max: int = 2 * 1024 * 1024
    messages_per_second: int = 50_000
    messages_burst: int = 200_000
    text_bytes_per_second: int = 16 * 1024 * 1024
    text_bytes_burst: int = 64 * 1024 * 1024
    requests_per_second: int = 500
    requests_burst: int = 4_000
    greetings_per_second: int = 50
    greetings_burst: int = 2_000
    probe_interval_ms: int = 1_000


def told(values: Any, meanings: Mapping[str, str]) -> list[wire.Bound]:
    """The fields of a tuple of limits as they are told to administrators."""
    return [wire.Bound(name, int(getattr(values, name)), meaning) for name, meaning in meanings.items()]


MEANINGS: Final = {
    "commit_bytes_max": "bytes of requests in one commit; above it none is read until it is durable",
    "users_max": "users that are registered",
    "rooms_max": "rooms that exist",
    "sessions_max": "sessions that are open at once",
    "sessions_per_user_max": "sessions of one user",
    "joined_rooms_max": "rooms that one user is in",
    "remembered_sends_max": "Sends of one instance above its lowest counter",
    "heartbeat_ms": "ms after which a client says something at the latest",
    "timeout_ms": "ms of silence after which a session ends",
    "invite_only": "1: who registers needs an invite",
    "tokens_per_user_max": "tokens that one user has made",
    "invites_max": "invites that can still be used",
    "sanctions_max": "kicks, mutes and bans, until one who administers makes more",
    "ignored_max": "people whom one user ignores",
    "queued_bytes_per_session_max": "bytes of Sends of one session that wait to be stored",
    "messages_per_second": "messages of one user, in the long run",
    "messages_burst": "messages of one user, at once after a silence",
    "text_bytes_per_second": "bytes of Sends of one user, in the long run",
    "text_bytes_burst": "bytes of Sends of one user, at once after a silence",
    "requests_per_second": "requests of one user beside Sends and Pings, in the long run",
    "requests_burst": "such requests of one user, at once after a silence",
    "greetings_per_second": "Hellos of keys that were never let in, from one address, in the long run",
    "greetings_burst": "such Hellos from one address, at once after a silence",
    "probe_interval_ms": "ms between attempts to write again after a failed commit",
}  # of what each is, with its unit
