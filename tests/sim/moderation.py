"""What people do to each other: rooms of their own, sanctions, roles, removed messages, other keys."""

from collections.abc import Callable
from typing import Any

from tests.sim.process import Process
from tests.sim.world import NICKS, ROOMS, World
from zchat.common import wire


class Moderation:
    """Chooses who does what to whom, mostly somebody who may."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng

    def table(self, strict: float) -> dict[str, tuple[float, Callable[[], None]]]:
        """What can happen, and how likely it is."""
        return {
            "create a private room": (0.3 * strict, self._create_private),
            "invite to a private room": (strict, self._invite),
            "put somebody out": (strict, self._put_out),
            "mute or ban": (strict, self._sanction),
            "pardon": (2 * strict, self._pardon),
            "change a role or a mode": (strict, self._change_rules),
            "remove a message": (strict, self._redact),
            "change a key": (0.2 * strict, self._change_key),
            "be away": (0.3 * strict, self._away),
        }

    def room(self) -> str:
        """The name of a room, also of a private one."""
        private = [room[1:] for room in sorted(self._world.model.decided.private)]
        return self._rng.choice((*ROOMS, *private[-2:]))

    def _process(self) -> Process | None:
        processes = self._world.processes
        return self._rng.choice(processes) if processes else None

    def _moderator(self, conversation: str) -> Process | None:
        """Somebody who may moderate a room, most often; None: the account does it."""
        rights = self._world.model.decided
        able = [p for p in self._world.processes if rights.role(p.nick, conversation) >= wire.OPERATOR]
        if able and self._rng.random() < 0.8:
            return self._rng.choice(able)
        return self._process() if self._rng.random() < 0.5 else None

    def _acts(self, act: Any) -> None:
        """A moderator of the room does it, or the account."""
        process = self._moderator(f"#{act.room}") if act.room else None
        if process is not None:
            process.act(act)
        else:
            self._world.account.act(act)

    def _lifetime_ms(self) -> int:
        return self._rng.choice((0, 1, 2_000, 30_000))

    def _create_private(self) -> None:
        process = self._process()
        if process is not None and len(self._world.model.decided.private) < 6:
            process.act(wire.Join(0, 0, self._rng.choice(ROOMS), True))

    def _invite(self) -> None:
        """And mostly the one who is invited comes."""
        private = sorted(self._world.model.decided.private)
        if not private:
            return
        room, nick = self._rng.choice(private)[1:], self._rng.choice(NICKS)
        self._acts(wire.InviteToRoom(0, 0, room, nick))
        guests = [process for process in self._world.processes if process.nick == nick]
        if guests and self._rng.random() < 0.8:
            self._world.schedule.advance(self._rng.choice((5, 50, 500)))
            if guests[0].alive:
                guests[0].act(wire.Join(0, 0, room))

    def _put_out(self) -> None:
        self._acts(wire.Kick(0, 0, self.room(), self._rng.choice(NICKS), "out"))

    def _sanction(self) -> None:
        at_broker = self._rng.random() < 0.2
        room, kind = "" if at_broker else self.room(), self._rng.choice((wire.MUTE, wire.BAN))
        nick = self._rng.choice(NICKS)
        self._acts(wire.Sanction(0, 0, room, nick, kind, self._lifetime_ms(), "enough"))

    def _pardon(self) -> None:
        at_broker = self._rng.random() < 0.5
        room, kind = "" if at_broker else self.room(), self._rng.choice((wire.MUTE, wire.BAN))
        self._acts(wire.Pardon(0, 0, room, self._rng.choice(NICKS), kind, ""))

    def _change_rules(self) -> None:
        room = self.room()
        if self._rng.random() < 0.5:
            self._acts(wire.SetMode(0, 0, room, self._rng.random() < 0.3))
        else:
            self._acts(wire.SetRole(0, 0, room, self._rng.choice(NICKS), self._rng.randint(0, 3), ""))

    def _redact(self) -> None:
        """A message of one's own, or as an operator one of somebody else."""
        process, model = self._process(), self._world.model
        if process is None or not model.log:
            return
        recent = [e for e in model.log[-60:] if e.kind == "message"]
        mine = [e for e in recent if e.nick == process.nick]
        entries = mine if mine and self._rng.random() < 0.7 else recent
        if entries:
            entry = self._rng.choice(entries)
            to = entry.conversation
            if to.startswith("@"):
                one, _, other = to[1:].partition(",")
                to = f"@{other if one == process.nick else one}"
            process.act(wire.Redact(0, 0, to, entry.pos, "a mistake"))

    def _change_key(self) -> None:
        process = self._process()
        if process is not None:
            key = f"{process.nick}{self._rng.randint(0, 10**6)}"
            process.act(wire.ChangeKey(0, 0, f"{key:c<40}"))

    def _away(self) -> None:
        if (process := self._process()) is not None:
            process.act(wire.SetAway(0, 0, self._rng.choice(("", "lunch"))))
