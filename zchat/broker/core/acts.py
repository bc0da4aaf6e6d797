"""Acts: what becomes of joins, topics, roles, sanctions, invites and tokens (protocol.md, Acts).

Longer than other files: each act is a few lines of who may do it, what changes, and what is told; beside each
other they can be compared.
"""

from typing import Final, NamedTuple, assert_never

from msgspec.structs import replace

from zchat.broker.core.access import BotToken, Ended, Invite, Sanction
from zchat.broker.core.limits import Limits
from zchat.broker.core.segments import Numbering
from zchat.broker.core.state import GENERAL, LOG, ROLES, Denied, Room, State, User, by, direct
from zchat.common import names, wire
from zchat.common.codes import Refusal

_LIFETIME_MS_MAX: Final = 100 * 365 * 86_400_000  # longer is for ever
_SANCTIONS: Final = {wire.MUTE: "muted", wire.BAN: "banned"}
_PARDONS: Final = {wire.MUTE: "unmuted", wire.BAN: "unbanned"}
_KINDS: Final = {"mute": wire.MUTE, "ban": wire.BAN}


class Change(NamedTuple):
    """What the entry at `pos` changes in who reads what: `nick` reads `conversation` from `start` on, or as a
    member no longer (None). `bars`: may not read it at all from now on, or (False) may again."""

    pos: int
    nick: str
    conversation: str
    start: int | None
    bars: bool | None = None


class Cutoff(NamedTuple):
    """From the entry at `pos` on nothing published may reach these keys; `ends`: their sessions end as
    well."""

    pos: int
    keys: tuple[str, ...]
    why: str
    ends: bool


class Settled(NamedTuple):
    """What to answer an act with: its position, 0 when nothing had to change, and the name of a room that it
    created."""

    pos: int
    name: str = ""


class Acts:
    """Decides on acts and does what they say, in the state and in the log. `changes`, `cutoffs` and `away`
    (who is so, or is back) are what follows when it is durable."""

    def __init__(self, state: State, numbering: Numbering, limits: Limits, time_ms: int) -> None:
        self._state = state
        self._access = state.access
        self._numbering = numbering
        self._limits = limits
        self._time_ms = time_ms
        self.changes: list[Change] = []
        self.cutoffs: list[Cutoff] = []
        self.away: dict[str, bool] = {}

    def decide(self, user: str, act: wire.Act, key: str, mark: str) -> Settled:
        """Do an act of `user`, whose session has `key`; `mark` is the same whenever the request is repeated.
        Raises Denied, and then nothing has changed."""
        match act:
            case wire.Join():
                return self._join(user, act, mark)
            case wire.Leave():
                return self._leave(user, act.room)
            case wire.SetTopic():
                return self._set_topic(user, act)
            case wire.MakeInvite():
                return self._make_invite(user, act)
            case wire.EndInvite():
                return self._end_invite(user, act)
            case wire.MakeToken():
                return self._make_token(user, act)
            case wire.EndToken():
                return self._end_token(user, act)
            case wire.SetRole():
                return self._set_role(user, act)
            case wire.SetMode():
                return self._set_mode(user, act)
            case wire.InviteToRoom():
                return self._invite_to_room(user, act)
            case wire.Kick():
                return self._kick(user, act)
            case wire.Sanction():
                return self._sanction(user, act, mark)
            case wire.Pardon():
                return self._pardon(user, act)
            case wire.ChangeKey():
                return self._change_key(user, act.key, key)
            case wire.SetAway():
                return self._set_away(user, act.text)
            case wire.SetIgnored():
                return self._set_ignored(user, act)
            case _:
                assert_never(act)

    # ---- rooms ----

    def _join(self, user: str, act: wire.Join, mark: str) -> Settled:
        name = _room_name(act.room)
        if act.private:
            return self._create_private(user, name, mark)
        state, room = self._state, self._state.rooms.get(name)
        if room is not None and user in room.members:
            return Settled(0)
        self._check_rooms(user)
        if room is None or room.private:
            if names.is_of_private_room(name):
                room = state.room(name, user)  # to which one is invited, or there is none
            else:
                self._check_new_name(name)
                self._check_not_muted(user, "")  # a name is something that others read
        elif user in self._access.guarded:
            ban = self._access.sanction(name, user, wire.BAN)
            if ban is not None:
                state.readable_room(name, user)  # which says why not
        return Settled(self.enter(user, name))

    def _create_private(self, user: str, base: str, mark: str) -> Settled:
        mark = f"{user} {mark}"
        for joined, pos in self._state.users[user].rooms.items():
            if self._state.rooms[joined].mark == mark:
                return Settled(pos, joined)
        self._check_rooms(user)
        self._check_not_muted(user, "")
        self._check_count(len(self._state.rooms), self._limits.rooms_max, "rooms")
        try:
            if names.is_of_private_room(base):
                raise names.InvalidName("ends in + and digits, as those of private rooms do by themselves")
            name = names.of_private_room(base, self._numbering.next_pos())
        except names.InvalidName as error:
            raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
        return Settled(self.enter(user, name, private=True, mark=mark), name)

    def enter(self, user: str, name: str, private: bool = False, mark: str = "") -> int:
        """Make somebody a member of a room, which is created if there is none. Returns the position."""
        state = self._state
        created = name not in state.rooms
        pos = self._numbering.barrier(f"#{name}", wire.Joined(user, created))
        if created:
            state.add_room(name, private, mark)
            if name != GENERAL:
                self._access.set_role(name, user, wire.OWNER)
        state.add_member(name, user, pos)
        self._access.set_kicked(name, user, None)
        self._access.set_invited(name, user, False)
        self.changes.append(Change(pos, user, f"#{name}", pos, False))
        return pos

    def _check_rooms(self, user: str) -> None:
        most = self._limits.joined_rooms_max
        if len(self._state.users[user].rooms) >= most:
            raise Denied(Refusal.LIMIT_REACHED, f"you are in {most} rooms, the limit")

    def _check_new_name(self, name: str) -> None:
        namesake = self._state.user_of_folded(name)
        if namesake is not None:
            raise Denied(Refusal.NAME_INVALID, f"a person is called {namesake.nick}")
        self._check_count(len(self._state.rooms), self._limits.rooms_max, "rooms")

    def _check_count(self, count: int, most: int, what: str) -> None:
        if count >= most:
            raise Denied(Refusal.LIMIT_REACHED, f"the broker has as many {what} as it may")

    def _check_not_muted(self, user: str, room: str) -> None:
        mute = self._access.mute_of(room, user)
        if mute is not None:
            raise Denied(Refusal.NOT_ALLOWED, f"you were muted {by(mute)}")

    def _check_keeps_an_owner(self, user: str, room: Room) -> None:
        """A private room without an owner can be helped by nobody, not even by who runs the broker."""
        if not room.private or self._access.role(room.name, user) < wire.OWNER or len(room.members) == 1:
            return
        if not any(self._access.role(room.name, other) == wire.OWNER for other in room.members - {user}):
            raise Denied(
                Refusal.NOT_ALLOWED, f"you are the only owner of #{room.name}: make somebody else owner first"
            )

    def _leave(self, user: str, typed: str) -> Settled:
        room = self._state.room(typed, user)
        if user not in room.members:
            self._access.set_invited(room.name, user, False)
            return Settled(0)
        self._check_keeps_an_owner(user, room)
        pos = self._numbering.barrier(f"#{room.name}", wire.Left(user))
        self._remove(user, room, pos)
        self._take_bots_along(user, room, user)
        return Settled(pos)

    def _remove(self, user: str, room: Room, pos: int, bars: bool = False) -> None:
        """End a membership, if there is one, and what one may do by it. `bars`: and the reading."""
        self._state.remove_member(room.name, user)
        self._access.set_invited(room.name, user, False)
        if room.private:
            self._access.set_role(room.name, user, wire.NONE)
        self.changes.append(Change(pos, user, f"#{room.name}", None, bars or None))

    def _set_topic(self, user: str, act: wire.SetTopic) -> Settled:
        room = self._state.readable_room(act.room, user)
        self._check_not_muted(user, room.name)
        if room.announce:
            self._state.check_role(user, room, wire.OPERATOR)
        if act.topic == room.topic:
            return Settled(0)
        pos = self._numbering.barrier(f"#{room.name}", wire.TopicSet(user, act.topic))
        self._state.set_topic(room.name, act.topic)
        return Settled(pos)

    def _set_mode(self, user: str, act: wire.SetMode) -> Settled:
        room = self._state.moderated_room(act.room, user)
        if room.announce == act.announce:
            return Settled(0)
        self._state.set_announce(room.name, act.announce)
        return Settled(self._tell(user, "mode", room, "", 0, "announce" if act.announce else "open"))

    def _invite_to_room(self, user: str, act: wire.InviteToRoom) -> Settled:
        room = self._state.moderated_room(act.room, user)
        subject = self._state.person(act.nick)
        if not room.private:
            raise Denied(Refusal.NOT_ALLOWED, f"#{room.name} is public: whoever wants to joins it")
        if subject.maker:
            raise Denied(Refusal.NOT_ALLOWED, f"{subject.nick} is a bot: its token says which rooms it is in")
        if self._access.sanction(room.name, subject.nick, wire.BAN):
            raise Denied(Refusal.NOT_ALLOWED, f"{subject.nick} is banned from #{room.name}: end that first")
        if subject.nick in room.members or (room.name, subject.nick) in self._access.invited:
            return Settled(0)
        pos = self._tell(user, "invited", room, subject.nick)
        self._access.set_invited(room.name, subject.nick, True)
        self._access.set_kicked(room.name, subject.nick, None)
        self._readable_again(subject.nick, room.name, pos)
        return Settled(pos)

    # ---- roles and sanctions ----

    def _check_administrator(self, user: str) -> None:
        if not self._access.is_administrator(user):
            raise Denied(Refusal.NOT_ALLOWED, "only who administers the broker may do that")

    def _check_may_act_against(self, user: str, subject: User) -> None:
        if user != wire.ACCOUNT and self._access.is_administrator(subject.nick):
            what = f"{subject.nick} administers the broker: only the account that runs it may do that"
            raise Denied(Refusal.NOT_ALLOWED, what)

    def _place(self, user: str, typed: str, nick: str) -> tuple[Room | None, User]:
        """The room (None: the broker) and the one about whom, if `user` may act against them there."""
        if not typed:
            self._check_administrator(user)
            subject = self._state.person(nick)
            self._check_may_act_against(user, subject)
            return None, subject
        room = self._state.moderated_room(typed, user)
        subject = self._state.person(nick)
        if not self._state.has_role(user, room, wire.OWNER) and self._state.has_role(
            subject.nick, room, wire.OPERATOR
        ):
            raise Denied(Refusal.NOT_ALLOWED, f"{subject.nick} is operator of #{room.name} as well")
        return room, subject

    def _set_role(self, user: str, act: wire.SetRole) -> Settled:
        if not act.room:
            self._check_administrator(user)
            subject = self._state.person(act.nick)
            role = wire.OPERATOR if act.role >= wire.OPERATOR else wire.NONE
            if subject.maker and role:
                raise Denied(Refusal.NOT_ALLOWED, "a bot administers nothing")
            if subject.nick != user and not role:
                self._check_may_act_against(user, subject)
            room = None
        else:
            room = self._state.moderated_room(act.room, user)
            subject, role = self._state.person(act.nick), act.role
            if subject.maker and role > wire.VOICE:
                raise Denied(Refusal.NOT_ALLOWED, "a bot moderates nothing")
            present = self._access.role(room.name, subject.nick)
            if max(role, present) > wire.VOICE:
                self._state.check_role(user, room, wire.OWNER)
            if room.private and subject.nick not in room.members:
                raise Denied(Refusal.NOT_ALLOWED, f"{subject.nick} is no member of #{room.name}")
            if role < wire.OWNER:
                self._check_keeps_an_owner(subject.nick, room)
        name = room.name if room else ""
        if self._access.role(name, subject.nick) == role:
            return Settled(0)
        self._access.set_role(name, subject.nick, role)
        pos = self._tell(user, "role", room, subject.nick, 0, ROLES[role], act.reason)
        if room is None and not role:
            self._end_invites_of(subject.nick)
        return Settled(pos)

    def _kick(self, user: str, act: wire.Kick) -> Settled:
        room, subject = self._place(user, act.room, act.nick)
        assert room is not None
        if subject.nick == user:
            raise Denied(Refusal.NOT_ALLOWED, f"nobody is kicked by themselves: leave #{room.name} instead")
        if (room.name, subject.nick) in self._access.invited:
            self._access.set_invited(room.name, subject.nick, False)
            return Settled(self._tell(user, "kicked", room, subject.nick, 0, "", act.reason))
        is_out = room.private and not self._state.takes_part(room, subject.nick)
        if is_out or (room.name, subject.nick) in self._access.kicked:
            return Settled(0)
        self._check_sanctions(user)
        pos = self._tell(user, "kicked", room, subject.nick, 0, "", act.reason)
        self._access.set_kicked(room.name, subject.nick, Sanction(0, user, act.reason))
        self._shut_out(room, subject, pos, "kicked", user)
        return Settled(pos)

    def _check_sanctions(self, user: str) -> None:
        """Whoever owns a room can fill the lists, and does not keep those from acting who administer."""
        if not self._access.is_administrator(user):
            count = len(self._access.sanctions) + len(self._access.kicked)
            self._check_count(count, self._limits.sanctions_max, "kicks, mutes and bans")

    def _shut_out(self, room: Room, subject: User, pos: int, why: str, actor: str) -> None:
        self._remove(subject.nick, room, pos, bars=True)
        self._cut(pos, subject, why, ends=False)
        self._take_bots_along(subject.nick, room, actor)

    def _take_bots_along(self, maker: str, room: Room, actor: str) -> None:
        """Whoever reads a private room no longer does not read it by their bots either."""
        for nick in sorted(self._access.tokens_of(maker)) if room.private else ():
            if not self._state.takes_part(room, nick):
                continue
            reason = f"{maker}, who made it, is in the room no longer"
            pos = self._tell(actor, "kicked", room, nick, 0, "", reason)
            self._access.set_kicked(room.name, nick, Sanction(0, actor, reason))
            self._remove(nick, room, pos, bars=True)
            self._cut(pos, self._state.users[nick], "kicked", ends=False)

    def _cut(self, pos: int, user: User, why: str, ends: bool) -> None:
        if user.keys:
            self.cutoffs.append(Cutoff(pos, tuple(sorted(user.keys)), why, ends))

    def _sanction(self, user: str, act: wire.Sanction, mark: str) -> Settled:
        room, subject = self._place(user, act.room, act.nick)
        if act.kind == wire.BAN and subject.nick == user:
            raise Denied(Refusal.NOT_ALLOWED, "nobody bans themselves")
        name = room.name if room else ""
        access, until_ms = self._access, self._until(act.lifetime_ms)
        sanction = Sanction(until_ms, user, act.reason, mark)
        present = access.sanction(name, subject.nick, act.kind)
        if present is None:
            self._check_sanctions(user)
        elif (present.actor, present.mark) == (user, mark):
            return Settled(0)
        pos = self._tell(
            user, _SANCTIONS[act.kind], room, subject.nick, until_ms, "", act.reason
        )  # fmt: skip
        access.set_sanction(name, subject.nick, act.kind, sanction)
        if act.kind == wire.BAN and room is not None:
            self._shut_out(room, subject, pos, "banned", user)
        elif act.kind == wire.BAN:
            bots = [self._state.users[bot] for bot in access.tokens_of(subject.nick)]
            for one in (subject, *bots):
                self._cut(pos, one, "banned", ends=True)
                self.changes.append(Change(pos, one.nick, LOG, None, True))
            self._end_invites_of(subject.nick)
        return Settled(pos)

    def _pardon(self, user: str, act: wire.Pardon) -> Settled:
        room, subject = self._place(user, act.room, act.nick)
        name = room.name if room else ""
        if self._access.sanction(name, subject.nick, act.kind) is None:
            return Settled(0)
        pos = self._tell(user, _PARDONS[act.kind], room, subject.nick, 0, "", act.reason)
        self._end_sanction(name, subject.nick, act.kind, pos)
        return Settled(pos)

    def _end_sanction(self, room: str, nick: str, kind: int, pos: int) -> None:
        self._access.set_sanction(room, nick, kind, None)
        if kind == wire.BAN and room:
            self._readable_again(nick, room, pos)
        elif kind == wire.BAN:
            for one in (nick, *self._access.tokens_of(nick)):
                self._let_in_again(one, pos)

    def _readable_again(self, nick: str, room: str, pos: int) -> None:
        """One reason not to let somebody read a room has ended; there may be another."""
        if self._access.barrier(room, nick) is None:
            self.changes.append(Change(pos, nick, f"#{room}", None, False))

    def _let_in_again(self, nick: str, pos: int) -> None:
        """One reason not to let somebody in has ended; there may be another."""
        if self._access.ban_of(nick) is None:
            self.changes.append(Change(pos, nick, LOG, None, False))

    # ---- invites and tokens ----

    def _make_invite(self, user: str, act: wire.MakeInvite) -> Settled:
        self._check_administrator(user)
        nick, folded = self._invited_nick(act.nick) if act.nick else ("", "")
        if nick and act.uses > 1:
            raise Denied(Refusal.NOT_ALLOWED, "an invite for one nick is for one use")
        room = ""
        if act.room:
            found = self._state.rooms.get(_room_name(act.room))
            if found is None or (found.private and user != wire.ACCOUNT):
                found = self._state.room(act.room, user)
            if found.private and user != wire.ACCOUNT:
                self._state.check_role(user, found, wire.OPERATOR)
            room = found.name
        present = self._access.invites.get(act.invite)
        if present is not None:
            if present.digest != act.digest:
                raise Denied(Refusal.ID_REUSED, "there is an invite of that id")
            return Settled(0)  # the request was repeated
        self._check_count(len(self._access.invites), self._limits.invites_max, "invites")
        until_ms = self._until(act.lifetime_ms)
        details = f"uses={act.uses}" + (f" nick={nick}" if nick else "") + (f" room={room}" if room else "")
        self._access.set_invite(act.invite, Invite(act.digest, user, nick, room, act.uses, until_ms, folded))
        return Settled(self._audit(user, "invite_made", "", act.invite, until_ms, details, act.reason))

    def _invited_nick(self, typed: str) -> tuple[str, str]:
        """The nick that an invite is for, of a user who exists or one who may come to be, as it is shown and
        as it is compared."""
        try:
            nick, folded = names.nick(typed), names.folded(typed)
        except names.InvalidName as error:
            raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
        present = self._state.user_of_folded(folded)
        if present is not None and present.maker:
            raise Denied(Refusal.NOT_ALLOWED, f"{present.nick} is a bot: make a token for it")
        if present is None:
            check_new_nick(self._state, folded)
        return (present.nick if present else nick), folded

    def _end_invite(self, user: str, act: wire.EndInvite) -> Settled:
        self._check_administrator(user)
        if act.invite not in self._access.invites:
            raise Denied(Refusal.NO_SUCH_ENTRY, f"there is no invite {act.invite}")
        self._access.set_invite(act.invite, None)
        return Settled(self._audit(user, "invite_ended", "", act.invite, 0, "", act.reason))

    def end_invites_for(self, folded: str) -> None:
        """Somebody has come in under a nick: no other invite for it leads anybody in."""
        for name in sorted(self._access.invites):
            if self._access.invites[name].folded == folded:
                self._access.set_invite(name, None)
                self._audit(wire.ACCOUNT, "invite_ended", "", name, 0, "", "the nick has its owner")

    def _end_invites_of(self, maker: str) -> None:
        """Whoever administers no longer has let nobody in who has not come yet."""
        for name in sorted(self._access.invites):
            if self._access.invites[name].maker == maker:
                self._access.set_invite(name, None)
                self._audit(wire.ACCOUNT, "invite_ended", "", name, 0, "", f"{maker} administers no longer")

    def use_invite(self, name: str, nick: str) -> None:
        """Somebody comes in by an invite, which was checked before: count, and let them into its room."""
        invite = self._access.invites[name]
        left = invite.uses - 1
        self._access.set_invite(name, replace(invite, uses=left) if left else None)
        self._audit(nick, "invite_used", "", name, 0, f"left={left}", "")
        if leads_further(self._state, self._limits, self._state.users[nick], invite):
            self.enter(nick, invite.room)

    def _make_token(self, user: str, act: wire.MakeToken) -> Settled:
        if self._limits.invite_only:
            self._check_administrator(user)
        if not (act.may_send or act.may_read):
            raise Denied(Refusal.NOT_ALLOWED, "a token that may neither send nor read is of no use")
        nick, folded = self._bot_name(act.nick)
        rooms = [self._room_for_bot(user, typed).name for typed in act.rooms]
        present = self._state.user_of_folded(folded)
        if present is not None:
            if act.key in present.keys and nick in self._access.tokens:
                return Settled(0)  # the request was repeated
            if (
                not present.maker
                or present.keys
                or (present.maker != user and not self._access.is_administrator(user))
            ):
                raise Denied(Refusal.NAME_INVALID, f"there is somebody called {present.nick}")
        for room in rooms:
            if self._access.sanction(room, nick, wire.BAN):
                raise Denied(Refusal.NOT_ALLOWED, f"{nick} is banned from #{room}: end that first")
        if self._state.user_of_key(act.key) is not None:
            raise Denied(Refusal.KEY_BOUND, "this key belongs to a nick already")
        if len(self._access.tokens_of(user)) >= self._limits.tokens_per_user_max:
            raise Denied(
                Refusal.LIMIT_REACHED, f"you have {self._limits.tokens_per_user_max} tokens, the limit"
            )
        until_ms = self._until(act.lifetime_ms)
        self._register_bot(user, nick, folded, act.key, present)
        token = BotToken(user, list(dict.fromkeys(rooms)), act.may_send, act.may_read, until_ms)
        self._access.set_token(nick, token)
        for room in token.rooms if act.may_read else ():
            if nick not in self._state.rooms[room].members:
                self.enter(nick, room)
        may = ("send " if act.may_send else "") + ("read " if act.may_read else "")
        details = f"may={may.strip().replace(' ', '+')} rooms={','.join(token.rooms)}"[:1024]
        return Settled(self._audit(user, "token_made", "", nick, until_ms, details, act.reason))

    def _register_bot(self, maker: str, nick: str, folded: str, key: str, present: User | None) -> None:
        if present is not None:
            self._state.add_key(nick, key)
            return
        self._check_count(len(self._state.users), self._limits.users_max, "users")
        since = self._numbering.barrier(LOG, wire.Registered(nick, folded, key))
        self._state.add_user(nick, folded, key, since, self._time_ms, maker)

    def _bot_name(self, typed: str) -> tuple[str, str]:
        try:
            nick, folded = names.nick(typed), names.folded(typed)
        except names.InvalidName as error:
            raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
        present = self._state.user_of_folded(folded)
        if present is None:
            check_new_nick(self._state, folded)
        return (present.nick if present else nick), folded

    def _room_for_bot(self, user: str, typed: str) -> Room:
        room = self._state.rooms.get(_room_name(typed))
        if user != wire.ACCOUNT or room is None:
            room = self._state.readable_room(typed, user)
        if room.private and user != wire.ACCOUNT:
            self._state.check_role(user, room, wire.OPERATOR)
        return room

    def _end_token(self, user: str, act: wire.EndToken) -> Settled:
        bot = self._state.person(act.nick)
        token = self._access.tokens.get(bot.nick)
        if token is None or not (token.maker == user or self._access.is_administrator(user)):
            raise Denied(Refusal.NO_SUCH_ENTRY, f"you have no token for {bot.nick}")
        pos = self._audit(user, "token_ended", "", bot.nick, 0, "", act.reason)
        self._end_bot(bot, pos)
        return Settled(pos)

    def _end_bot(self, bot: User, pos: int) -> None:
        self.take_keys(bot, pos, "its token has ended")
        self._access.set_token(bot.nick, None)
        self._let_in_again(bot.nick, pos)
        for name in self._access.kicked_from(bot.nick):  # another token is as good as joining again
            self._access.set_kicked(name, bot.nick, None)
            self._readable_again(bot.nick, name, pos)
        for name in sorted(bot.rooms):
            left = self._numbering.barrier(f"#{name}", wire.Left(bot.nick))
            self._remove(bot.nick, self._state.rooms[name], left)

    # ---- oneself ----

    def _change_key(self, user: str, new: str, old: str) -> Settled:
        if new == old or new in self._state.users[user].keys:
            return Settled(0)
        if self._state.user_of_key(new) is not None:
            raise Denied(Refusal.KEY_BOUND, "this key belongs to a nick already")
        pos = self._audit(user, "key_changed", "", user, 0, "", "")
        self._state.add_key(user, new)
        self._state.remove_key(user, old)
        self.cutoffs.append(Cutoff(pos, (old,), "the key was changed", ends=True))
        return Settled(pos)

    def take_keys(self, user: User, pos: int, why: str) -> None:
        """The keys of a user are nobody's any more, by the entry at `pos`."""
        self._cut(pos, user, why, ends=True)
        for key in sorted(user.keys):
            self._state.remove_key(user.nick, key)

    def _set_away(self, user: str, text: str) -> Settled:
        if self._state.users[user].away == text:
            return Settled(0)
        if text:
            self._check_not_muted(user, "")
        self._state.set_away(user, text)
        self.away[user] = bool(text)
        return Settled(self._audit(user, "away", "", user, 0, text, ""))

    def _set_ignored(self, user: str, act: wire.SetIgnored) -> Settled:
        other = self._state.person(act.nick).nick
        ignored = self._access.ignored.get(user, set())
        if (other in ignored) == act.ignored:
            return Settled(0)
        if act.ignored and len(ignored) >= self._limits.ignored_max:
            raise Denied(Refusal.LIMIT_REACHED, f"you ignore {len(ignored)} people, the limit")
        self._access.set_ignored(user, other, act.ignored)
        name = "ignored" if act.ignored else "unignored"
        return Settled(self._audit(user, name, "", other, 0, "", ""))

    # ---- by the broker itself ----

    def end(self, ended: Ended) -> None:
        """Something has come to its end by the log's time."""
        room = self._state.rooms.get(ended.room)
        if ended.kind == "invite":
            self._access.set_invite(ended.subject, None)
            self._audit(wire.ACCOUNT, "expired", "", ended.subject, 0, "invite", "")
        elif ended.kind == "token":
            pos = self._audit(wire.ACCOUNT, "expired", "", ended.subject, 0, "token", "")
            self._end_bot(self._state.users[ended.subject], pos)
        else:
            pos = self._tell(wire.ACCOUNT, "expired", room, ended.subject, 0, ended.kind)
            self._end_sanction(ended.room, ended.subject, _KINDS[ended.kind], pos)

    # ---- entries ----

    def redacted(self, user: str, conversation: str, pos: int, reason: str) -> int:
        """Say that the text of a message was removed. Returns the position."""
        said = self._numbering.barrier(conversation, wire.Redacted(user, pos, reason))
        room = conversation[1:] if conversation.startswith("#") else ""
        self._audit(user, "redacted", room, str(pos), 0, "", reason)
        return said

    def audit(self, actor: str, act: str, subject: str) -> int:
        """An entry of the log about what has no room. Returns its position."""
        return self._audit(actor, act, "", subject, 0, "", "")

    def _tell(
        self,
        actor: str,
        act: str,
        room: Room | None,
        subject: str,
        until_ms: int = 0,
        details: str = "",
        reason: str = "",
    ) -> int:
        """Tell the room and the one concerned, and the log. Returns the position of the first entry."""
        name = room.name if room is not None else ""
        entry = wire.Acted(actor, act, name, subject, until_ms, details, reason)
        first = self._numbering.barrier(f"#{name}", entry) if room is not None else 0
        if subject and subject != actor and not self._state.users[subject].maker:
            told = self._numbering.barrier(direct(actor, subject), entry)
            first = first or told
        audited = self._numbering.barrier(LOG, entry)
        return first or audited

    def _audit(
        self, actor: str, act: str, room: str, subject: str, until_ms: int, details: str, reason: str
    ) -> int:
        return self._numbering.barrier(
            LOG, wire.Acted(actor, act, room, subject, until_ms, details, reason)
        )  # fmt: skip

    def _until(self, lifetime_ms: int) -> int:
        return self._time_ms + lifetime_ms if 0 < lifetime_ms <= _LIFETIME_MS_MAX else wire.FOR_EVER


def check_new_nick(state: State, folded: str) -> None:
    """Raises Denied when nobody may be registered under a nick, for a room has that name or could have it."""
    if names.is_of_private_room(folded):
        raise Denied(Refusal.NAME_INVALID, "the name ends in + and digits, as those of private rooms do")
    if folded in state.rooms or folded == GENERAL:
        raise Denied(Refusal.NAME_INVALID, f"a room is called {folded}")


def leads_further(state: State, limits: Limits, user: User, invite: Invite | None) -> bool:
    """Whether an invite lets somebody who exists into a room that they are not in. Not back into one that
    they were put out of."""
    if invite is None or not invite.is_for(user.folded) or user.maker:
        return False
    room = state.rooms.get(invite.room)
    if room is None or room.name in user.rooms or len(user.rooms) >= limits.joined_rooms_max:
        return False
    return state.access.barrier(room.name, user.nick) is None


def _room_name(typed: str) -> str:
    try:
        return names.room(typed)
    except names.InvalidName as error:
        raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
