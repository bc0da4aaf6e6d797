"""The one table of numbered refusals: the wire, the documentation and the exit codes are taken from it."""

from enum import Enum


class Refusal(Enum):
    """A numbered no. `value` is the number on the wire, `exit_code` what a command ends with, `meaning` one
    sentence for people (docs/protocol.md, chapter Refusals)."""

    exit_code: int
    meaning: str

    def __new__(cls, number: int, exit_code: int, meaning: str) -> "Refusal":
        member = object.__new__(cls)
        member._value_ = number
        member.exit_code = exit_code
        member.meaning = meaning
        return member

    MALFORMED = 100, 5, "The bytes are no message of this protocol, or a field is out of its bounds."
    NOT_GREETED = 101, 5, "There is no such session of this key on this connection: say Hello, then repeat."
    VERSION_UNSUPPORTED = 102, 5, "Broker and client have no version of the protocol in common."
    OUT_OF_ORDER = 103, 5, "Not the message that was expected of this instance: send again from the lowest."
    BUSY = 104, 5, "More requests of this kind are open than a session may have."
    RATE_LIMITED = (
        105,
        6,
        "More was asked in a short time than is allowed: ask again after the time that is told.",
    )

    NAME_INVALID = 200, 5, "A nick or a room may not be called that."
    NICK_TAKEN = 201, 4, "The nick belongs to another key."
    KEY_BOUND = 202, 4, "The key belongs to another nick."
    NOT_REGISTERED = 203, 4, "Nobody is registered under that nick, and the client did not ask to be."
    NOT_INVITED = 204, 4, "The broker registers nobody without an invite."
    INVITE_INVALID = 205, 4, "The invite is unknown, used up, at its end, or for somebody else."
    BANNED = 206, 4, "Whoever has this key is not let in."

    NO_SUCH_ROOM = 300, 5, "There is no room of that name."
    NO_SUCH_USER = 301, 5, "Nobody is registered under that nick."
    TOO_LARGE = 302, 5, "A text, or all texts of a Send together, are larger than allowed."
    ID_REUSED = 303, 5, "The id was used before, for another text or another addressee."
    LIMIT_REACHED = 304, 5, "The broker holds as many of these as it may."
    NOT_ALLOWED = 305, 5, "Whoever asks may not do that."
    NO_SUCH_ENTRY = 306, 5, "There is no such message, invite or token."

    STORAGE_UNAVAILABLE = 400, 5, "The broker cannot write at the moment. Nothing of the request was stored."
    UNREADABLE = 401, 5, "The broker cannot read that part of its log at the moment."


def refusal(number: int) -> Refusal:
    """The row of a number; one that is unknown here (a newer broker) is treated as MALFORMED."""
    return _BY_NUMBER.get(number, Refusal.MALFORMED)


_BY_NUMBER = {row.value: row for row in Refusal}
