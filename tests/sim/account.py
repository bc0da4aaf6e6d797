"""The account that runs the broker, which acts through the control socket."""

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import replace

from tests.sim.broker import CONTROL, Broker
from zchat.common import wire
from zchat.common.codes import Refusal


class Account:
    """Acts now and then. What was lost it does not repeat: there is no need to."""

    def __init__(self, broker: Callable[[], Broker | None]) -> None:
        self._broker = broker
        self._greeted: Broker | None = None
        self._number: int | None = None
        self._is_greeting = False
        self._tokens = count(1)
        self._waiting: list[Any] = []

    def act(self, act: Any) -> None:
        """Ask for something, in a session that is opened if there is none."""
        broker = self._broker()
        if broker is None:
            return
        if broker is not self._greeted:
            self._greeted, self._number, self._is_greeting = broker, None, False
            broker.account = self._answered
        if self._number is not None:
            self._say(broker, act)
            return
        self._waiting = [*self._waiting, act][-4:]
        if not self._is_greeting:
            self._is_greeting = True
            broker.inject(CONTROL, "", wire.encode(_HELLO))

    def leave(self) -> None:
        """End the session."""
        broker = self._broker()
        if broker is not None and broker is self._greeted and self._number is not None:
            broker.inject(CONTROL, "", wire.encode(wire.Bye(self._number)))
        self._number = None

    def _say(self, broker: Broker, act: Any) -> None:
        assert self._number is not None
        broker.inject(CONTROL, "", wire.encode(replace(act, session=self._number, token=next(self._tokens))))

    def _answered(self, answer: wire.Answer) -> None:
        broker = self._broker()
        if isinstance(answer, wire.Welcome) and broker is not None:
            self._number, self._is_greeting = answer.session, False
            waiting, self._waiting = self._waiting, []
            for act in waiting:
                self._say(broker, act)
        elif isinstance(answer, wire.Refused) and answer.code == Refusal.NOT_GREETED.value:
            self._number = None


_HELLO = wire.Hello(1, 1, wire.ACCOUNT, 1, 0, None, True, "simulated", False)
