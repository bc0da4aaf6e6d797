"""The way to the log: what waits, the one commit under way, and what a commit that failed leaves behind."""

from collections import deque
from collections.abc import Container, Hashable, Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

from zchat.broker.core.acts import Cutoff
from zchat.broker.core.decision import Deciding, Decision, FreshKeys, Instances
from zchat.broker.core.durable import Durable
from zchat.broker.core.effects import NetworkEffect
from zchat.broker.core.limits import Limits
from zchat.broker.core.port import Append, Command, Failed, Load, Loaded, Ordered, StateRow, Write
from zchat.broker.core.port import Durable as DurableReported
from zchat.broker.core.state import State
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    Origin,
    RedactSubmitted,
    RegisterSubmitted,
    SendSubmitted,
    Submission,
    TimeSubmitted,
)
from zchat.common import wire

encode: Final = msgspec.msgpack.Encoder().encode


class Phase(Enum):
    """LOADING: nothing is known yet. READY. BROKEN: a commit failed, and a probe has not yet succeeded."""

    LOADING = auto()
    READY = auto()
    BROKEN = auto()


class Held(NamedTuple):
    """An answer by the state, kept back until the state it was given by is durable."""

    origin: Origin
    effect: NetworkEffect


class Released(NamedTuple):
    """What may be told now, since it is on disk. `scrubbed`: what was redacted is in no file any more."""

    decision: Decision
    held: list[Held]
    scrubbed: bool = True


class Dropped(NamedTuple):
    """What a failed commit leaves: requests of which nothing was stored, and answers that cannot be given.
    Those in doubt are in neither, nor are Sends that may repeat an earlier one: they are not answered, and
    their clients send them again."""

    refused: list[Origin]
    unanswered: list[Origin]


class _Commit:
    def __init__(self, seq: int, submissions: list[Submission]) -> None:
        self.seq = seq
        self.submissions = submissions
        self.decision: Decision | None = None
        self.held: list[Held] = []

    @property
    def is_probe(self) -> bool:
        return not self.submissions


class Log:
    """The state, one commit ahead of the disk, and all that is on its way there (protocol.md, Durability)."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.phase = Phase.LOADING
        self.state = State()
        self.durable = Durable(self.state)
        self.seen_ms: dict[str, int] = {}  # when users were last seen, by the log's time
        self.instances: Instances = {}
        self.fresh: FreshKeys = {}
        self.in_doubt: set[Hashable] = set()
        self.doubtful: list[Cutoff] = []  # of commits of unknown outcome
        self.probe_due_ms: int | None = None
        self.load_due_ms: int | None = None
        self.written_seq = 0  # of the last Write that was given to the store
        self.queued_bytes = 0  # of requests that wait, here or behind a look-up
        self._redacted: list[int] = []  # positions, by the last commit
        self._clock_ms: int | None = None  # the log's time, less the monotonic one
        self._seen: dict[str, int] = {}  # when users were seen, as far as that is not written yet
        self.append_seq = 0  # of the last Append
        self._seq = 0
        self._waiting: deque[tuple[Submission, int]] = deque()
        self._commit: _Commit | None = None
        self._loading = True
        self._probed = True

    @property
    def is_loading(self) -> bool:
        """The state is not, or no longer, the one on disk."""
        return self._loading

    @property
    def accepting(self) -> bool:
        """Requests may be read: the state is loaded and less than a commit is waiting."""
        return not self._loading and self.queued_bytes < self._limits.commit_bytes_max

    @property
    def is_idle(self) -> bool:
        """Nothing is waiting or under way."""
        return self._commit is None and not self._waiting

    def submit(self, submission: Submission, size: int) -> None:
        """Have a submission wait for the next commit; its `size` in bytes is already among the queued."""
        self._waiting.append((submission, size))

    def hold(self, origin: Origin, effect: NetworkEffect) -> NetworkEffect | None:
        """The effect, when the state is durable; else it is kept back with the commit under way."""
        if self._commit is None or self._commit.is_probe:
            return effect
        self._commit.held.append(Held(origin, effect))
        return None

    # ---- time ----

    def time_ms(self, now_ms: int) -> int:
        """What the log's time is now, about; 0 before anything was ordered."""
        return now_ms + self._clock_ms if self._clock_ms is not None else 0

    def end_due_ms(self) -> int | None:
        """The monotonic time at which something ends by the log's time, about."""
        end_ms = self.state.access.next_end_ms
        if end_ms == wire.FOR_EVER or self.phase is not Phase.READY or self._loading or not self.is_idle:
            return None
        return 0 if self._clock_ms is None else end_ms - self._clock_ms

    def ask_time(self, now_ms: int) -> None:
        """Have the log's time told, if by then something has ended that nothing else would notice."""
        due_ms = self.end_due_ms()
        if due_ms is not None and now_ms >= due_ms:
            self.submit(TimeSubmitted(Origin(0, 0)), 0)

    def seen(self, nick: str, now_ms: int) -> None:
        """Somebody was here until now. Kept with the next commit, whenever that is."""
        if nick != wire.ACCOUNT and self._clock_ms is not None:
            self._seen[nick] = self.seen_ms[nick] = self.time_ms(now_ms)

    def leave(self) -> None:
        """The last commit: with it is kept what else would be lost."""
        if self.phase is Phase.READY and self._seen:
            self.submit(TimeSubmitted(Origin(0, 0)), 0)

    # ---- a commit that succeeds ----

    def advance(self, live: Container[int], now_ms: int) -> Append | None:
        """The next Append, of all that waits and fits, unless a commit is under way. Submissions of sessions
        that are not in `live` any more are dropped: their client repeats them."""
        if self.phase is not Phase.READY or self._loading or self._commit is not None:
            return None
        self.ask_time(now_ms)
        taken: list[Submission] = []
        size = 0
        while self._waiting and (not taken or size + self._waiting[0][1] <= self._limits.commit_bytes_max):
            submission, submission_size = self._waiting.popleft()
            self.queued_bytes -= submission_size
            if submission.origin.session in live or isinstance(submission, TimeSubmitted):
                size += submission_size
                taken.append(submission)
        if not taken:
            return None
        self._seq += 1
        self.append_seq = self._seq
        self._commit = _Commit(self._seq, taken)
        return Append(self._seq, taken)

    def ordered(self, event: Ordered, now_ms: int) -> tuple[Write | None, Released | None]:
        """Decide. Returns the Write; or, when nothing has to be written, what may be told at once."""
        self._clock_ms = event.time_ms - now_ms
        commit = self._commit
        if commit is None or commit.seq != event.seq or commit.decision is not None:
            return None, None
        time_ms = max(event.time_ms, self.state.last_time_ms)
        deciding = Deciding(
            self.state, self.instances, self.fresh, self._limits, event.seq, time_ms, self._redacted
        )
        deciding.expire(time_ms)
        for submission in event.submissions:
            deciding.decide(submission)
        decision = commit.decision = deciding.close()
        self._redacted = decision.redactions
        if decision.is_empty and not self._seen:
            self._commit = None
            return None, Released(decision, commit.held)
        self.state.last_time_ms = time_ms
        return self._write(commit.seq, decision), None

    def durable_reported(self, event: DurableReported, looked: Iterable[int]) -> Released | Load | None:
        """The commit is on disk. `looked`: for every look-up and keyed Send under way, the last Write that it
        came after; keys that all of them have seen need not be kept."""
        commit = self._commit
        if commit is None or commit.seq != event.seq:
            return None
        self._commit = None
        if commit.decision is None:  # a probe: the doubt is over, and the store can be asked
            self._loading = self._probed = True
            return Load()
        seen = min(looked, default=event.seq)
        for key in [key for key, (seq, _) in self.fresh.items() if seq <= seen]:
            del self.fresh[key]
        return Released(commit.decision, commit.held, event.scrubbed)

    def looks_waiting(self) -> list[int]:
        """For each keyed Send that waits, the last Write that its look-up came after."""
        return [s.looked for s, _ in self._waiting if isinstance(s, KeyedSendSubmitted)]

    # ---- a commit that fails ----

    def failed(self, event: Failed, now_ms: int) -> tuple[Load | None, Dropped]:
        """The commit is not on disk, or nobody knows: the fold is thrown away and loaded as at start-up."""
        none = Dropped([], [])
        if event.seq == 0:
            self.load_due_ms = now_ms + self._limits.probe_interval_ms
            return None, none
        commit = self._commit
        if commit is None or commit.seq != event.seq:
            return None, none
        self._commit = None
        if commit.is_probe:
            self.probe_due_ms = now_ms + self._limits.probe_interval_ms
            return None, none
        self.phase, self._loading, self._probed = Phase.BROKEN, True, False
        self.instances.clear()
        self._redacted = []
        for key in [key for key, (seq, _) in self.fresh.items() if seq == event.seq]:
            del self.fresh[key]
        if not event.certain:
            self.in_doubt.update(doubt(submission) for submission in commit.submissions)
            self.doubtful += commit.decision.cutoffs if commit.decision is not None else ()
        waiting = [submission for submission, _ in self._waiting if not self.is_in_doubt(submission)]
        self.queued_bytes -= sum(size for _, size in self._waiting)
        self._waiting.clear()
        refused = [
            s.origin for s in waiting if not isinstance(s, SendSubmitted | KeyedSendSubmitted | TimeSubmitted)
        ]
        if event.certain and commit.decision is not None:
            refused += commit.decision.brought_about
        return Load(), Dropped(refused, [held.origin for held in commit.held])

    def is_in_doubt(self, submission: Submission) -> bool:
        """Whether it, or one before it of its instance, may be in the log or not."""
        return bool(self.in_doubt) and doubt(submission) in self.in_doubt

    def is_redaction_in_doubt(self, conversation: str, pos: int) -> bool:
        """Whether the redaction of the message at `pos` may be in the log or not."""
        return bool(self.in_doubt) and ("redact", conversation, pos) in self.in_doubt

    def loaded(self, event: Loaded, now_ms: int) -> None:
        """Take the state that is on disk. Unless a commit has failed and no probe succeeded since, go on."""
        self.state = State(event.state, event.last_pos, event.last_time_ms)
        self.durable = Durable(self.state)
        self.seen_ms = dict(self.state.seen_ms)
        self.instances.clear()
        self._loading = False
        if self._clock_ms is None:
            self.submit(TimeSubmitted(Origin(0, 0)), 0)
        if self._probed:
            self.phase = Phase.READY
            self.in_doubt.clear()
        else:
            self.probe_due_ms = now_ms + self._limits.probe_interval_ms

    def elapsed(self, now_ms: int) -> Command | None:
        """A probe, or another attempt to load, when one is due."""
        if self.load_due_ms is not None and now_ms >= self.load_due_ms:
            self.load_due_ms = None
            return Load()
        if self.probe_due_ms is not None and now_ms >= self.probe_due_ms:
            self.probe_due_ms = None
            self._seq += 1
            self._commit = _Commit(self._seq, [])
            return self._write(self._seq, Decision([], [], [], [], [], [], [], {}, []))
        return None

    def _write(self, seq: int, decision: Decision) -> Write:
        self.written_seq = seq
        seen = [StateRow("seen", nick, encode(time_ms)) for nick, time_ms in self._seen.items()]
        self._seen.clear()
        rows = (decision.segments, decision.counters, decision.keys, decision.state + seen)
        return Write(seq, *rows, decision.redactions, self.state.last_pos, self.state.last_time_ms)


def doubt(submission: Submission) -> Hashable:
    """What is in doubt when nobody knows whether a submission was stored: the whole instance of a Send, the
    key of a keyed one, the same registration or act."""
    match submission:
        case SendSubmitted():
            return "instance", submission.user, submission.instance
        case KeyedSendSubmitted():
            return "key", submission.user, submission.send.key
        case RegisterSubmitted():
            return "nick", submission.folded
        case ActSubmitted():
            return "act", submission.user, submission.mark
        case RedactSubmitted():
            return "redact", submission.conversation, submission.pos
        case TimeSubmitted():
            return "time"
