"""A client in a process of its own, to be stopped or killed. It tells what it does on stdout, a line each.

`ready`, then `read POS CONVERSATION TEXT` for each message that it gets, and with `--keys N` the messages
`NICK.key.0` to `NICK.key.N-1`, sent to the room with the keys `k0` and so on: `sent KEY POS DUPLICATE`.
With `--take N`, it takes no more than N messages; the rest waits within the client. With `--history TO`, it
reads that conversation again and again, whole, instead of what comes: `whole COUNT`.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from zchat import AsyncClient
from zchat.common.keys import from_secret


async def read(client: AsyncClient, most: int | None) -> None:
    """Until the end of the process."""
    taken = 0
    async for message in client.messages():
        say("read", message.pos, message.conversation, message.text)
        taken += 1
        if taken == most:
            await asyncio.Event().wait()


async def read_whole(client: AsyncClient, to: str) -> None:
    """Until the end of the process."""
    while True:
        say("whole", len(await client.history(to, after=0, limit=1_000_000)))


async def send(client: AsyncClient, keys: int) -> None:
    """One after the other."""
    for number in range(keys):
        sent = await client.send("general", f"{client.nick}.key.{number}", id=f"k{number}")
        say("sent", sent.id, sent.pos, int(sent.duplicate))


def say(*words: object) -> None:
    """A line that has left the process when this returns."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("link")
    parser.add_argument("nick")
    parser.add_argument("state", type=Path)
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--take", type=int)
    parser.add_argument("--history")
    options = parser.parse_args()
    key = from_secret(sys.stdin.readline().strip())
    async with AsyncClient(options.link, options.nick, key=key, state=options.state, timeout=None) as client:
        say("ready")
        reading = read_whole(client, options.history) if options.history else read(client, options.take)
        await asyncio.gather(reading, send(client, options.keys))


if __name__ == "__main__":
    asyncio.run(main())
