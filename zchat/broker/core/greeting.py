"""How sessions begin and end: Hello, registration, Welcome, takeover, Bye and expiry."""

from zchat.broker.core.acts import leads_further
from zchat.broker.core.context import Context
from zchat.broker.core.decision import check_identity, check_new_user, find_invite
from zchat.broker.core.effects import Admit, Dismiss, Transmit
from zchat.broker.core.instances import Instance
from zchat.broker.core.log import Phase
from zchat.broker.core.port import InstanceLoaded, LoadInstance
from zchat.broker.core.sessions import Session
from zchat.broker.core.state import Denied
from zchat.broker.core.submissions import Origin, RegisterSubmitted
from zchat.common import limits as wire_limits
from zchat.common import names, wire
from zchat.common.codes import Refusal


class Greeting:
    """Opens and closes sessions. protocol.md, Sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loads: dict[int, int] = {}  # token of a LoadInstance: number of its session
        self._tokens = 0

    def hello(self, peer: bytes, key: str, hello: wire.Hello, address: str) -> None:
        """Begin a session, or refuse to. One that this connection or this instance has ends first."""
        present = self._context.sessions.at(peer)
        if present is not None:
            self.end(present, "greeted again")
        try:
            if not key:
                self._begin_of_account(peer, hello)
                return
            self._check_rate(key, address)
            nick, folded = _names(hello)
            self._begin(peer, key, hello, nick, folded)
        except Denied as denied:
            self._refuse(peer, denied)

    def _refuse(self, peer: bytes, denied: Denied) -> None:
        """Refuse a Hello by the state, once that is durable. Nobody else tells that it was."""
        refused = wire.Refused(0, 0, denied.refusal.value, denied.reason, denied.retry_after_ms)
        self._context.note("refused", f"hello refusal={denied.refusal.name.lower()}")
        self._context.emit(self._context.log.hold(Origin(0, 0), Transmit(peer, refused)))

    def _check_rate(self, key: str, address: str) -> None:
        """Who was let in before may greet as often as there are sessions; all others of an address share."""
        context = self._context
        user = context.log.state.user_of_key(key)
        if user is None:
            wait_ms = context.meters.greeting(address, context.now_ms)
        else:
            wait_ms = context.meters.of(user.nick, context.now_ms).requests.take(1, context.now_ms)
        if wait_ms:
            reason = f"too many greetings; again in {wait_ms / 1000:.1f} s"
            raise Denied(Refusal.RATE_LIMITED, reason, wait_ms)

    def _begin_of_account(self, peer: bytes, hello: wire.Hello) -> None:
        """A session of the account that runs the broker, which came through the control socket."""
        context = self._context
        _check_version(hello)
        for other in context.sessions.of(wire.ACCOUNT):
            if other.hello.instance == hello.instance:
                self.end(other, "taken over")
        if len(context.sessions.of(wire.ACCOUNT)) >= context.limits.sessions_per_user_max:
            raise Denied(Refusal.LIMIT_REACHED, "too many sessions of the control socket")
        session = context.sessions.begin(peer, "", hello, wire.ACCOUNT, context.now_ms)
        session.quiet = True
        self._welcome(session)

    def _begin(self, peer: bytes, key: str, hello: wire.Hello, nick: str, folded: str) -> None:
        context = self._context
        sessions, log = context.sessions, context.log
        invite = find_invite(log.state, hello.invite) if hello.invite else None
        check_identity(log.state, nick, folded, key, invite)
        user = log.state.user_of_folded(folded)
        for other in dict.fromkeys(sessions.of_key(key) + sessions.of(user.nick if user else nick)):
            if other.hello.instance == hello.instance:
                self.end(other, "taken over")
        if len(sessions) >= context.limits.sessions_max:
            raise Denied(Refusal.LIMIT_REACHED, f"the broker has {len(sessions)} sessions, its limit")
        if user is None or key not in user.keys:  # whose sessions would end
            self._register(peer, key, hello, user.nick if user else nick, folded)
            return
        if len(sessions.of(user.nick)) >= context.limits.sessions_per_user_max:
            raise Denied(
                Refusal.LIMIT_REACHED, f"{user.nick} has {len(sessions.of(user.nick))} sessions, the limit"
            )
        if hello.register and leads_further(log.state, context.limits, user, invite):
            self._register(peer, key, hello, user.nick, folded)
        else:
            self.load_instance(sessions.begin(peer, key, hello, user.nick, context.now_ms))

    def _register(self, peer: bytes, key: str, hello: wire.Hello, nick: str, folded: str) -> None:
        log = self._context.log
        if log.phase is not Phase.READY:
            if log.is_in_doubt(RegisterSubmitted(Origin(0, 0), nick, folded, key)):
                return  # it may have been stored: the client asks again
            raise Denied(Refusal.STORAGE_UNAVAILABLE, "the broker cannot write: nobody can be registered")
        invite = find_invite(log.state, hello.invite) if hello.invite else None
        is_new = log.state.user_of_folded(folded) is None
        if is_new:
            check_new_user(log.state, self._context.limits, folded, hello.invite, invite)
        if not hello.register:
            what = (
                f"nobody is registered as {nick}"
                if is_new
                else f"{nick} has another key until you ask for it"
            )
            raise Denied(Refusal.NOT_REGISTERED, f"{what} at this broker")
        session = self._context.sessions.begin(peer, key, hello, nick, self._context.now_ms)
        size = len(nick) + len(key)
        origin = Origin(session.number, 0)
        self._context.submit(RegisterSubmitted(origin, nick, folded, key, hello.invite), size)

    def registered(self, session: Session, nick: str, is_new: bool) -> None:
        """The session's nick is durable. Of two Hellos at once the first one says how it is written, and
        is the one that registered it."""
        self._context.sessions.rename(session, nick)
        session.registered = is_new
        if is_new:
            self._context.note("registered", f"nick={session.nick}")
        self.load_instance(session)

    def load_instance(self, session: Session) -> None:
        """Ask the store what the session's instance has sent. Until then its Sends are not answered."""
        self._tokens += 1
        self._loads[self._tokens] = session.number
        self._context.emit(
            LoadInstance(self._tokens, session.nick, session.hello.instance, session.lowest)
        )  # fmt: skip

    def load_instances(self) -> None:
        """Ask again for every session, since the state was loaded anew; earlier answers do not count."""
        self._loads.clear()
        for session in self._context.sessions:
            if not session.is_of_account:
                self.load_instance(session)

    def instance_loaded(self, event: InstanceLoaded) -> None:
        """Sends of the session can be decided on, and one that was greeting is open."""
        context = self._context
        session = context.sessions.numbered(self._loads.pop(event.token, 0))
        if session is None or context.log.is_loading:  # what was found before a failed commit is asked again
            return
        if event.rows is None or session.nick not in context.log.state.users:
            if event.rows is None and not session.open:
                reason = "the broker cannot read its log at the moment"
                context.deny(session, 0, Denied(Refusal.STORAGE_UNAVAILABLE, reason))
            self.end(session, "not readable")  # or its registration failed; the client greets again
            return
        if not session.open:
            try:  # what has become of it since the Hello
                folded = context.log.state.users[session.nick].folded
                check_identity(context.log.state, session.nick, folded, session.key, None)
            except Denied as denied:
                self.end(session, "refused")
                self._refuse(session.peer, denied)
                return
            if not context.log.durable.lets_in(session.nick, session.key):
                self.load_instance(session)  # behind the Write that lets it in
                return
        instance = Instance(session.lowest, event.rows)
        context.log.instances[session.nick, session.hello.instance] = instance
        if not session.open:
            self._welcome(session)

    def _welcome(self, session: Session) -> None:
        context = self._context
        session.open = True
        durable = context.log.durable
        new_installation = session.hello.floor is None and not session.is_of_account
        if new_installation:
            session.floor = context.log.state.users[session.nick].since
        bot = context.log.state.access.bot(session.nick)
        heads, following = durable.heads_of(session.nick, {}, session.floor, "", new_installation, bot)
        session.meter = context.meters.of(session.nick, context.now_ms)
        if session.key:
            context.emit(Admit(session.key))
        context.transmit(
            session,
            wire.Welcome(
                session=session.number,
                version=wire_limits.VERSION,
                nick=session.nick,
                registered=session.registered,
                floor=session.floor,
                as_of=durable.as_of,
                heads=heads,
                next=following,
                port=context.xpub_port,
                nonce=context.sessions.renew_nonce(session),
                heartbeat_ms=context.limits.heartbeat_ms,
                timeout_ms=context.limits.timeout_ms,
                text_bytes_max=wire_limits.TEXT_BYTES_MAX,
                send_bytes_max=wire_limits.SEND_BYTES_MAX,
                send_messages_max=min(wire_limits.SEND_MESSAGES_MAX, context.limits.messages_burst),
                broker=context.software,
                time_ms=context.log.time_ms(context.now_ms),
            ),
        )
        if not session.quiet:
            context.presence.touch(session.nick, context.now_ms)
        kind = " quiet" if session.quiet else ""
        context.note("session_opened", f"nick={session.nick} session={session.number}{kind}")

    def end(self, session: Session, why: str) -> None:
        """End a session. What it sent and has no answer yet is dropped, unless it was already decided on."""
        context = self._context
        context.sessions.end(session)
        context.log.instances.pop((session.nick, session.hello.instance), None)
        context.log.queued_bytes -= sum(size for _, size in session.behind)
        session.behind.clear()
        if session.open:
            context.log.seen(session.nick, context.now_ms)
            context.note("session_ended", f"nick={session.nick} session={session.number} why={why!r}")
            context.presence.touch(session.nick, context.now_ms)

    def expel(self, session: Session, why: str) -> None:
        """End a session whose user or key is not let in any more. The next Hello is told more. One that is
        not open yet is told when its instance is loaded."""
        if session.open:
            denied = Denied(Refusal.NOT_GREETED, f"the session has ended: {why}")
            self._context.refuse_peer(session.peer, session.number, 0, denied)
            self.end(session, why)

    def expel_unfounded(self) -> None:
        """The state was loaded anew, and may have more or less in it than what sessions were opened by."""
        log = self._context.log
        for session in self._context.sessions:
            if session.is_of_account or not session.open:
                continue
            try:
                log.state.check_session(session.nick, session.key)
            except Denied as denied:
                self.expel(session, denied.reason)
                self._context.emit(Dismiss((session.key,)))
                continue
            for room in [room for room in session.followed if not log.durable.lets(session.nick, room)]:
                del session.followed[room]

    def expire(self) -> None:
        """End the sessions that were silent for longer than the timeout."""
        self._context.meters.forget(self._context.now_ms, self._context.sessions.nicks)
        for session in self._context.sessions:
            if self._context.now_ms - session.seen_ms > self._context.limits.timeout_ms:
                self.end(session, "silent")


def _check_version(hello: wire.Hello) -> None:
    if not hello.first_version <= wire_limits.VERSION <= hello.last_version:
        raise Denied(
            Refusal.VERSION_UNSUPPORTED,
            f"this broker speaks version {wire_limits.VERSION} of ZCHAT, the client {hello.first_version}"
            f" to {hello.last_version}",
        )


def _names(hello: wire.Hello) -> tuple[str, str]:
    _check_version(hello)
    try:
        return names.nick(hello.nick), names.folded(hello.nick)
    except names.InvalidName as error:
        raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
