"""`python -m bench.bare xpub|router PORT`: pyzmq with CURVE and nothing else, for comparison."""

import sys
from typing import Final

import zmq

SECRET: Final = (
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"  # of an example in zmq_curve(7): it protects nothing
)
PUBLIC: Final = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
ROOM: Final = b"#room\0"
_MARK: Final = 1_000_000  # frames; nothing is dropped


def serve(kind: str, port: int) -> None:
    """XPUB sends on what comes on a ROUTER at the next port; ROUTER sends on to the peer that is named."""
    context = zmq.Context()
    router = _bound(context, zmq.ROUTER, port)
    xpub = _bound(context, zmq.XPUB, port + 1)
    print("ready", flush=True)
    if kind == "xpub":
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(xpub, zmq.POLLIN)
        while True:
            for ready, _ in poller.poll():
                if ready is xpub:
                    xpub.recv()
                    continue
                router.recv()
                xpub.send(ROOM, zmq.SNDMORE)
                xpub.send(router.recv())
    while True:
        router.recv()
        to = router.recv()
        text = router.recv()
        router.send(to, zmq.SNDMORE)
        router.send(text)


def _bound(context: "zmq.Context[zmq.Socket[bytes]]", kind: int, port: int) -> "zmq.Socket[bytes]":
    made = context.socket(kind)
    made.curve_server = True
    made.curve_secretkey = SECRET.encode()
    made.set_hwm(_MARK)
    made.bind(f"tcp://127.0.0.1:{port}")
    return made


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
