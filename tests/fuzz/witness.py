"""An ordinary client that talks to itself while others attack: `python -m tests.fuzz.witness LINK NICK`.

After each byte on stdin it prints what it has seen since the one before, as JSON, when that is enough to
tell; at the end of stdin it ends.
"""

import json
import os
import select
import sys
import time

from zchat import Client
from zchat.common import keys

_PAUSE_S = 0.01  # between rounds
_ROUNDS_MIN = 30  # to be told


def main() -> int:
    """Sends, waits for the acknowledgement and for the message to come back; measures both."""
    link, nick = sys.argv[1:]
    acknowledged: list[float] = []
    delivered: list[float] = []
    with Client(link, nick, key=keys.draw(), timeout=60) as client:
        room = f"{nick}-room"
        client.join(room)
        messages = client.messages()
        for number in range(10**9):
            text, began = f"{number}", time.monotonic()
            client.send(room, text)
            acknowledged.append(time.monotonic() - began)
            while next(messages).text != text:
                pass
            delivered.append(time.monotonic() - began)
            enough = len(delivered) >= _ROUNDS_MIN
            asked, _, _ = select.select([sys.stdin] if enough else [], [], [], _PAUSE_S)
            if asked:
                if not os.read(sys.stdin.fileno(), 1):
                    return 0
                print(json.dumps({"acknowledged": acknowledged, "delivered": delivered}), flush=True)
                acknowledged, delivered = [], []
    return 0


if __name__ == "__main__":
    sys.exit(main())
