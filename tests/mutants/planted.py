"""The planted bugs: where each is, and which tests have to notice."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """In `file`, the text `old`, which occurs once, is replaced by `new`; one of `caught_by` has to fail."""

    name: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]

    def planted_in(self, source: str) -> str:
        """The source with the bug in it."""
        assert source.count(self.old) == 1, f"{self.name}: the text occurs {source.count(self.old)} times"
        return source.replace(self.old, self.new)


CORE = "zchat/broker/core/"
CLIENT = "zchat/client/core/"
BROKER_TESTS = "tests/unit/broker/"
CLIENT_TESTS = "tests/unit/client/"
SIMULATION = ("tests/sim/test_simulation.py",)

MUTANTS = (
    Mutant(
        "acknowledgement before the commit",
        CORE + "log.py",
        "        return self._write(commit.seq, decision), None\n",
        "        return self._write(commit.seq, decision), Released(decision._replace(segments=[]), [])\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "broadcast before the commit",
        CORE + "log.py",
        "        return self._write(commit.seq, decision), None\n",
        "        return self._write(commit.seq, decision), Released(decision._replace(answers=[]), [])\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "prev wrong after a restart",
        CORE + "state.py",
        '        self.heads.update(by_kind.get("head", ()))\n',
        "",
        (BROKER_TESTS + "test_state.py", BROKER_TESTS + "test_log.py"),
    ),
    Mutant(
        "prev wrong between two segments of one commit",
        CORE + "segments.py",
        "        prev = self._state.heads.get(conversation, 0)\n",
        '        before = self.__dict__.setdefault("before", dict(self._state.heads))\n'
        "        prev = before.get(conversation, 0)\n",
        (BROKER_TESTS + "test_segments.py",),
    ),
    Mutant(
        "a repeat stored twice after a restart",
        CORE + "greeting.py",
        "        instance = Instance(session.lowest, event.rows)\n",
        "        instance = Instance(session.lowest)\n",
        (BROKER_TESTS + "test_sending.py", "tests/wire/test_sending.py"),
    ),
    Mutant(
        "a repeat with other text accepted",
        CORE + "instances.py",
        "        if (messages, digest) != (self.messages, self.digest):\n",
        "        if messages != self.messages:\n",
        (BROKER_TESTS + "test_instances.py",),
    ),
    Mutant(
        "a message moved across a barrier",
        CORE + "segments.py",
        "        self.close()\n        self._segment(",
        "        self._segment(",
        (BROKER_TESTS + "test_segments.py",),
    ),
    Mutant(
        "time running backwards",
        CORE + "log.py",
        "        time_ms = max(event.time_ms, self.state.last_time_ms)\n",
        "        time_ms = event.time_ms\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "a failed commit's effects sent",
        CORE + "core.py",
        "            case Failed():\n                self._failed(event)\n",
        "            case Failed():\n                self._durable(Durable(event.seq))\n"
        "                self._failed(event)\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "a lost last message not noticed: no heads are told",
        CORE + "reading.py",
        "        heads, following = durable.heads_of(\n            session.nick, session.followed",
        '        heads, following = [], ""\n'
        "        durable.heads_of(\n            session.nick, session.followed",
        (BROKER_TESTS + "test_reading.py",),
    ),
    Mutant(
        "User-Id not compared",
        CORE + "core.py",
        "        if session is not None and session.key != key:",
        "        if session is not None and not session.key:",
        (BROKER_TESTS + "test_sending.py",),
    ),
    Mutant(
        "an expired session still served",
        CORE + "greeting.py",
        "            if self._context.now_ms - session.seen_ms > self._context.limits.timeout_ms:\n",
        "            if self._context.now_ms - session.seen_ms > 2**60:\n",
        (BROKER_TESTS + "test_core.py", BROKER_TESTS + "test_greeting.py"),
    ),
    Mutant(
        "a page that misses a segment's edge",
        "zchat/broker/store/sqlite.py",
        '        sql = f"{_FRAMES} WHERE conversation = ? AND last > ? ORDER BY last"\n',
        '        sql = f"{_FRAMES} WHERE conversation = ? AND first > ? ORDER BY last"\n',
        ("tests/unit/store/test_contract.py",),
    ),
    Mutant(
        "a refusal that moves what is expected",
        CORE + "decision.py",
        "        if instance.remembered >= self._limits.remembered_sends_max:\n",
        "        instance.raise_lowest(send.counter + messages)\n"
        "        if instance.remembered >= self._limits.remembered_sends_max:\n",
        (BROKER_TESTS + "test_decision.py", BROKER_TESTS + "test_sending.py"),
    ),
    Mutant(
        "a resend of an in-doubt message answered too early",
        CORE + "log.py",
        "        return bool(self.in_doubt) and doubt(submission) in self.in_doubt\n",
        "        return False\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "a nonce answered without its session's key",
        CORE + "reading.py",
        "            if session is not None and session.key == key:\n",
        "            if session is not None:\n",
        (BROKER_TESTS + "test_reading.py",),
    ),
    Mutant(
        "a room confirmed and not approved",
        CORE + "reading.py",
        '        if topic == wire.HERE or mark == b"#":\n',
        "        if topic == wire.HERE:\n",
        (BROKER_TESTS + "test_reading.py",),
    ),
    Mutant(
        "keys of the commit under way not looked at",
        CORE + "decision.py",
        "        if fresh is not None:\n            fresh[1].check_repeat",
        "        if fresh is not None and fresh[0] == self._seq:\n            fresh[1].check_repeat",
        (BROKER_TESTS + "test_sending.py",),
    ),
    Mutant(
        "a segment closed too early",
        CORE + "segments.py",
        "        if part and full:\n",
        "        if part and positions >= limits.SEGMENT_ENTRIES_MAX - 1:\n",
        (BROKER_TESTS + "test_segments.py",),
    ),
    Mutant(
        "a pending room shown in the heads",
        CORE + "durable.py",
        '            wanted = pos > floor or (with_rooms and conversation.startswith("#"))\n',
        "            wanted = True\n",
        (BROKER_TESTS + "test_durable.py", BROKER_TESTS + "test_reading.py"),
    ),
    Mutant(
        "instances not asked for again after a failed commit",
        CORE + "core.py",
        "        self._greeting.load_instances()\n",
        "",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "writing goes on without a probe",
        CORE + "log.py",
        "        if self._probed:\n            self.phase = Phase.READY\n",
        "        if True:\n            self.phase = Phase.READY\n",
        (BROKER_TESTS + "test_log.py",),
    ),
    Mutant(
        "an uncertain failure called certain",
        "zchat/broker/store/sqlite.py",
        "            with _failing(certain=False):\n",
        "            with _failing(certain=True):\n",
        ("tests/unit/store/test_sqlite.py",),
    ),
    Mutant(
        "a commit that is not synced",
        "zchat/broker/store/sqlite.py",
        '            "synchronous = FULL",\n',
        '            "synchronous = OFF",\n',
        ("tests/unit/store/test_sqlite.py",),
    ),
    Mutant(
        "silence counted while the loop stood still",
        CORE + "core.py",
        "        if late_ms > _STALL_MS or not self.accepting:",
        "        if not self.accepting:",
        (BROKER_TESTS + "test_core.py", BROKER_TESTS + "test_greeting.py"),
    ),
    Mutant(
        "a batch split on resend",
        CLIENT + "outbox.py",
        "        formed.on_the_way += 1\n",
        "        formed.on_the_way += 1\n"
        "        if formed.on_the_way > 1 or self._resends:\n"
        "            formed.texts = formed.texts[:1]\n",
        (CLIENT_TESTS + "test_outbox.py",),
    ),
    Mutant(
        "a final refusal that blocks an instance",
        CLIENT + "outbox.py",
        "        for formed in self._formed.values():\n            if formed.key is None:\n"
        "                return formed.counter\n        return self._next_counter\n",
        "        return 0\n",
        (CLIENT_TESTS + "test_outbox.py", CLIENT_TESTS + "test_resuming.py"),
    ),
    Mutant(
        "a resume that skips the slower channel",
        CLIENT + "reading.py",
        "        if sweep is not None and not sweep.behind and not self._unseen:\n",
        "        if sweep is not None and not self._unseen:\n",
        (CLIENT_TESTS + "test_resuming.py",),
    ),
    Mutant(
        "one position for all conversations",
        CLIENT + "cursors.py",
        "        position = self.positions.get(conversation, 0)\n",
        "        position = max(self.positions.values(), default=0)\n",
        (CLIENT_TESTS + "test_resuming.py",),
    ),
    Mutant(
        "a subscription confirmed before it is in force",
        CLIENT + "subscriptions.py",
        "        effects.append(Subscribe(wire.nonce_topic(nonce)))\n",
        "        effects.insert(0, Subscribe(wire.nonce_topic(nonce)))\n",
        (CLIENT_TESTS + "test_session.py",),
    ),
    Mutant(
        "a gap passed over",
        CLIENT + "reading.py",
        "        if segment.prev > position:\n",
        "        if False:\n",
        (CLIENT_TESTS + "test_resuming.py", CLIENT_TESTS + "test_reading.py"),
    ),
    Mutant(
        "a lost last message not noticed: heads are not looked at",
        CLIENT + "reception.py",
        "        self.reading.listed(listing, heads.heads, heads.as_of)\n"
        "        return self._turn(listing, heads.next, now_ms)\n",
        "        return self._turn(listing, heads.next, now_ms)\n",
        (CLIENT_TESTS + "test_reading.py", CLIENT_TESTS + "test_resuming.py"),
    ),
    Mutant(
        "a floor that rises over a room that was joined",
        CLIENT + "cursors.py",
        "        if position and conversation in self.joined:\n            return position\n",
        "",
        (
            "tests/sim/test_simulation.py",
            CLIENT_TESTS + "test_resuming.py",
            CLIENT_TESTS + "test_membership.py",
        ),
    ),
    Mutant(
        "the floor moved before the heads are reached",
        CLIENT + "reading.py",
        "        if sweep is not None and not sweep.behind and not self._unseen:\n",
        "        if sweep is not None:\n",
        SIMULATION,
    ),
    Mutant(
        "a page trimmed wrongly",
        CLIENT + "reading.py",
        "        entries = entries_of(segment, position)\n",
        "        entries = entries_of(segment, segment.first - 1)\n",
        (CLIENT_TESTS + "test_reading.py", *SIMULATION),
    ),
    Mutant(
        "a cursor moved by a segment that was dropped",
        CLIENT + "reading.py",
        "                self._miss(conversation, segment.last)\n            return []\n",
        "                self._miss(conversation, segment.last)\n"
        "            self.cursors.move(conversation, segment.last)\n            return []\n",
        SIMULATION,
    ),
    Mutant(
        "cursors saved before the updates are taken",
        CLIENT + "inbox.py",
        "        if not marks and self._delivered == self._consumed:\n",
        "        if entries or not marks:\n",
        SIMULATION,
    ),
    Mutant(
        "a refusal told while another transmission is under way",
        CLIENT + "outbox.py",
        "        if formed.on_the_way:\n            self._doubts.add",
        "        if formed.on_the_way > 1000:\n            self._doubts.add",
        SIMULATION,
    ),
    Mutant(
        "a room read on after one was put out of it",
        CLIENT + "reading.py",
        '_EXPELLING: Final = frozenset(("kicked", "banned"))',
        '_EXPELLING: Final = frozenset(("kicked",))',
        (CLIENT_TESTS + "test_expelled.py",),
    ),
    Mutant(
        "a room left for an act that is older than the membership",
        CLIENT + "reading.py",
        "            if not self._reads(room) or is_older:\n",
        "            if not self._reads(room):\n",
        (CLIENT_TESTS + "test_expelled.py",),
    ),
    Mutant(
        "followed rooms all lost with one",
        CLIENT + "reception.py",
        "            self.reading.examine_followed()\n",
        "",
        (CLIENT_TESTS + "test_expelled.py",),
    ),
    Mutant(
        "not waited as long as the broker says",
        CLIENT + "outbox.py",
        "            if now_ms < self._pace.held.due_ms:\n",
        "            if now_ms < 0:\n",
        (CLIENT_TESTS + "test_limited.py",),
    ),
    Mutant(
        "a Send said not to be stored that may be",
        CLIENT + "outbox.py",
        "            formed.uncertain |= formed.on_the_way > 0\n",
        "",
        (CLIENT_TESTS + "test_limited.py",),
    ),
    Mutant(
        "an invite shown for ever",
        CLIENT + "core.py",
        '        self._invite = ""  #',
        '        self._invite += ""  #',
        (CLIENT_TESTS + "test_session.py",),
    ),
    Mutant(
        "an unanswered page not asked for again",
        CLIENT + "fetches.py",
        "                wanted.unanswered += 1\n                self._queue.append(wanted)\n",
        "                wanted.unanswered += 1\n",
        SIMULATION,
    ),
    Mutant(
        "a half-dead connection never noticed",
        CLIENT + "session.py",
        "            return None if self._asked_ms is None else self._asked_ms + self._timeout_ms\n",
        "            return None\n",
        SIMULATION,
    ),
    Mutant(
        "an unanswered act not repeated",
        CLIENT + "requests.py",
        "            if request.due_ms <= now_ms:\n",
        "            if request.due_ms < 0:\n",
        SIMULATION,
    ),
    Mutant(
        "direct messages of a new installation begin with its Welcome",
        CLIENT + "reading.py",
        "self._raise_floor(welcome.floor if self._resume else",
        "self._raise_floor(welcome.as_of if self._resume else",
        SIMULATION,
    ),
    Mutant(
        "a leaving that was told is not noticed",
        CLIENT + "reading.py",
        "                self._leave(segment.conversation, segment.last)\n",
        "                pass\n",
        SIMULATION,
    ),
    Mutant(
        "a list of heads cut off after its first page",
        CORE + "durable.py",
        "                return page, page[-1].conversation\n",
        '                return page, ""\n',
        SIMULATION,
    ),
    Mutant(
        "heads told as of what is not on disk",
        CORE + "reading.py",
        "return wire.Heads(session.number, token, durable.as_of,",
        "return wire.Heads(session.number, token, self._context.log.state.last_pos,",
        SIMULATION,
    ),
    Mutant(
        "bytes of what was decided on still counted as waiting",
        CORE + "log.py",
        "            self.queued_bytes -= submission_size\n",
        "",
        SIMULATION,
    ),
    Mutant(
        "a page that misses a segment's edge, in memory",
        "zchat/broker/store/memory.py",
        "s.conversation == conversation and s.last > bound]",
        "s.conversation == conversation and s.first > bound]",
        SIMULATION,
    ),
    Mutant(
        "caught up before what the list of heads names is here",
        CLIENT + "reading.py",
        "                if listing.is_first:\n"
        "                    self._catchup.expect(conversation, head.pos)\n",
        "",
        SIMULATION,
    ),
    Mutant(
        "caught up in the first session only",
        CLIENT + "catchup.py",
        "        self._targets = {}\n        self._doubtful = {}\n",
        "        self._targets = None if self._listed else {}\n        self._doubtful = {}\n",
        SIMULATION,
    ),
    Mutant(
        "a room that was joined unnoticed given up when it is followed no longer",
        CLIENT + "reading.py",
        "            if self._sweep is not None and room in self._sweep.behind:\n"
        "                self._sweep = None\n",
        "",
        (CLIENT_TESTS + "test_membership.py",),
    ),
    Mutant(
        "the place where following began taken for a joining",
        CLIENT + "reading.py",
        "        if not is_welcome and room in self.requested:\n            return\n"
        "        self._starts[room] = head.start\n",
        "        self._starts[room] = head.start\n"
        "        if not is_welcome and room in self.requested:\n            return\n",
        (CLIENT_TESTS + "test_membership.py",),
    ),
    Mutant(
        "a kick that does not end the topic's approval",
        CORE + "reading.py",
        '        return room is not None and not room.private and durable.lets(nick, f"#{name}")\n',
        "        return room is not None and not room.private\n",
        (BROKER_TESTS + "test_access_sanctions.py",),
    ),
    Mutant(
        "a kick without a cut",
        CORE + "acts.py",
        "        self._cut(pos, subject, why, ends=False)\n",
        "",
        (BROKER_TESTS + "test_access_sanctions.py", "tests/property/test_access_laws.py"),
    ),
    Mutant(
        "a kick without a cut, in the simulation",
        CORE + "acts.py",
        "        self._cut(pos, subject, why, ends=False)\n",
        "",
        SIMULATION,
    ),
    Mutant(
        "a cut at the end of the commit",
        CORE + "core.py",
        "            if cutoff.pos == segment.last:\n",
        "            if segment.last == self._context.log.state.last_pos:\n",
        (BROKER_TESTS + "test_access_sanctions.py",),
    ),
    Mutant(
        "who was put out gets what follows over ROUTER",
        CORE + "core.py",
        "            if change.start is None:\n                durable.change",
        "            if change.start is None and not change.bars:\n                durable.change",
        (BROKER_TESTS + "test_access_sanctions.py", "tests/property/test_access_laws.py"),
    ),
    Mutant(
        "who may read again not cut",
        CORE + "core.py",
        "                self._let_subscribe(change.nick)\n",
        "                pass\n",
        (BROKER_TESTS + "test_access_sanctions.py",),
    ),
    Mutant(
        "an invite counted twice",
        CORE + "decision.py",
        "        elif leads_further(self._state, self._limits, holder, invite):\n",
        "        else:\n",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "an invite that is never used up",
        CORE + "acts.py",
        "        left = invite.uses - 1\n",
        "        left = max(invite.uses - 1, 1)\n",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "the secret of an invite compared by its beginning",
        CORE + "decision.py",
        "    shown = sha256(secret[_INVITE_ID:].encode()).digest()\n"
        "    return invite if hmac.compare_digest(shown, invite.digest) else None\n",
        "    shown = sha256(secret[_INVITE_ID:40].encode()).digest()\n"
        "    return invite if hmac.compare_digest(shown, invite.digest) else None\n",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "an invite that leads back where one was put out",
        CORE + "acts.py",
        "    return state.access.barrier(room.name, user.nick) is None\n",
        "    return state.access.sanction(room.name, user.nick, wire.BAN) is None\n",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "what ends noticed only when something else is ordered",
        CORE + "log.py",
        "        if due_ms is not None and now_ms >= due_ms:\n",
        "        if due_ms is not None and now_ms < 0:\n",
        (BROKER_TESTS + "test_access_expiry.py",),
    ),
    Mutant(
        "what ends compared with the monotonic clock",
        CORE + "log.py",
        "        deciding.expire(time_ms)\n",
        "        deciding.expire(time_ms + now_ms)\n",
        (BROKER_TESTS + "test_access_expiry.py",),
    ),
    Mutant(
        "what has ended is noticed after what was ordered with it",
        CORE + "log.py",
        "        deciding.expire(time_ms)\n        for submission in event.submissions:\n"
        "            deciding.decide(submission)\n",
        "        for submission in event.submissions:\n            deciding.decide(submission)\n"
        "        deciding.expire(time_ms)\n",
        (BROKER_TESTS + "test_access_expiry.py",),
    ),
    Mutant(
        "rights looked up before repeats",
        CORE + "decision.py",
        "        known, conversation, mark = repeated_send(self._state, instance, user, send)\n",
        "        self._state.check_write(user, self._state.conversation(user, send.to))\n"
        "        known, conversation, mark = repeated_send(self._state, instance, user, send)\n",
        (BROKER_TESTS + "test_access_sanctions.py",),
    ),
    Mutant(
        "a private room listed",
        CORE + "asking.py",
        "            if name > request.after and (not room.private or state.knows_of(room, session.nick))\n",
        "            if name > request.after\n",
        (BROKER_TESTS + "test_access_private.py", BROKER_TESTS + "test_access_hidden.py"),
    ),
    Mutant(
        "a private room refused otherwise than one that does not exist",
        CORE + "state.py",
        "        if room is None or not self.knows_of(room, user):\n            raise _no_such_private",
        "        if room is not None and not self.knows_of(room, user):\n"
        '            raise Denied(Refusal.NO_SUCH_ROOM, f"there is no room #{room.name} for you")\n'
        "        if room is None:\n            raise _no_such_private",
        (BROKER_TESTS + "test_access_hidden.py",),
    ),
    Mutant(
        "a private room published",
        CORE + "reading.py",
        "        if members is not None:\n            self._deliver_to_all(members, segment)\n",
        "        if members is not None and len(members) > 3:\n"
        "            self._deliver_to_all(members, segment)\n",
        (BROKER_TESTS + "test_access_private.py", "tests/property/test_access_laws.py"),
    ),
    Mutant(
        "a repeated request makes another private room",
        CORE + "acts.py",
        "            if self._state.rooms[joined].mark == mark:\n",
        "            if self._state.rooms[joined].mark == mark + user:\n",
        (BROKER_TESTS + "test_access_private.py",),
    ),
    Mutant(
        "a role in a private room outlives membership",
        CORE + "acts.py",
        "        if room.private:\n            self._access.set_role(room.name, user, wire.NONE)\n",
        "",
        (BROKER_TESTS + "test_access_roles.py",),
    ),
    Mutant(
        "an operator acts against an owner",
        CORE + "acts.py",
        "            subject.nick, room, wire.OPERATOR\n        ):\n",
        "            subject.nick, room, wire.OPERATOR\n        ) and False:\n",
        (BROKER_TESTS + "test_access_roles.py",),
    ),
    Mutant(
        "sessions outlive their token",
        CORE + "acts.py",
        "        self._cut(pos, user, why, ends=True)\n        for key in sorted(user.keys):\n",
        "        self._cut(pos, user, why, ends=False)\n        for key in sorted(user.keys):\n",
        (BROKER_TESTS + "test_access_tokens.py",),
    ),
    Mutant(
        "a bot without its token is anybody",
        CORE + "access.py",
        "        return NOTHING if token is None and nick in self._ended else token\n",
        "        return token\n",
        (BROKER_TESTS + "test_access_unwritten.py",),
    ),
    Mutant(
        "a token for rooms takes all of them",
        CORE + "state.py",
        "        if token is not None and token.rooms and conversation[1:] not in token.rooms:\n",
        '        if token is not None and token.rooms and conversation[0] == "@":\n',
        (BROKER_TESTS + "test_access_tokens.py",),
    ),
    Mutant(
        "what the old key sends behind its change is stored",
        CORE + "state.py",
        "        if guarded or (key and key not in self.users[user].keys):\n",
        "        if guarded:\n",
        (BROKER_TESTS + "test_access_people.py", BROKER_TESTS + "test_access_invites.py"),
    ),
    Mutant(
        "a page by a right that is not on disk",
        CORE + "reading.py",
        "        if conversation != LOG and log.durable.lets(session.nick, conversation):\n",
        "        if conversation != LOG:\n",
        (BROKER_TESTS + "test_access_unwritten.py",),
    ),
    Mutant(
        "a page of a room that one was put out of meanwhile",
        CORE + "reading.py",
        "            log.state.check_reads(session.nick, reading.conversation)\n",
        "",
        (BROKER_TESTS + "test_access_unwritten.py",),
    ),
    Mutant(
        "a page with a text that was removed while it was read",
        CORE + "reading.py",
        "        self._outdated.update(self._reads)\n",
        "",
        (BROKER_TESTS + "test_access_redaction.py",),
    ),
    Mutant(
        "a redaction told while copies are left",
        CORE + "core.py",
        "                case Scrubbed(pos=pos) if scrubbed:\n",
        "                case Scrubbed(pos=pos) if scrubbed or pos:\n",
        (BROKER_TESTS + "test_access_redaction.py",),
    ),
    Mutant(
        "a kick forgotten at the start",
        CORE + "access.py",
        "                self.kicked[room, nick] = Sanction(*value)\n"
        "                self.guarded.add(nick)\n",
        "                self.kicked[room, nick] = Sanction(*value)\n",
        (BROKER_TESTS + "test_access_restart.py",),
    ),
    Mutant(
        "a ban of the maker forgotten at the start",
        CORE + "durable.py",
        "                self._barred |= {(one, LOG) for one in (nick, *state.access.tokens_of(nick))}\n",
        "                self._barred.add((nick, LOG))\n",
        (BROKER_TESTS + "test_access_tokens.py",),
    ),
    Mutant(
        "an invitation that was given back is kept on disk",
        CORE + "decision.py",
        "        return not self.segments and not self.redactions and not self.state\n",
        "        return not self.segments and not self.redactions\n",
        (BROKER_TESTS + "test_access_private.py",),
    ),
    Mutant(
        "what is refused for its rate is paid for",
        CORE + "metering.py",
        "        wait_ms = one.wait_ms(now_ms) or other.wait_ms(now_ms)\n",
        "        wait_ms = one.take(messages, now_ms) or other.wait_ms(now_ms)\n",
        (BROKER_TESTS + "test_metering.py",),
    ),
    Mutant(
        "a time to wait that is too short",
        CORE + "metering.py",
        "        return 1 + int((1 - self.level) * 1000 / self._per_second)\n",
        "        return 1 + int(max(0, -self.level) * 1000 / self._per_second)\n",
        (BROKER_TESTS + "test_metering.py",),
    ),
    Mutant(
        "bots read on for a maker who is out",
        CORE + "acts.py",
        "        for nick in sorted(self._access.tokens_of(maker)) if room.private else ():\n",
        "        for nick in ():\n",
        (BROKER_TESTS + "test_access_private.py",),
    ),
    Mutant(
        "the only owner may go",
        CORE + "acts.py",
        "        if not room.private or self._access.role(room.name, user) < wire.OWNER",
        "        if room.private or self._access.role(room.name, user) < wire.OWNER",
        (BROKER_TESTS + "test_access_private.py",),
    ),
    Mutant(
        "an invite for a nick holds on when somebody has come in under it",
        CORE + "decision.py",
        "        self._acts.end_invites_for(submission.folded)\n",
        "",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "invites of who administers no longer",
        CORE + "acts.py",
        "        if room is None and not role:\n            self._end_invites_of(subject.nick)\n",
        "",
        (BROKER_TESTS + "test_access_invites.py",),
    ),
    Mutant(
        "a meter for each key",
        CORE + "greeting.py",
        "context.meters.of(session.nick, context.now_ms)",
        "context.meters.of(session.key, context.now_ms)",
        (BROKER_TESTS + "test_metering.py",),
    ),
)
