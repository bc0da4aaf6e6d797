"""What is found on the way to a broker, in words with the mend, and with the exit code that it has."""

import math
import shlex
from typing import Final, NamedTuple

from zchat.client.core.limited import without_time
from zchat.client.diagnosis import Finding
from zchat.common import wire
from zchat.common.codes import Refusal, refusal
from zchat.common.errors import ConfigurationError, Unreachable, WrongIdentity

CLOCK_MS_MAX: Final = 5_000  # that two clocks may differ: shown times have minutes, --since mostly as well

ASK_FOR_THE_LINK: Final = "Where the broker runs, zchat link prints its link: zchat doctor LINK"
NAME_A_NICK: Final = "zchat doctor --nick NAME goes on; up to here all was tried with a key drawn for it"
MEND_THE_KEY: Final = "Bring the key again (zchat key import), or give it: ZCHAT_KEY or --key-file"
ANOTHER_TOKEN: Final = "Ask who made it for another one: zchat token create"
LOOK_THERE: Final = (
    "Look at the broker's machine: does its log tell, is its disk full, is it busy or stopped?"
)
_ASK_WHO_RUNS_IT: Final = "Only who runs the broker can change that"

# What there is to do beyond the hint of a finding, by its kind.
_MENDS: Final = {
    "unresolved": ASK_FOR_THE_LINK,
    "unreachable": "It has to listen to others (zchat broker -i 0.0.0.0), and its port has to be let through",
    "silent": "There, kill -CONT PID lets it go on; or end it and start it again: zchat broker",
    "other": ASK_FOR_THE_LINK,
    "plain": ASK_FOR_THE_LINK,
}

# The step at which a refusal of Hello is told, and what there is to do.
_REFUSED: Final = {
    Refusal.VERSION_UNSUPPORTED: ("versions", "Install the same version of zchat on both machines"),
    Refusal.NAME_INVALID: ("nick", "Choose another one: --nick NAME"),
    Refusal.NICK_TAKEN: (
        "nick",
        "If it is yours, bring its key: zchat key export where it was used, zchat key import here; "
        "for a lost one, ask who runs the broker for zchat invite --nick {nick}. If not: --nick OTHER",
    ),
    Refusal.KEY_BOUND: ("nick", "Use that nick, or another key: ZCHAT_KEY or --key-file"),
    Refusal.NOT_REGISTERED: (
        "nick",
        "zchat connect --nick {nick} registers it, with the link of an invite where the broker wants one",
    ),
    Refusal.NOT_INVITED: (
        "admitted",
        "Ask who runs the broker for an invite, a link that zchat invite prints there; "
        "zchat connect --nick {nick} LINK takes it",
    ),
    Refusal.INVITE_INVALID: (
        "admitted",
        "Ask who runs the broker for another invite, a link that zchat invite prints there",
    ),
    Refusal.BANNED: ("admitted", _ASK_WHO_RUNS_IT),
    Refusal.RATE_LIMITED: ("admitted", "Ask again in {seconds} s"),
    Refusal.LIMIT_REACHED: ("admitted", f"End other programs under this nick. {_ASK_WHO_RUNS_IT}"),
}


class Step(NamedTuple):
    """What one step has found. `mend` says what to do, and is None when nothing is wrong; `exit_code` is then
    what a command ends with."""

    name: str
    text: str
    mend: str | None = None
    exit_code: int = 0


def of_finding(step: str, finding: Finding) -> Step:
    """A look at the broker's address found no broker; with CURVE: none that has the link's key."""
    mend = " ".join(filter(None, (finding.hint, _MENDS.get(finding.kind))))
    code = WrongIdentity.exit_code if finding.kind == "curve" else Unreachable.exit_code
    return Step(step, finding.problem, mend, code)


def of_refused(
    refused: wire.Refused, nick: str, has_key: bool, is_bot: bool = False, runs_it: bool = False
) -> Step:
    """Hello was refused. `has_key`: the key was here already, else it was drawn for the examination.
    `is_bot`: it is that of a token. `runs_it`: the account here runs the broker, and so needs no invite."""
    row = refusal(refused.code)
    text = without_time(refused.reason) or row.meaning
    if row is Refusal.NICK_TAKEN and not has_key:
        text += ", and no key of it is here"
    step, mend = _REFUSED.get(row, ("admitted", LOOK_THERE))
    if row is Refusal.NICK_TAKEN and is_bot:
        mend = ANOTHER_TOKEN
    if row is Refusal.NOT_INVITED and runs_it:
        mend = (
            "This account runs the broker and needs no invite: zchat connect --nick {nick} registers it, "
            "and so does zchat send --nick {nick}"
        )
    seconds = math.ceil(refused.retry_after_ms / 1000)
    return Step(step, text, mend.format(nick=shlex.quote(nick), seconds=seconds), row.exit_code)


def of_ban() -> Step:
    """The broker refused the key in the handshake already, where no reason can be given."""
    return Step("admitted", Refusal.BANNED.meaning, _ASK_WHO_RUNS_IT, Refusal.BANNED.exit_code)


def of_second_port(place: str, finding: Finding) -> Step:
    """The second port cannot be used. `finding` is what is at it; with CURVE: it confirms nothing."""
    problem = {
        "refused": f"nothing listens at {place}",
        "curve": f"{place} does not confirm what is subscribed to",
    }.get(finding.kind, finding.problem)
    text = f"{problem}. It is the broker's second port: rooms come over the first one instead"
    mend = f"Let {place} through like the first port, in each firewall and tunnel between"
    return Step("rooms", text, mend, Unreachable.exit_code)


def of_clocks(theirs_ms: int, asked_ms: float, answered_ms: float) -> Step:
    """How far the broker's clock is from ours. It read `theirs_ms`, 0 if it does not tell, at some moment
    between `asked_ms` and `answered_ms` of ours."""
    if not theirs_ms:
        return Step("clock", "the broker does not tell what time it has")
    ahead_ms = (asked_ms + answered_ms) / 2 - theirs_ms
    doubt_ms = abs(answered_ms - asked_ms) / 2
    if abs(ahead_ms) - doubt_ms <= CLOCK_MS_MAX:
        return Step("clock", f"the clocks differ by {_duration(abs(ahead_ms) + doubt_ms)} at most")
    where = "ahead of" if ahead_ms > 0 else "behind"
    return Step(
        "clock",
        f"the clock here is {_duration(abs(ahead_ms))} {where} the broker's: so wrong is what --since finds",
        "Set the one that is wrong, and let it be set from the network (timedatectl set-ntp true)",
        ConfigurationError.exit_code,
    )


def _duration(ms: float) -> str:
    if ms < 1_000:
        return f"{math.ceil(ms)} ms"
    seconds = round(ms / 1000)
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}".replace(".0 ", " ")
    return f"{ms / 1000:.1f} s"
