"""Whole conversations of several clients with loss, restarts and repeats, driven by Hypothesis.

The world is the simulator's: the real cores, with a network, a disk and clocks that fail. After each thing
that happens it checks that nothing forbidden did, and in the end, in silence, that everything arrived.
"""

from contextlib import ExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.sim.actions import Actions
from tests.sim.run import narrow
from tests.sim.world import World

USERS = ("send", "send with a key", "repeat a key", "join", "leave", "follow", "look at the past", "give up")
RIGHTS = (
    "create a private room", "invite to a private room", "put somebody out", "mute or ban", "pardon",
    "change a role or a mode", "remove a message", "change a key", "be away",
)  # fmt: skip
CLIENTS = ("start a client", "stop a client", "kill a client", "stop reading", "read on")
FAULTS = ("cut a connection", "a connection falls silent", "change the weather", "lose more or less")
BROKER = ("change the disk", "kill the broker", "start the broker", "stop the broker", "set the clock")


class Conversations(RuleBasedStateMachine):
    """What users do and what befalls them, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._limits = ExitStack()
        self._world: World | None = None

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self._limits.enter_context(narrow(seed))
        self._world = World(seed)
        self._actions = Actions(self._world)
        for machine in self._world.machines[:4]:
            self._world.start(machine)
        self._world.schedule.advance(200)

    @rule(name=st.sampled_from(USERS), times=st.integers(1, 3))
    def people_act(self, name: str, times: int) -> None:
        for _ in range(times):
            self._actions.do(name)

    @rule(name=st.sampled_from(RIGHTS))
    def rights_change(self, name: str) -> None:
        self._actions.do(name)

    @rule(name=st.sampled_from(CLIENTS))
    def clients_come_and_go(self, name: str) -> None:
        self._actions.do(name)

    @rule(name=st.sampled_from(FAULTS))
    def the_network_fails(self, name: str) -> None:
        self._actions.do(name)

    @rule(name=st.sampled_from(BROKER))
    def the_broker_suffers(self, name: str) -> None:
        self._actions.do(name)

    @rule(pause_ms=st.sampled_from((1, 20, 300, 6_000, 20_000)))
    def time_passes(self, pause_ms: int) -> None:
        assert self._world is not None
        self._world.schedule.advance(pause_ms)

    @rule()
    def the_last_word_is_lost(self) -> None:
        self._actions.last_words()

    def teardown(self) -> None:
        with self._limits:
            if self._world is not None:
                self._world.heal()
                self._world.end_in_silence()


Conversations.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestConversations = Conversations.TestCase
