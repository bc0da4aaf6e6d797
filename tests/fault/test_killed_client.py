"""Promise 3: a client that is killed and comes back with its state file reads on where it was; it may see its
last lines again. What it sends again with the same ids is there once."""

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tests.fault.clients import DEADLINE_S, eventually, whole
from tests.fault.faulty import ClientProcess
from tests.fault.ledger import Ledger
from tests.processes import BrokerProcess
from zchat import AsyncClient, Message
from zchat.common.keys import draw

_KEYS = 2_500  # that the client sends in each of its lives, the same ones
_TOLD = 400  # by another one in each life, half of it to the client alone
_AGAIN_MS_MAX = 10_000  # what is read again is from the last second, or a few of them on a busy machine
_ROOM, _DIRECT = "#general", "@client,other"
_LAST_HERE, _LAST_THERE = "last.1", "last.2"


class _Life(NamedTuple):
    """What was saved when it began, and what the client printed until it was killed."""

    saved: dict[str, int]
    read: list[tuple[int, str, str]]
    sent: list[tuple[str, int, bool]]


def test_a_client_that_is_killed(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_Killing(broker, tmp_path / "state").run(20 if long else 2))


class _Killing:
    def __init__(self, broker: BrokerProcess, state: Path) -> None:
        self._broker = broker
        self._state = state
        self._ledger = Ledger()
        self._key = draw()
        self._lives: list[_Life] = []

    async def run(self, kills: int) -> None:
        link = self._broker.link
        async with AsyncClient(link, "other", key=draw(), quiet=True, timeout=DEADLINE_S) as other:
            for _ in range(kills):
                await self._live(other)
            await self._live_on(other)
            histories = {_ROOM: await whole(other, "general"), _DIRECT: await whole(other, "@client")}
        positions = _check_sent(self._lives)
        stored = {m.text: m.pos for m in histories[_ROOM] if m.text.startswith("client.key.")}
        assert stored == {f"client.key.{key[1:]}": pos for key, pos in positions.items()}
        others = [[m for m in history if m.sender == "other"] for history in histories.values()]
        self._ledger.check(*others)
        assert len(self._ledger.acknowledged) == sum(map(len, others))
        for conversation, history in histories.items():
            again = [_check_read(self._lives, n, conversation, history) for n in range(kills + 1)]
            print(f"{conversation}: {len(history)} messages; read again after each kill: {again[1:]}")

    async def _start(self, *options: str) -> ClientProcess:
        link, keys = self._broker.link, ("--keys", str(_KEYS))
        return await asyncio.to_thread(
            ClientProcess, link, "client", self._state, *keys, *options, key=self._key
        )

    async def _tell(self, other: AsyncClient, texts: Iterable[str]) -> None:
        """Every other text is for the client alone."""
        await self._ledger.post(other, texts, lambda text: "general" if int(text[-1]) % 2 else "@client")

    async def _live(self, other: AsyncClient) -> None:
        """A life until the kill. In the first one, the client does not take all that it gets."""
        number, saved = len(self._lives), _saved(self._state)

        async def saved_now() -> dict[str, int]:
            return _saved(self._state)

        with await self._start(*([] if number else ["--take", str(_TOLD // 4)])) as client:
            await self._tell(other, (f"life{number}.{n}" for n in range(_TOLD)))
            await eventually(saved_now, lambda now: all(now[c] > saved[c] for c in saved))
            if number:
                await self._tell(other, [f"life{number}.more.{n}" for n in range(10)])
                await asyncio.to_thread(client.out.until, lambda line: line.endswith(".more.9"))
            else:
                await asyncio.to_thread(client.out.until, _is_sent(2 * _KEYS // 3))
            client.kill()
            self._lives.append(_Life(saved, client.read(), client.sent()))

    async def _live_on(self, other: AsyncClient) -> None:
        """The last life: all is sent, and all is read."""
        saved = _saved(self._state)
        with await self._start() as client:
            await asyncio.to_thread(client.out.until, _is_sent(_KEYS - 1))
            await self._tell(other, [_LAST_HERE, _LAST_THERE])
            missing = {_LAST_HERE, _LAST_THERE}
            await asyncio.to_thread(client.out.until, lambda line: _crossed_off(line, missing))
            client.kill()
            self._lives.append(_Life(saved, client.read(), client.sent()))


def _is_sent(number: int) -> Callable[[str], bool]:
    return lambda line: line.startswith(f"sent k{number} ")


def _crossed_off(line: str, missing: set[str]) -> bool:
    missing.difference_update({text for text in missing if line.endswith(text)})
    return not missing


def _saved(state: Path) -> dict[str, int]:
    """Up to where the state file says that each conversation was read."""
    if not state.exists():
        return {_ROOM: 0, _DIRECT: 0}
    content = json.loads(state.read_text())
    floor = content["floor"] or 0
    return {c: max(floor, content["positions"].get(c, 0)) for c in (_ROOM, _DIRECT)}


def _check_sent(lives: list[_Life]) -> dict[str, int]:
    """Position by key: one in all lives. A second acknowledgement is one of a duplicate."""
    assert any(0 < len(life.sent) < _KEYS for life in lives[:-1]), "no life ended in the middle"
    positions: dict[str, int] = {}
    for life in lives:
        for key, pos, duplicate in life.sent:
            assert positions.get(key, pos) == pos
            assert duplicate or key not in positions
            positions[key] = pos
    assert len(positions) == _KEYS
    return positions


def _check_read(lives: list[_Life], number: int, conversation: str, history: list[Message]) -> int:
    """The life went on behind what was saved, in order and without a gap. Returns how much of what the life
    before had printed was printed again."""
    life = lives[number]
    missed = [(m.pos, conversation, m.text) for m in history if m.pos > life.saved[conversation]]
    read = [line for line in life.read if line[1] == conversation]
    assert read == missed[: len(read)]
    if number == len(lives) - 1:
        assert len(read) == len(missed)
    if number == 0:
        return 0
    before = [line for line in lives[number - 1].read if line[1] == conversation]
    printed = before[-1][0] if before else lives[number - 1].saved[conversation]
    skipped = [m.pos for m in history if printed < m.pos <= life.saved[conversation]]
    assert not skipped, "saved as read, and never printed"
    again = [line for line in before if line[0] > life.saved[conversation]]
    if again:
        times = {m.pos: m.time_ms for m in history}
        assert times[printed] - times[again[0][0]] < _AGAIN_MS_MAX
    return len(again)
