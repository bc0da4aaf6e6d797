"""How much of each workload is done in a round."""

from typing import Final, NamedTuple


class Sizes(NamedTuple):
    """Messages, unless something else is said."""

    durable: int = 200_000
    durable_one: int = 2_000
    deliveries: int = 2_000_000  # messages times readers
    deliveries_one: int = 100_000
    pairs: int = 4_000  # of each pair
    pairs_one: int = 100  # of each pair
    idle: int = 1_000  # clients
    bare: int = 500  # commits, and round trips
    library: int = 100_000
    commands: int = 11  # of each
    pages: int = 500
    growth: tuple[int, ...] = (10_000, 1_000_000)  # in the log


FULL: Final = Sizes()
QUICK: Final = Sizes(2_000, 100, 20_000, 2_000, 100, 10, 100, 100, 2_000, 2, 100, (1_000, 10_000))
