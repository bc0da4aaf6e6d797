"""A send that is interrupted while it is under way (zchat/client/commands/send.py, running.py)."""

import re
import signal
import subprocess
import sys

import pytest

WAITING_FOR_EVER = """
import asyncio, sys
from contextlib import asynccontextmanager
from zchat.__main__ import main
from zchat.client.commands import options, send
from zchat.client.identity import Identity


class Client:
    held_s = 0.0

    async def send(self, *_, **__):
        print("sending", flush=True)
        await asyncio.Event().wait()

    async def post(self, *_, **__):
        print("sending", flush=True)
        return asyncio.get_running_loop().create_future()


@asynccontextmanager
async def session(*_, **__):
    yield Client()


send.session = session
options.Caller.identity = lambda _: None
main(sys.argv[1:])
"""


def interrupted(arguments: list[str], number: int, input: bytes = b"", ends: bool = False) -> tuple[int, str]:
    """The exit code and what was said, when a signal comes while a send is under way. `ends`: stdin does."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING_FOR_EVER, "send", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(input)
        process.stdin.flush()
        if ends:
            process.stdin.close()
        assert process.stdout.readline() == b"sending\n"
        process.send_signal(number)
        said = process.stderr.read().decode()
        return process.wait(), said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_id_to_repeat_is_printed(number: int) -> None:
    code, said = interrupted(["general", "hi"], number)
    assert code == 8
    assert re.fullmatch(
        r"zchat: nobody knows whether the message was stored. "
        r"Repeating it is safe: zchat send --id [0-9a-f-]{33} general hi\n",
        said,
    )


def test_the_id_is_the_one_that_was_given_ready_for_the_shell() -> None:
    code, said = interrupted(["--id", "it's", "@ann;b", "hi"], signal.SIGINT)
    assert code == 8
    assert """zchat send --id 'it'"'"'s' '@ann;b' hi\n""" in said


def test_the_options_stay_in_the_command_to_repeat_and_a_long_text_is_left_out() -> None:
    code, said = interrupted(["--nick", "bob", "-m", "a\nb", "general"], signal.SIGINT)
    assert code == 8
    assert re.search(r"zchat send --id \S+ --nick bob -m … general\n", said)


def test_the_text_of_stdin_is_to_be_given_again() -> None:
    code, said = interrupted(["--id", "K", "general"], signal.SIGINT, b"text", ends=True)
    assert code == 8
    assert "Repeating it with the same input is safe: zchat send --id K general\n" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lines(number: int) -> None:
    code, said = interrupted(["--lines", "--id", "K", "general"], number, b"one\n")
    assert code == 8
    assert said == (
        "zchat: interrupted. Lines stored: 0; those after them may be stored as well. "
        "Repeating it all with --id K is safe\n"
    )
