"""What somebody sees who listens on the network: no text, no nick, no room."""

import socket
from collections.abc import Iterator

import pytest

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from zchat.common import wire

_EVERY_PROTOCOL = 3  # ETH_P_ALL
_PACKET_BYTES_MAX = 1 << 17
WORDS = ("a-rather-long-secret-text", "annabellissima", "bobadillo", "conspiracy", "what-it-is-about")


@pytest.fixture
def packets() -> Iterator[socket.socket]:
    """All that passes on the loopback interface from now on."""
    if not hasattr(socket, "AF_PACKET"):
        pytest.skip("packets can be captured on Linux only")
    try:
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    except PermissionError:
        pytest.skip("to capture packets one has to be root")
    with capture:
        capture.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
        capture.bind(("lo", 0))
        capture.setblocking(False)
        yield capture


def captured(packets: socket.socket, *ports: int) -> bytes:
    """The packets to and from these ports that have passed."""
    found = []
    while True:
        try:
            packet = packets.recv(_PACKET_BYTES_MAX)
        except BlockingIOError:
            return b"".join(found)
        header = 14 + (packet[14] & 15) * 4
        if {int.from_bytes(packet[header + at : header + at + 2], "big") for at in (0, 2)} & set(ports):
            found.append(packet)


def test_a_capture_shows_nothing(packets: socket.socket, broker: BrokerProcess, connect: Connect) -> None:
    text, nick, other, room, topic = WORDS
    ann, bob = connect(), connect()
    ann.greet(nick)
    bob.greet(other)
    ann.join(room)
    ann.act(wire.SetTopic(ann.session, 0, room, topic))
    bob.subscribe(wire.room_topic(room))
    bob.round(room)
    ann.send(f"#{room}", 0, text)
    assert text.encode() in bob.hear_published().payload
    ann.say(wire.Send(ann.session, ann.token, 1, f"@{other}", 1, [text]))
    while not (told := bob.hear()).segments:
        pass
    bob.ask(wire.Fetch(bob.session, 0, f"#{room}", 0, 0))
    bob.ask(wire.ListPeople(bob.session, 0, None, ""))
    seen = captured(packets, broker.port, broker.port + 1)
    assert len(seen) > 5_000 and b"CURVE" in seen  # it was captured
    for word in (*WORDS, "general"):
        for encoding in ("utf-8", "utf-16-le"):
            assert word.encode(encoding) not in seen, word
    assert wire.decode_segment(wire.encode(told.segments[0])).conversation.startswith("@")
