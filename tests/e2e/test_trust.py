"""What a script can rely on when it sends, with real processes: killed, interrupted, cut off, repeated.

Lines with keys (`send --lines --id K`) are stored once each, however often the command is killed and
repeated, and in the order of the input, unless the broker refused one of them because it could not write.
"""

import asyncio
import json
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Lines, Program, Zchat
from zchat.common.links import Link, parse

Done = subprocess.CompletedProcess[str]


def texts(run: Zchat, nick: str = "ann") -> list[str]:
    """All texts of #general."""
    done = run(["tail", "--json", "--no-follow", "--after", "0", "general"], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


def in_shell(run: Zchat, line: str, nick: str | None = "ann") -> Done:
    """A line of shell, in which `zchat` is the command under test."""
    function = f'zchat() {{ {shlex.quote(sys.executable)} -m zchat "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", function + line],
        env=run.environment(nick),
        capture_output=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


# ---- many at once -----------------------------------------------------------------------------------------


def test_ten_first_sends_at_once_on_an_empty_directory(run: Zchat, tmp_path: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda number: run(["send", "general", f"{number}"]), range(10)))
    assert [one.returncode for one in done] == [0] * 10, [one.stderr for one in done]
    assert sorted(texts(run)) == [f"{number}" for number in range(10)]
    assert sum("registered as ann" in one.stderr for one in done) == 1
    files = [path.name for path in (tmp_path / "users/ann/config").rglob("*") if path.is_file()]
    assert sorted(files) == ["ann.key", "nick"]  # one key, and nothing half written beside it


def test_one_id_ten_times_at_once_is_one_message(run: Zchat) -> None:
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: run(["send", "--json", "--id", "K", "general", "once"]), range(10)))
    assert [one.returncode for one in done] == [0] * 10, [one.stderr for one in done]
    sent = [json.loads(one.stdout) for one in done]
    assert sorted(one["duplicate"] for one in sent) == [False] + [True] * 9
    assert len({one["pos"] for one in sent}) == 1
    assert texts(run) == ["once"]


# ---- the answer does not come -----------------------------------------------------------------------------


class AnswerHeld:
    """A TCP proxy that keeps back what a broker says after its Welcome: what was sent is stored, and the
    client never learns of it. Beneath CURVE each message of ZMTP still begins with its name (RFC 26)."""

    _MARK = b"\x07MESSAGE"

    def __init__(self, link: str) -> None:
        self._broker = parse(link)
        self.link: Link = self._broker._replace(host="127.0.0.2")
        self.stored = asyncio.Event()

    async def __aenter__(self) -> "AnswerHeld":
        self._server = await asyncio.start_server(self._carry, self.link.host, self.link.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        its_reader, its_writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        asking = asyncio.create_task(self._pump(reader, its_writer))
        answered = b""
        while piece := await its_reader.read(65536):
            answered += piece
            if answered.count(self._MARK) > 1:
                self.stored.set()
            else:
                writer.write(piece)
        asking.cancel()
        for one in (writer, its_writer):
            one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
        writer.close()


def cut_off(
    run: Zchat, broker: Broker, arguments: Sequence[str], kind: signal.Signals | None, input: bytes = b""
) -> tuple[int, str]:
    """The exit code and what was said of a command whose messages are stored and that gets no answer, when it
    then gets a signal (None: it runs out of patience)."""

    async def play() -> tuple[int, str]:
        async with AnswerHeld(broker.link) as proxy:
            program = run.start(arguments, ZCHAT_LINK=str(proxy.link))
            program.stdin.write(input)
            program.stdin.close()
            async with asyncio.timeout(DEADLINE_S):
                await proxy.stored.wait()
            return await asyncio.to_thread(end, program)

    def end(program: Program) -> tuple[int, str]:
        if kind is not None:
            program.process.send_signal(kind)
        return program.process.wait(DEADLINE_S), "\n".join(program.err.rest())

    assert run(["users"]).returncode == 0  # ann is registered, so that the answer is to her message
    return asyncio.run(play())


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, None], ids=["SIGINT", "SIGTERM", "timeout"])
@pytest.mark.parametrize("arguments", [["general", "it's a b"], ["-m", "it's a b", "general"]])
def test_the_command_that_is_printed_repeats_safely(
    run: Zchat, broker: Broker, kind: signal.Signals | None, arguments: list[str]
) -> None:
    code, said = cut_off(
        run, broker, ["send", "--json", "--timeout", "1" if kind is None else "0", *arguments], kind
    )
    assert code == 8
    assert "nobody knows whether the message was stored. Repeating it is safe: zchat send --id " in said
    again = said[said.index("zchat send") :]
    for _ in range(2):
        done = in_shell(run, again)
        assert (done.returncode, json.loads(done.stdout)["duplicate"]) == (0, True), done.stderr
    assert texts(run) == ["it's a b"]


def test_an_id_of_ones_own_stays(run: Zchat, broker: Broker) -> None:
    code, said = cut_off(run, broker, ["send", "--id", "build-7", "general"], signal.SIGINT, b"log")
    assert code == 8
    assert said.endswith("Repeating it with the same input is safe: zchat send --id build-7 general")
    assert in_shell(run, "echo log | zchat send --id build-7 general").returncode == 0
    assert texts(run) == ["log"]


def test_the_nick_that_was_given_is_part_of_the_command(run: Zchat, broker: Broker) -> None:
    assert run(["users", "--nick", "Bob"]).returncode == 0
    code, said = cut_off(run, broker, ["send", "--nick", "Bob", "general", "hi"], signal.SIGTERM)
    assert code == 8
    assert in_shell(run, said[said.index("zchat send") :]).returncode == 0
    assert texts(run) == ["hi"]  # an id is its user's: ann's would have been another message


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda kind: kind.name)
def test_lines_that_got_no_answer(run: Zchat, broker: Broker, kind: signal.Signals) -> None:
    lines = ["send", "--lines", "--id", "K", "--timeout", "0", "general"]
    code, said = cut_off(run, broker, lines, kind, b"one\ntwo\n")
    if kind is signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 8
        assert said == (
            "zchat: interrupted. Lines stored: 0; those after them may be stored as well. "
            "Repeating it all with --id K is safe"
        )
    for _ in range(2):
        assert run(lines, input="one\ntwo\n").returncode == 0
    assert texts(run) == ["one", "two"]


# ---- many lines, killed and repeated ----------------------------------------------------------------------


class Feed:
    """`send --lines --id K` of a file, which is killed and run again."""

    def __init__(self, run: Zchat, path: Path) -> None:
        self._run, self._path = run, path

    def killed_after(self, lines: int) -> bool:
        """Whether it was killed before its end, when so many more lines were acknowledged."""
        process, out = self._started()
        try:
            for _ in range(lines):
                out.until("pos")
        except AssertionError:  # the output ended
            assert process.wait(DEADLINE_S) == 0
            return False
        process.kill()
        process.wait()
        return True

    def ended(self) -> int:
        """The exit code when nobody interferes."""
        process, out = self._started()
        out.rest()
        return process.wait(DEADLINE_S)

    def beside(self, acknowledged: int, happens: Callable[[], None]) -> int:
        """The exit code of a run in the middle of which something happens."""
        process, out = self._started()
        for _ in range(acknowledged):
            out.until("pos")
        happens()
        out.rest()
        return process.wait(2 * DEADLINE_S)

    def _started(self) -> tuple["subprocess.Popen[bytes]", Lines]:
        with self._path.open("rb") as file:
            arguments = ["send", "--json", "--lines", "--id", "K", "general"]
            process = self._run.open(arguments, stdin=file, stdout=subprocess.PIPE)
        assert process.stdout is not None
        return process, Lines(process.stdout)


@pytest.fixture
def lines_count(request: pytest.FixtureRequest) -> int:
    """How many lines: fewer than a script might send, unless the long form is wanted."""
    return 100_000 if request.config.getoption("--long", default=False) else 10_000


def test_lines_killed_at_random_moments_are_there_once_and_in_order(
    run: Zchat, broker: Broker, tmp_path: Path, lines_count: int
) -> None:
    chance = random.Random(lines_count)
    wanted = [f"line {number} of the log" for number in range(lines_count)]
    path = tmp_path / "lines"
    path.write_text("\n".join(wanted))
    feed = Feed(run, path)

    def crash() -> None:
        broker.kill()
        broker.start()

    for round in range(6):
        acknowledged = chance.randrange(round * lines_count // 8, (round + 1) * lines_count // 8)
        if round % 3 == 2:
            assert feed.beside(acknowledged, crash) in (0, 8)
        else:
            assert feed.killed_after(acknowledged)
    assert feed.ended() == 0
    assert texts(run) == wanted


def test_after_a_refusal_every_line_that_is_stored_is_told(run: Zchat) -> None:
    assert run(["send", "--id", "K.1500", "general", "not line 1500"]).returncode == 0
    lines = "".join(f"{number}\n" for number in range(1, 20_001))
    done = run(["send", "--json", "--lines", "--id", "K", "general"], input=lines)
    assert done.returncode == 5
    (count,) = re.findall(r"zchat: line 1500: .*Lines stored: (\d+)$", done.stderr.strip())
    assert len(texts(run)) - 1 == len(done.stdout.splitlines()) == int(count)


# ---- what stdin, stdout and stderr may be -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("yes | zchat send general", 5, "the text is larger than 65536 bytes"),
        ("head -c 10000000 /dev/zero | tr '\\0' x | zchat send general", 5, "larger than 65536 bytes"),
        ("(echo one; head -c 10000000 /dev/zero | tr '\\0' x) | zchat send --lines general", 5,
         "line 2: the text is larger than 65536 bytes. Lines stored: 1"),
        ("zchat send general < /dev/null", 2, "nothing to send: stdin is empty"),
        ("zchat send general <&-", 2, "nothing to send: stdin is empty"),
        ("zchat send --lines general <&-", 2, "nothing to send: stdin is empty"),
        ("zchat send general 0>/dev/null", 2, "cannot read stdin: Bad file descriptor"),
        ("zchat send --lines general 0>/dev/null", 2, "cannot read stdin: Bad file descriptor"),
        ("printf 'ab\\377' | zchat send general", 2, "the input is not UTF-8: byte 0xff at offset 2"),
        ("printf 'one\\nab\\377\\n' | zchat send --lines general", 2,
         "line 2: the input is not UTF-8: byte 0xff at offset 6. Lines stored: 1"),
        ("zchat send general hi <&- >&-", 0, "registered as new"),
        ("zchat send --json general hi >&-", 0, "registered as new"),
        ("echo hi | zchat send --json --lines general >&-", 0, "registered as new"),
        ("zchat send general hi <&- >&- 2>&-", 0, ""),
        ("zchat send nowhere hi 2>&-", 5, ""),
        ("zchat send general < /dev/null 2>/dev/full", 2, ""),
        ("zchat send general hi > /dev/full", 0, "registered as new"),
        ("zchat send --json --id K general hi > /dev/full", 8,
         "the message is stored, but that could not be told: cannot write to stdout: No space left on "
         "device. Repeating it is safe: zchat send --json --id K general hi"),
        ("printf 'a\\nb\\n' | zchat send --json --lines --id K general > /dev/full", 8,
         "cannot write to stdout: No space left on device. Lines stored: 1; those after "
         "them may be stored as well. Repeating it all with --id K is safe"),
        ("seq 100000 | zchat send --json --lines general | head -n 1 > /dev/null; exit ${PIPESTATUS[1]}", 0,
         "registered as new"),
        ("zchat send --json general hi | true; exit ${PIPESTATUS[0]}", 0, "registered as new"),
    ],
)  # fmt: skip
def test_streams(busy: Zchat, newcomer: str, line: str, code: int, said: str) -> None:
    done = in_shell(busy, line, newcomer)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 0:
        assert done.stderr.count("\n") <= 1


def test_endless_lines_go_on_until_somebody_stops_them(run: Zchat) -> None:
    program = run.start(["send", "--json", "--lines", "general"])

    def pour() -> None:
        try:
            while True:
                program.stdin.write(b"y\n" * 1000)
        except OSError:
            pass

    pouring = threading.Thread(target=pour, daemon=True)
    pouring.start()
    for _ in range(2_000):
        program.out.until("pos")
    assert program.signalled(signal.SIGINT) == 8
    (stored,) = re.findall(r"interrupted. Lines stored: (\d+); those after", program.err.until("stored"))
    program.clean()
    pouring.join()
    assert 2_000 <= int(stored) <= len(texts(run)) <= int(stored) + 1100


def test_a_reader_that_goes_ends_the_command_though_no_more_lines_come(run: Zchat) -> None:
    process = run.open(
        ["send", "--json", "--lines", "general"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(b"one\n")
    assert json.loads(process.stdout.readline())["duplicate"] is False
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr.read() == b"zchat: registered as ann\n"
    process.stdin.close()
    process.stderr.close()


def test_a_bug_says_that_it_is_one(run: Zchat, tmp_path: Path, bare_environment: dict[str, str]) -> None:
    (tmp_path / "sitecustomize.py").write_text("import socket\nsocket.socketpair = None\n")
    path = f"{tmp_path}:{bare_environment['PYTHONPATH']}"
    done = run(["send", "general", "hi"], PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (70, "")
    assert "zchat: this is a bug in zchat 0.1.0" in done.stderr
