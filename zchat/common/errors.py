"""The errors a caller of zchat must tell apart; one root, ZchatError."""

from zchat.common.codes import Refusal


class ZchatError(Exception):
    """The root of every error that zchat raises on purpose. `exit_code` is what a command ends with."""

    exit_code = 70


class No(ZchatError):
    """The answer to a question is no."""

    exit_code = 1


class WaitedLongEnough(ZchatError):
    """What was waited for did not come in the time that was given."""

    exit_code = 124


class ConfigurationError(ZchatError):
    """What the caller asked for makes no sense, or a setting, file or directory is not usable."""

    exit_code = 2


class StateInUse(ConfigurationError):
    """Another client holds the state or the cursor that this one was to go on from."""

    exit_code = 5


class Unreachable(ZchatError):
    """No broker was reached within the time, and nothing was handed over."""

    exit_code = 3


class WrongIdentity(ZchatError):
    """The broker has another key than the link says, or the nick belongs to another key. `refusal` is the row
    of the table when it was the broker that said so."""

    exit_code = 4

    def __init__(self, message: str, refusal: Refusal | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


class Refused(ZchatError):
    """The broker answered no. `refusal` is the row of the table, `reason` says what about this request."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal
        self.reason = reason
        self.exit_code = refusal.exit_code


class OutcomeUnknown(ZchatError):
    """A send was handed over and not answered. Repeating it with `id` is always safe; None: it had no id
    that outlives this process."""

    exit_code = 8

    def __init__(self, message: str, id: str | None) -> None:
        super().__init__(message)
        self.id = id


class Closed(ZchatError):
    """The client was closed, or is used in a process that was forked after it was made."""


class CannotStart(ZchatError):
    """The broker cannot start: the port or the data directory is in use, or the database is newer."""

    exit_code = 9


class StorageFailed(ZchatError):
    """A transaction failed. `certain`: it was before COMMIT, so nothing of it exists; else nobody knows."""

    def __init__(self, message: str, certain: bool) -> None:
        super().__init__(message)
        self.certain = certain
