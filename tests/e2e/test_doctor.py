"""`zchat doctor` where something is broken, and where nothing is: the step, the mend and the exit code."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import zmq

import zchat
from tests.e2e.programs import DEADLINE_S, Broker, Zchat, runtime_dir
from tests.e2e.test_documents import wait_until_present
from tests.e2e.test_errors import NO_KEY, listening, nobody, plain_zeromq, say_nothing, swallowing, web
from tests.fault.proxy import Proxy
from zchat import Client

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
SECTION = DOCUMENT.read_text().partition("## `zchat doctor`\n")[2].partition("\n## ")[0]
CODES = {
    step: [int(code) for code in codes.split(", ")]
    for step, codes in re.findall(r"^\| `(\w+)` \| .* \| ([\d, ]+) \|$", SECTION, re.MULTILINE)
}
"""What each step can end with when it is wrong, in order, as the document has it."""

LINK_AGAIN = "Where the broker runs, zchat link prints its link: zchat doctor LINK"
Done = subprocess.CompletedProcess[str]


def check(done: Done, code: int, step: str, text: str, mend: str) -> None:
    """All steps before `step` are right, and that one is wrong; text and mend are patterns."""
    assert done.stderr == ""
    *right, wrong, last = done.stdout.splitlines()
    assert [line.split()[:2] for line in right] == [["ok", name] for name in CODES][: len(right)]
    assert re.fullmatch(rf"wrong  {step:<8}  {text}", wrong), wrong
    assert re.fullmatch(rf"mend {' ' * 10}  {mend}", last), last
    assert done.returncode == code
    assert code in CODES[step]
    assert list(CODES).index(step) >= len(right)


# ---- nothing is wrong -------------------------------------------------------------------------------------


def test_nothing_is_wrong(lasting: Zchat, lasting_broker: Broker) -> None:
    done = lasting(["doctor"])
    assert (done.returncode, done.stderr) == (0, "")
    port, version = lasting_broker.port, re.escape(zchat.__version__)
    expected = {
        "settings": re.escape(f"the broker is {lasting_broker.link}"),
        "name": r"127\.0\.0\.1 is an address: there is no name to look up",
        "port": rf"127\.0\.0\.1:{port} takes connections",
        "zmtp": "what listens there speaks ZeroMQ, with CURVE",
        "curve": "the connection is encrypted, and the broker has the key of the link",
        "admitted": "the broker answers, and does not turn this key away",
        "nick": "ann is registered, with the key in use here: ([a-z2-7]{4} ){3}[a-z2-7]{4}",
        "rooms": rf"127\.0\.0\.1:{port + 1} confirms what is subscribed to",
        "clock": r"the clocks differ by [0-9.]+ m?s at most",
        "versions": rf"protocol ZCHAT/1; here zchat/{version} with libzmq {re.escape(zmq.zmq_version())}, "
        rf"there zchat/{version}",
    }
    assert list(expected) == list(CODES)
    lines = "".join(rf"ok     {step:<8}  {text}\n" for step, text in expected.items())
    assert re.fullmatch(lines, done.stdout), done.stdout


def test_json(lasting: Zchat) -> None:
    done = lasting(["doctor", "--json"])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr, [one["step"] for one in found]) == (0, "", list(CODES))
    assert all(list(one) == ["step", "ok", "text", "mend"] for one in found)
    assert all(one["ok"] and one["mend"] is None for one in found)
    done = lasting(["doctor", "--json", "--nick", "carl"])
    *right, wrong = (json.loads(line) for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (4, "")
    assert all(one["ok"] for one in right)
    assert wrong == {
        "step": "nick",
        "ok": False,
        "text": "nobody is registered as carl at this broker",
        "mend": "zchat connect --nick carl registers it, "
        "with the link of an invite where the broker wants one",
    }


def test_a_name_and_a_link_as_argument(lasting: Zchat, lasting_broker: Broker) -> None:
    link = lasting_broker.link.replace("127.0.0.1", "localhost")
    done = lasting(["doctor", link], ZCHAT_LINK="")
    assert done.returncode == 0
    assert re.search(r"^ok     name      localhost is .*127\.0\.0\.1", done.stdout, re.MULTILINE)
    assert f"ok     settings  the broker is {link}\n" in done.stdout
    done = lasting.quick(["doctor", "--link", lasting_broker.link, link])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: two links are given\n")


def test_a_context_is_named(run: Zchat, broker: Broker) -> None:
    assert run(["connect", broker.link]).returncode == 0
    done = run(["doctor"], ZCHAT_LINK="")
    assert (done.returncode, done.stdout.partition("\n")[0]) == (
        0,
        f"ok     settings  the broker is {broker.link}, context 127.0.0.1",
    )


# ---- it changes nothing -----------------------------------------------------------------------------------


def files_below(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_nothing_is_left_behind(run: Zchat, broker: Broker, tmp_path: Path) -> None:
    for arguments in (["doctor"], ["doctor", "--nick", "ann"], ["doctor", "--nick", "ann", broker.link]):
        assert run(arguments, nick=None).returncode in (2, 4)
    assert files_below(tmp_path / "users") == {}
    assert run(["send", "general", "hi"]).returncode == 0
    assert run(["tail", "--cursor", "c", "--no-follow", "general"]).returncode == 0
    before = files_below(tmp_path / "users")
    assert run(["doctor", broker.link]).returncode == 0
    assert files_below(tmp_path / "users") == before
    assert run(["users"]).stdout == "  ann\n"


def test_nobody_sees_it_come(run: Zchat, broker: Broker) -> None:
    assert run(["users"]).returncode == 0
    tail = run.start(["tail", "--json", "--events"], nick="bob")
    wait_until_present("bob", run)
    assert through_a_proxy(run, broker, True).returncode == 3  # there for a second, in which it could be seen
    assert run(["send", "general", "afterwards"]).returncode == 0
    tail.out.until("afterwards")
    came = [one["from"] for one in map(json.loads, tail.out.seen) if one["kind"] == "here"]
    assert "ann" not in came


# ---- settings ---------------------------------------------------------------------------------------------


def test_no_broker_is_named(lasting: Zchat) -> None:
    said = "which broker? zchat connect LINK, --link LINK or ZCHAT_LINK; or start one here: zchat broker"
    check(lasting(["doctor"], ZCHAT_LINK=""), 2, "settings", re.escape(said), LINK_AGAIN)
    done = lasting(["doctor", "-i", "chat.example.org"], ZCHAT_LINK="")
    check(done, 4, "settings", r"no key known for chat\.example\.org:9242; ask .*", LINK_AGAIN)
    done = lasting(["doctor", "zchat://chat.example.org"])
    check(done, 2, "settings", r"not a zchat link: 'zchat://chat\.example\.org'\..*", LINK_AGAIN)


def test_a_link_that_holds_a_secret_key(lasting: Zchat) -> None:
    done = lasting(["doctor", "--json", f"zchat-key://chat.example.org/{NO_KEY}/{NO_KEY}"])
    assert done.returncode == 2
    assert NO_KEY not in done.stdout + done.stderr


# ---- who is there -----------------------------------------------------------------------------------------


def test_a_name_that_no_machine_has(lasting: Zchat) -> None:
    done = lasting(["doctor", "--timeout", "2", f"zchat://chat.invalid/{NO_KEY}"])
    text = r"(no machine is called|the address of) 'chat\.invalid'.*"
    check(done, 3, "name", text, rf"Is (the link right|there a network)\? {LINK_AGAIN}")


OTHERS: dict[str, tuple[Callable[[], AbstractContextManager[int]], str, str, str]] = {
    "nobody": (
        nobody,
        "port",
        "no broker at {place}",
        r"Start one: zchat broker -p {port}\. Another machine: zchat connect LINK",
    ),
    "firewall": (
        swallowing,
        "port",
        "{place} does not answer",
        r"Is a firewall between, or the machine off\? It has to listen to others \(zchat broker -i 0.*",
    ),
    "web": (web, "zmtp", "a web server listens at {place}, not a zchat broker", r"Is the port right\? .*"),
    "silence": (
        lambda: listening(say_nothing),
        "zmtp",
        "what listens at {place} accepts connections but does not answer",
        r"Is it stopped\? There, kill -CONT PID lets it go on; .* start it again: zchat broker",
    ),
    "zeromq": (
        plain_zeromq,
        "zmtp",
        "{place} speaks ZeroMQ without encryption: that is no zchat broker",
        LINK_AGAIN,
    ),
}


@pytest.mark.parametrize("who", OTHERS)
def test_somebody_else_is_there(lasting: Zchat, who: str) -> None:
    there, step, text, mend = OTHERS[who]
    with there() as port:
        done = lasting(["doctor", "--timeout", "1", f"zchat://127.0.0.1:{port}/{NO_KEY}"])
    place = rf"127\.0\.0\.1:{port}"
    check(done, 3, step, text.format(place=place), mend.format(port=port))


def test_a_broker_that_is_stopped(run: Zchat, broker: Broker) -> None:
    assert run(["users"]).returncode == 0
    broker.process.send_signal(signal.SIGSTOP)
    done = run(["doctor", "--timeout", "1"])
    broker.process.send_signal(signal.SIGCONT)
    text = rf"what listens at 127\.0\.0\.1:{broker.port} accepts connections but does not answer"
    check(done, 3, "zmtp", text, r"Is it stopped\? There, kill -CONT PID lets it go on; .*")
    assert run(["doctor"]).returncode == 0


def test_waiting_for_ever_can_be_interrupted(run: Zchat, broker: Broker) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    doctor = run.start(["doctor", "--timeout", "0", "--nick", "ann"])
    doctor.out.until("takes connections")
    assert doctor.signalled(signal.SIGINT) == 130
    doctor = run.start(["doctor", "--timeout", "0", "--nick", "ann"])
    doctor.out.until("takes connections")
    broker.process.send_signal(signal.SIGCONT)
    doctor.out.until("registers it")
    assert doctor.ended() == 4


def test_another_key_than_the_link_says(lasting: Zchat, lasting_broker: Broker) -> None:
    port = lasting_broker.port
    for place, key in ((port, NO_KEY), (port + 1, lasting_broker.link.rpartition("/")[2])):
        done = lasting(["doctor", f"zchat://127.0.0.1:{place}/{key}"])
        text = (
            rf"the broker at 127\.0\.0\.1:{place} has another key than the link, or {place} is its second .*"
        )
        check(done, 4, "curve", text, "Ask for the link again; there, zchat link shows it")


# ---- who one is -------------------------------------------------------------------------------------------


def test_a_nick_that_is_not_known(run: Zchat) -> None:
    text = re.escape("which nick? No nick was used with this broker yet: --nick NAME or ZCHAT_NICK")
    mend = "zchat doctor --nick NAME goes on; up to here all was tried with a key drawn for it"
    check(run(["doctor"], nick=None), 2, "nick", text, mend)
    done = run(["doctor", "--nick", "a b"], nick=None)
    check(done, 2, "nick", "--nick: the nick 'a b' has the character ' '; .*", mend)


def test_a_nick_that_is_not_registered(lasting: Zchat) -> None:
    done = lasting(["doctor", "--nick", "carl"])
    check(done, 4, "nick", "nobody is registered as carl at this broker", "zchat connect --nick carl .*")
    assert lasting(["users"]).stdout == "  ann\n  bob\n"


def test_a_nick_of_another_key(lasting: Zchat, lasting_broker: Broker) -> None:
    mend = (
        "If it is yours, bring its key: zchat key export where it was used, zchat key import here; "
        r"for a lost one, ask who runs the broker for zchat invite --nick bob\. If not: --nick OTHER"
    )
    done = lasting(["doctor", "--nick", "bob"])
    check(done, 4, "nick", "the nick bob belongs to another key, and no key of it is here", mend)
    secret = zmq.curve_keypair()[1].decode()
    done = lasting(["doctor", "--nick", "bob"], ZCHAT_KEY=secret)
    check(done, 4, "nick", "the nick bob belongs to another key", mend)


def test_a_key_of_another_nick(run: Zchat, tmp_path: Path) -> None:
    assert run(["users"]).returncode == 0
    (key,) = (tmp_path / "users/ann/config").rglob("ann.key")
    done = run(["doctor", "--nick", "bob", "--key-file", str(key)])
    text = "this key belongs to the nick ann, not to bob"
    check(done, 4, "nick", text, "Use that nick, or another key: ZCHAT_KEY or --key-file")


def test_a_key_that_is_damaged(run: Zchat, tmp_path: Path) -> None:
    assert run(["users"]).returncode == 0
    (key,) = (tmp_path / "users/ann/config").rglob("ann.key")
    key.chmod(0o644)
    mend = r"Bring the key again \(zchat key import\), or give it: ZCHAT_KEY or --key-file"
    check(run(["doctor"]), 2, "nick", f"others can read the key {key}", rf"chmod 600 {key}\. {mend}")
    check(run(["doctor"], ZCHAT_KEY="key"), 2, "nick", "ZCHAT_KEY: not a secret key: .*", mend)


def test_a_nick_that_the_broker_has_lost(run: Zchat, broker: Broker) -> None:
    assert run(["users", "--nick", "ann"], nick=None).returncode == 0
    broker.stop()
    (broker.data_dir / "zchat.db").unlink()
    broker.start()
    done = run(["doctor"], nick=None)
    check(done, 4, "nick", "nobody is registered as ann at this broker", "zchat connect --nick ann .*")


def test_a_token(run: Zchat, broker: Broker) -> None:
    with account(broker) as client:
        token = str(client.admin.make_token("bot", may_send=False))
    done = run(["doctor"], nick=None, ZCHAT_TOKEN=token, ZCHAT_LINK="")
    assert done.returncode == 0
    assert "ok     nick      bot is registered, with the key in use here: " in done.stdout
    assert token.rpartition("/")[2] not in done.stdout
    with account(broker) as client:
        client.admin.end_token("bot")
    mend = "Ask who made it for another one: zchat token create"
    done = run(["doctor"], nick=None, ZCHAT_TOKEN=token, ZCHAT_LINK="")
    check(done, 4, "nick", "the token of bot has ended", mend)
    done = run(["doctor"], nick=None, ZCHAT_TOKEN="${TOKEN}")
    check(done, 2, "settings", "ZCHAT_TOKEN: not a token: .*", mend)


# ---- who is let in ----------------------------------------------------------------------------------------


@contextmanager
def account(broker: Broker) -> Iterator[Client]:
    """A client of the account that runs the broker."""
    control = Path(runtime_dir()) / f"{broker.link.rpartition('/')[2][:16]}.sock"
    with Client(broker.link, control=control) as client:
        yield client


@pytest.fixture(scope="module")
def exclusive(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]
) -> Iterator[tuple[Zchat, Broker]]:
    """A broker that lets nobody in without an invite; ann is registered."""
    directory = tmp_path_factory.mktemp("exclusive")
    broker = Broker(directory / "broker", bare_environment, "--registration", "invite")
    zchat = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    with account(broker) as client:
        assert zchat(["connect", str(client.admin.make_invite())]).returncode == 0
    yield zchat, broker
    zchat.close()
    broker.kill()


def test_not_invited(exclusive: tuple[Zchat, Broker], tmp_path: Path) -> None:
    run, _ = exclusive
    assert run(["doctor"]).returncode == 0
    text = "this broker registers nobody without an invite"
    mend = "Ask who runs the broker for an invite, .*; zchat connect --nick bob LINK takes it"
    done = run(["doctor"], nick="bob", ZCHAT_RUNTIME_DIR=str(tmp_path))
    check(done, 4, "admitted", text, mend)
    mend = "This account runs the broker and needs no invite: zchat connect --nick bob registers it, .*"
    check(run(["doctor"], nick="bob"), 4, "admitted", text, mend)


def test_an_invite_is_not_used(exclusive: tuple[Zchat, Broker]) -> None:
    run, broker = exclusive
    with account(broker) as client:
        link = client.admin.make_invite()
        for _ in range(2):
            done = run(["doctor", str(link)], nick="carl")
            mend = "zchat connect --nick carl registers it, with the link of an invite .*"
            check(done, 4, "nick", "nobody is registered as carl at this broker", mend)
            assert link.secret not in done.stdout
        assert run(["doctor", str(link)]).returncode == 0  # ann needs none
        assert [row.uses for row in client.admin.invites()] == [1]
        assert run(["connect", str(link)], nick="carl").returncode == 0
        assert client.admin.invites() == []
    done = run(["doctor", str(link)], nick="dan")
    check(
        done, 4, "admitted", "this invite is unknown, used up, .*", "Ask who runs .* for another invite, .*"
    )


def test_banned(exclusive: tuple[Zchat, Broker]) -> None:
    run, broker = exclusive
    with account(broker) as client:
        assert run(["connect", str(client.admin.make_invite())], nick="eve").returncode == 0
        client.admin.ban("eve", reason="spam")
    done = run(["doctor"], nick="eve")
    check(done, 4, "admitted", ".*", "Only who runs the broker can change that")


# ---- clocks -----------------------------------------------------------------------------------------------


def test_clocks_that_differ(lasting: Zchat, bare_environment: dict[str, str], tmp_path: Path) -> None:
    """Python imports sitecustomize before anything else."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() + 3600\n"
    )
    python_path = f"{tmp_path}{os.pathsep}{bare_environment['PYTHONPATH']}"
    done = lasting(["doctor"], PYTHONPATH=python_path)
    text = "the clock here is 60 minutes ahead of the broker's: so wrong is what --since finds"
    mend = r"Set the one that is wrong, and let it be set from the network \(timedatectl set-ntp true\)"
    check(done, 2, "clock", text, mend)


# ---- the second port --------------------------------------------------------------------------------------


def through_a_proxy(run: Zchat, broker: Broker, is_swallowed: bool) -> Done:
    """`zchat doctor` where the first port alone leads on. `is_swallowed`: the second takes connections."""

    async def examined() -> Done:
        async with Proxy(broker.link) as proxy:
            if is_swallowed:
                await proxy.swallow(proxy.link.port + 1)
            return await asyncio.to_thread(run, ["doctor", "--timeout", "1", str(proxy.link)])

    return asyncio.run(examined())


@pytest.mark.parametrize(
    ("is_swallowed", "problem"),
    [
        (False, "nothing listens at {place}"),
        (True, "what listens at {place} accepts connections but does not answer"),
    ],
)
def test_a_second_port_out_of_reach(
    lasting: Zchat, lasting_broker: Broker, is_swallowed: bool, problem: str
) -> None:
    done = through_a_proxy(lasting, lasting_broker, is_swallowed)
    place = rf"127\.0\.0\.2:{lasting_broker.port + 1}"
    said = problem.format(place=place)
    said += r"\. It is the broker's second port: rooms come over the first one instead"
    mend = f"Let {place} through like the first port, in each firewall and tunnel between"
    check(done, 3, "rooms", said, mend)


# ---- the output -------------------------------------------------------------------------------------------


def test_a_reader_that_has_gone(lasting: Zchat) -> None:
    with subprocess.Popen(["head", "-n", "1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as head:
        doctor = lasting.open(["doctor"], stdout=head.stdin)
        assert head.stdin is not None
        head.stdin.close()
        assert doctor.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("arguments", [["--timeout", "x"], ["a", "b"], ["-p", "0"]])
def test_usage(lasting: Zchat, arguments: list[str]) -> None:
    done = lasting.quick(["doctor", *arguments])
    assert (done.returncode, done.stdout) == (2, "")
