"""`zchat send` with real processes: what it reads, what it prints, and what it ends with."""

import json
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Program, Zchat, free_port
from zchat.common import keys, limits

LIMIT = limits.TEXT_BYTES_MAX


def texts(run: Zchat, to: str = "general", nick: str = "ann") -> list[str]:
    """All texts of a conversation."""
    done = run(["tail", "--json", "--no-follow", "--after", "0", to], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


# ---- where the text comes from ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "input", "text"),
    [
        (["general", "hello", "there"], "", "hello there"),
        (["general", "-m", "--lines", "--", "-h"], "", "-m --lines -- -h"),
        (["-m", "hello there", "general"], "", "hello there"),
        (["general"], "one\ntwo\n\n", "one\ntwo\n"),
        (["general"], "no newline", "no newline"),
        (["#general", "ä 世界 🙂"], "", "ä 世界 🙂"),
        (["general"], "ä 世界 🙂\n", "ä 世界 🙂"),
        (["--", "general", "hi"], "", "hi"),
    ],
)
def test_forms_of_the_text(busy: Zchat, newcomer: str, arguments: list[str], input: str, text: str) -> None:
    done = busy(["send", *arguments], nick=newcomer, input=input)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith(f"zchat: registered as {newcomer}\n")
    stored = busy(["history", "--json", "--after", "0", "--from", newcomer, "general"], nick=newcomer)
    assert [json.loads(line)["text"] for line in stored.stdout.splitlines()] == [text]


def test_stdin_is_utf8_whatever_the_locale(run: Zchat) -> None:
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert run(["send", "general"], input="grün", **locale).returncode == 0
    assert run(["send", "--lines", "general"], input="blau\n", **locale).returncode == 0
    done = run(["tail", "--json", "--no-follow"], **locale)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["grün", "blau"]
    assert '"grün"' in done.stdout
    assert run(["tail", "--no-follow"], **locale).stdout.endswith(
        "gr\\xfcn\n", 0, -len("06:00 #general <ann> blau\n")
    )


def test_to_a_person_who_is_away(run: Zchat) -> None:
    assert run(["users"], nick="bob").returncode == 0
    assert run(["send", "@bob", "psst"]).returncode == 0
    assert texts(run, "@ann", nick="bob") == ["psst"]


def test_json_tells_where_it_is(run: Zchat) -> None:
    done = run(["send", "--json", "--id", "K", "general", "hi"])
    sent = json.loads(done.stdout)
    assert sent.keys() == {"id", "pos", "time", "duplicate"}
    assert (sent["id"], sent["duplicate"]) == ("K", False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", sent["time"])
    again = run(["send", "--json", "--id", "K", "general", "hi"])
    assert again.returncode == 0
    assert json.loads(again.stdout) == sent | {"duplicate": True}
    assert texts(run) == ["hi"]


def test_drawn_ids_are_in_the_order_of_time(run: Zchat) -> None:
    ids = [json.loads(run(["send", "--json", "general", "hi"]).stdout)["id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert ids == sorted(ids)


# ---- a message a line -------------------------------------------------------------------------------------


def test_lines(run: Zchat) -> None:
    done = run(["send", "--lines", "general"], input="one\n\n  two\n   \nthree")
    assert (done.returncode, done.stdout) == (0, "")
    assert texts(run) == ["one", "  two", "three"]


def test_lines_with_an_id_resume(run: Zchat) -> None:
    first = run(["send", "--json", "--lines", "--id", "K", "general"], input="one\n\nthree\n")
    sent = [json.loads(line) for line in first.stdout.splitlines()]
    assert [one["id"] for one in sent] == ["K.1", "K.3"]
    again = run(["send", "--json", "--lines", "--id", "K", "general"], input="one\n\nthree\nfour\n")
    assert [json.loads(line)["duplicate"] for line in again.stdout.splitlines()] == [True, True, False]
    assert texts(run) == ["one", "three", "four"]


def test_many_lines_keep_their_order(run: Zchat) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    assert run(["send", "--lines", "general"], input="\n".join(lines)).returncode == 0
    assert texts(run) == lines


def test_lines_are_sent_while_stdin_stays_open(run: Zchat) -> None:
    feed = run.start(["send", "--json", "--lines", "general"])
    for number in range(3):
        feed.type(f"line {number}")
        assert json.loads(feed.out.until("pos"))["duplicate"] is False
    assert feed.ended() == 0


def test_endless_lines_take_bounded_memory(run: Zchat) -> None:
    program = run.start(["send", "--json", "--lines", "general"])

    def pour() -> None:
        try:
            while True:
                program.stdin.write(b"x" * 1000 + b"\n")
        except OSError:
            pass

    pouring = threading.Thread(target=pour, daemon=True)
    pouring.start()
    for _ in range(30_000):
        program.out.until("pos")
    assert memory_peak_mib(program) < 120
    program.clean()
    pouring.join()


def memory_peak_mib(program: Program) -> int:
    status = Path(f"/proc/{program.process.pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells of other processes in /proc")
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(kib) // 1024


def test_lines_stop_at_a_line_that_is_too_long(run: Zchat) -> None:
    done = run(["send", "--lines", "general"], input="one\ntwo\n" + "x" * (LIMIT + 1) + "\nfour\n")
    assert done.returncode == 5
    assert "line 3: the text is larger than 65536 bytes. Lines stored: 2" in done.stderr
    assert texts(run) == ["one", "two"]


def test_lines_stop_at_bytes_that_are_no_utf8(run: Zchat) -> None:
    done = run(["send", "--lines", "general"], input=b"one\ntw\xff\nthree\n")
    assert done.returncode == 2
    assert "line 2: the input is not UTF-8: byte 0xff at offset 6. Lines stored: 1" in done.stderr
    assert texts(run) == ["one"]


def test_lines_stop_at_a_refusal(lasting: Zchat) -> None:
    done = lasting(["send", "--lines", "nowhere"], input="one\ntwo\n")
    assert done.returncode == 5
    assert re.search(r"line 1: .*nowhere.*\. Lines stored: 0", done.stderr)


# ---- 0, 2: usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "input", "reason"),
    [
        ([], "", "Missing argument 'TO'"),
        (["general"], "", "stdin is empty"),
        (["general"], "\n", "stdin is empty"),
        (["--lines", "general"], "\n \n", "stdin is empty"),
        (["general", ""], "", "the text is empty"),
        (["general"], b"abc\xc3(", "byte 0xc3 at offset 3"),
        (["-m", "text", "general", "text"], "", "-m and TEXT exclude each other"),
        (["--lines", "-m", "text", "general"], "", "-m and --lines exclude each other"),
        (["--lines", "general", "text"], "", "TEXT and --lines exclude each other"),
        (["--id", "~1.2", "general", "hi"], "", "does not begin with ~"),
        (["--id", "a b", "general", "hi"], "", "printable ASCII"),
        (["--id", "x" * 129, "general", "hi"], "", "129 characters"),
        (["--id", "x" * 128, "--lines", "general"], "hi", "128 characters"),
        (["--timeout", "-1", "general", "hi"], "", "no number of seconds"),
        (["--timeout", "nan", "general", "hi"], "", "no number of seconds"),
        (["--nick", "a b", "general", "hi"], "", "the nick 'a b' has the character ' '"),
        (["--link", "zchat://here", "general", "hi"], "", "not a zchat link"),
        (["-p", "70000", "general", "hi"], "", "70000"),
    ],
)
def test_usage(lasting: Zchat, arguments: list[str], input: str | bytes, reason: str) -> None:
    """And nothing was sent, which `lasting` looks at in the end."""
    arguments = ["send", *arguments]
    done = (
        lasting(arguments, input=input) if input or reason == "stdin is empty" else lasting.quick(arguments)
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


def test_arguments_that_are_no_utf8(lasting: Zchat) -> None:
    done = lasting(["send", "general", "ab\udcff"])
    assert done.returncode == 2
    assert "byte 0xff at offset 2" in done.stderr


def test_two_brokers(run: Zchat, broker: Broker) -> None:
    done = run(["send", "--link", broker.link, "-p", str(broker.port + 1), "general", "hi"])
    assert done.returncode == 2
    assert "two brokers are named" in done.stderr
    assert run(["send", "--link", broker.link, "-p", str(broker.port), "general", "hi"]).returncode == 0


def test_no_nick_is_known(lasting: Zchat) -> None:
    done = lasting(["send", "general", "hi"], nick=None)
    assert done.returncode == 2
    assert "--nick NAME or ZCHAT_NICK" in done.stderr


def test_the_first_nick_is_the_default(run: Zchat) -> None:
    assert run(["send", "--nick", "Ann", "general", "one"], nick=None).stderr == "zchat: registered as Ann\n"
    assert run(["send", "--nick", "bob", "general", "two"], nick=None).stderr == "zchat: registered as bob\n"
    assert run(["send", "general", "three"], nick=None).stderr == ""
    lines = run(["tail", "--no-follow"], nick=None).stdout.splitlines()
    assert [line[6:] for line in lines] == [
        "#general <Ann> one", "#general <bob> two", "#general <Ann> three"
    ]  # fmt: skip


def test_no_home(lasting: Zchat) -> None:
    done = lasting(["users"], HOME="", ZCHAT_CONFIG_DIR="")
    assert done.returncode == 2
    assert "ZCHAT_CONFIG_DIR" in done.stderr


# ---- 3, 4, 5 ----------------------------------------------------------------------------------------------


def test_no_broker(lasting: Zchat) -> None:
    link = f"zchat://127.0.0.1:{free_port()}/{keys.to_base32(keys.draw().public)}"
    done = lasting(["send", "--timeout", "0.5", "--link", link, "general", "hi"])
    assert done.returncode == 3
    assert done.stderr.startswith("zchat: ")


def test_a_broker_with_another_key(lasting: Zchat, lasting_broker: Broker) -> None:
    link = f"zchat://127.0.0.1:{lasting_broker.port}/{keys.to_base32(keys.draw().public)}"
    done = lasting(["send", "--link", link, "general", "hi"])
    assert done.returncode == 4


def test_an_address_whose_key_is_not_known(lasting: Zchat, lasting_broker: Broker) -> None:
    done = lasting(["send", "-i", "127.0.0.1", "-p", str(lasting_broker.port), "general", "hi"])
    assert done.returncode == 4
    assert f"no key known for 127.0.0.1:{lasting_broker.port}; ask for `zchat link` there" in done.stderr


def test_the_broker_of_this_account_needs_no_link(
    run: Zchat, broker: Broker, bare_environment: dict[str, str], tmp_path: Path
) -> None:
    local = tmp_path / "users/ann/data/broker"
    local.mkdir(parents=True)
    (local / "link").write_text(broker.link + "\n")
    assert run(["send", "general", "one"], ZCHAT_LINK="").returncode == 0
    assert run(["send", "-p", str(broker.port), "general", "two"], ZCHAT_LINK="").returncode == 0
    assert texts(run) == ["one", "two"]


def test_the_nick_of_somebody_else(lasting: Zchat) -> None:
    done = lasting(["send", "--nick", "Ann", "general", "hi"], nick="eve")
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere", "hi"], "nowhere"),
        (["@nobody1", "hi"], "nobody1"),
        (["bob", "hi"], "did you mean @bob?"),
        (["general", "-"], None),
    ],
)
def test_refused(run: Zchat, arguments: list[str], reason: str | None) -> None:
    assert run(["users"], nick="bob").returncode == 0
    done = run(["send", *arguments])
    assert done.returncode == (5 if reason else 0)
    assert (reason or "") in done.stderr


def test_an_id_is_for_one_text(run: Zchat) -> None:
    assert run(["send", "--id", "K", "general", "one"]).returncode == 0
    assert run(["send", "--id", "K", "general", "two"]).returncode == 5
    assert texts(run) == ["one"]


def test_too_large(run: Zchat) -> None:
    assert run(["send", "general"], input="x" * LIMIT + "\n").returncode == 0
    done = run(["send", "general"], input="ä" * (LIMIT // 2) + "x")
    assert done.returncode == 5
    assert "larger than 65536 bytes" in done.stderr


# ---- 8, 130, 143 ------------------------------------------------------------------------------------------


@pytest.fixture
def stalled(broker: Broker) -> Callable[[], AbstractContextManager[object]]:
    """While this is open the broker's commits wait: somebody else has the database."""

    @contextmanager
    def lock() -> Iterator[None]:
        with closing(sqlite3.connect(broker.data_dir / "zchat.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield

    return lock


def test_repeating_with_the_id_that_was_printed(
    run: Zchat, stalled: Callable[[], AbstractContextManager[object]]
) -> None:
    assert run(["users"]).returncode == 0
    with stalled():
        done = run(["send", "--timeout", "0.2", "general", "hi"])
    assert (done.returncode, done.stdout) == (8, "")
    (id,) = re.findall(r"Repeating it is safe: zchat send --id (\S+) --timeout 0.2 general hi", done.stderr)
    for _ in range(2):
        assert run(["send", "--id", id, "general", "hi"]).returncode == 0
    assert texts(run) == ["hi"]


def test_a_broker_that_cannot_write(
    run: Zchat, stalled: Callable[[], AbstractContextManager[object]]
) -> None:
    assert run(["users"]).returncode == 0
    with stalled():
        done = run(["send", "general", "hi"])
    assert done.returncode == 5


def test_lines_that_are_not_answered(run: Zchat, broker: Broker) -> None:
    feed = run.start(["send", "--json", "--lines", "--id", "K", "--timeout", "0.5", "general"])
    feed.type("one")
    feed.out.until("pos")
    broker.process.send_signal(signal.SIGSTOP)
    feed.type("two")
    assert "no answer within 0.5 s. Lines stored: 1; those after" in feed.err.until("no answer")
    broker.process.send_signal(signal.SIGCONT)
    assert feed.ended() == 8
    assert run(["send", "--lines", "--id", "K", "general"], input="one\ntwo\n").returncode == 0
    assert texts(run) == ["one", "two"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_with_nothing_under_way(run: Zchat, broker: Broker, number: signal.Signals) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    send = run.start(["send", "--timeout", "0", "general", "hi"])
    wait_for_connecting(send)
    assert send.signalled(number) == 128 + number
    broker.process.send_signal(signal.SIGCONT)
    assert texts(run) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lines_interrupted_between_two(run: Zchat, number: signal.Signals) -> None:
    feed = run.start(["send", "--json", "--lines", "general"])
    feed.type("one")
    feed.out.until("pos")
    assert feed.signalled(number) == 128 + number
    assert texts(run) == ["one"]


def wait_for_connecting(program: Program) -> None:
    """Until the process has a socket beside the pair of its event loop: from then on it heeds signals."""
    descriptors = Path(f"/proc/{program.process.pid}/fd")
    if not descriptors.exists():
        pytest.skip("only Linux tells of other processes in /proc")
    ends_at = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends_at:
        with suppress(OSError):
            if sum(str(one.readlink()).startswith("socket:") for one in descriptors.iterdir()) > 2:
                return
    raise AssertionError("it never began to connect")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "."])
def test_a_host_that_no_machine_can_have(lasting: Zchat, host: str) -> None:
    key = "a" * 51 + "q"
    done = lasting(["send", "--timeout", "1", "--link", f"zchat://{host}:1/{key}", "general", "hello"])
    assert (done.returncode, done.stderr) == (
        3,
        f"zchat: no machine is called {host!r}. Is the link right?\n",
    )


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["hi", "--id", "foo"], "zchat: --id behind TO is text; options stand before TO\n"),
        (["-m", "hi"], "zchat: -m behind TO is text; options stand before TO\n"),
        (["--timeout=3"], "zchat: --timeout behind TO is text; options stand before TO\n"),
        (["ls", "-p", "--all"], ""),
    ],
)
def test_what_looks_like_an_option_behind_to(
    busy: Zchat, newcomer: str, words: list[str], warned: str
) -> None:
    assert busy(["users"], nick=newcomer).returncode == 0
    done = busy(["send", "general", *words], nick=newcomer)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", warned)
    stored = busy(["tail", "--no-follow", "-n", "1", "general"], nick=newcomer).stdout
    assert stored.endswith(f"<{newcomer}> {' '.join(words)}\n")
