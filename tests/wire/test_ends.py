"""Connections that end while the broker is behind, how they are noticed, and how ROUTER numbers them."""

import select
import socket
import struct
import subprocess
import sys
import textwrap
import time

import pytest
import zmq
from zmq.utils import z85

from tests.e2e.programs import free_port
from tests.fuzz.curve import Curve
from tests.processes import ROOT, broker_environment
from zchat.broker.sockets import Sockets
from zchat.common import keys, limits

SILENT = """
    import sys
    import zmq
    from zchat.broker.sockets import Sockets
    from zchat.common.keys import KeyPair

    public, secret, port = sys.argv[1:]
    sockets = Sockets(KeyPair(public, secret), "127.0.0.1", int(port))
    print("bound", flush=True)
    while True:  # it lets everybody in, and reads no request
        sockets.zap.poll(50)
        sockets.admit(lambda key: False)
        sockets.router.get(zmq.EVENTS)
        for _ in sockets.changes():
            pass
"""


def test_connections_that_end_unread_abort_nothing() -> None:
    """The receive mark stops the input; then the client is killed; then libzmq's heartbeat would be due, and
    with it an assertion of libzmq's (issue 4841)."""
    key, port = keys.draw(), free_port()
    command = [sys.executable, "-c", textwrap.dedent(SILENT), key.public, key.secret, str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=broker_environment(), stdout=subprocess.PIPE) as behind:
        assert behind.stdout is not None and select.select([behind.stdout], [], [], 20)[0]
        behind.stdout.readline()
        clients = [Curve(port, z85.decode(key.public.encode())) for _ in range(20)]
        for client in clients:
            client.shake_hands()
            client.say(b"x" * 9_000)
            client.tcp.sendall(b"".join(client.sealed(0, b"x" * 9_000) for _ in range(40)))
        due = time.monotonic() + limits.HEARTBEAT_MS / 1_000
        for number, client in enumerate(clients):  # some just before it, as it takes
            client.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            select.select([], [], [], max(0.0, due - 1.0 + number / 20 - time.monotonic()))
            client.close()
        try:
            behind.wait(max(0.0, due + 1.5 - time.monotonic()))
        except subprocess.TimeoutExpired:
            behind.kill()
        else:
            pytest.fail(f"it ended: {behind.returncode}")


def test_the_kernel_tells_that_a_connection_is_gone() -> None:
    sockets = Sockets(keys.draw(), "127.0.0.1", free_port())
    for served in (sockets.router, sockets.xpub):
        assert served.get(zmq.HEARTBEAT_IVL) == 0
        assert served.get(zmq.TCP_KEEPALIVE) == 1
        idle, interval, count = (
            int(served.get(option))
            for option in (zmq.TCP_KEEPALIVE_IDLE, zmq.TCP_KEEPALIVE_INTVL, zmq.TCP_KEEPALIVE_CNT)
        )
        assert idle + interval * count <= 2 * limits.SESSION_TIMEOUT_MS / 1_000
    sockets.close()


@pytest.mark.skipif(sys.platform == "win32", reason="it is not seeded there")
def test_two_brokers_number_their_connections_differently() -> None:
    """Or whoever knows where one begins can hold a number that the other will draw, and end it."""
    script = """
        import zmq
        from tests.e2e.programs import free_port
        from zchat.broker.sockets import Sockets
        from zchat.common import keys

        key, port = keys.draw(), free_port()
        sockets = Sockets(key, "127.0.0.1", port)
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.curve_serverkey = key.public.encode()
        dealer.curve_publickey, dealer.curve_secretkey = key.public.encode(), key.secret.encode()
        dealer.connect(f"tcp://127.0.0.1:{port}")
        dealer.send(b"x")
        while not sockets.router.poll(20):
            sockets.admit(lambda key: False)
        print(sockets.router.recv().hex())
        dealer.close(0)
        sockets.router.recv()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    first, second = (
        subprocess.run(command, cwd=ROOT, env=broker_environment(), capture_output=True, timeout=30)
        for _ in range(2)
    )
    assert first.stdout and second.stdout, (first.stderr, second.stderr)
    assert first.stdout != second.stdout
