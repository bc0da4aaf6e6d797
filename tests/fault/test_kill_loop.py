"""Promise 2: kill -9 of the broker under load, again and again, loses, doubles and moves nothing."""

import asyncio
from pathlib import Path

from tests.fault import kill_loop


def test_a_broker_that_is_killed_again_and_again(tmp_path: Path, long: bool) -> None:
    crowd = 4 if long else 2
    figures = asyncio.run(kill_loop.run(tmp_path, kills=50 if long else 5, senders=crowd, readers=crowd))
    print(figures)
    assert figures.acknowledged > 100 * figures.kills
    assert figures.repeated > 0
