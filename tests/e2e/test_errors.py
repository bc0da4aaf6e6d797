"""What a newcomer is told when something does not work: what happened, what to do next, and no traceback."""

import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import zmq

from tests.e2e.programs import DEADLINE_S, Broker, Zchat, free_port

NO_KEY = "a" * 51 + "q"  # of no broker

COMMANDS = [
    ["send", "general", "hi"],
    ["send", "--lines", "general"],
    ["tail", "--no-follow", "general"],
    ["history", "general"],
    ["users"],
    ["join", "general"],
    ["ping"],
    ["connect", "--plain"],
]
"""One of each way to reach a broker."""

Serve = Callable[[socket.socket], None]


def check(done: "subprocess.CompletedProcess[str]", code: int, said: str) -> None:
    """The exit code and, as a pattern, all that was said; nothing of it on stdout."""
    assert re.fullmatch(rf"zchat: {said}\n", done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (code, "")


# ---- 3: nobody is there, or somebody else -----------------------------------------------------------------


@contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """A port at which every connection is given to `serve`, and stays open until the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    accepted.append(connection)
                    serve(connection)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for connection in accepted:
            connection.close()


@contextmanager
def web() -> Iterator[int]:
    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def plain_zeromq() -> Iterator[int]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        yield router.bind_to_random_port("tcp://127.0.0.1")


@contextmanager
def swallowing() -> Iterator[int]:
    """As behind a firewall: what the kernel holds back for a program is full, so that nothing is answered."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])
        for one in waiting:
            one.close()


@contextmanager
def nobody() -> Iterator[int]:
    yield free_port()


def say_nothing(_: socket.socket) -> None:
    pass


def hang_up(connection: socket.socket) -> None:
    connection.close()


def speak_as_mail(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example \x1b[2J ready\r\n")


ELSE = "something else listens at {place}, not a zchat broker. Is the port right?"
OTHERS: dict[str, tuple[Callable[[], AbstractContextManager[int]], str]] = {
    "nobody": (
        nobody,
        "no broker at {place}. Start one: zchat broker -p {port}. Another machine: zchat connect LINK",
    ),
    "web": (web, "a web server listens at {place}, not a zchat broker. Is the port right?"),
    "zeromq": (plain_zeromq, "{place} speaks ZeroMQ without encryption: that is no zchat broker"),
    "silence": (
        lambda: listening(say_nothing),
        "what listens at {place} accepts connections but does not answer. Is it stopped?",
    ),
    "hangs up": (lambda: listening(hang_up), ELSE),
    "mail": (lambda: listening(speak_as_mail), ELSE),
    "firewall": (swallowing, "{place} does not answer. Is a firewall between, or the machine off?"),
}


@pytest.mark.parametrize("who", OTHERS)
def test_somebody_else_is_there(lasting: Zchat, who: str) -> None:
    """Every command where nobody is; what is said of the others does not depend on it."""
    there, said = OTHERS[who]
    first = list(OTHERS).index(who)
    commands = COMMANDS if who == "nobody" else COMMANDS[first : first + 2]
    with there() as port, ThreadPoolExecutor(4) as pool:
        link = f"zchat://127.0.0.1:{port}/{NO_KEY}"
        done = pool.map(lambda one: lasting(one, input="hi\n", ZCHAT_LINK=link, ZCHAT_TIMEOUT="1"), commands)
        for one in done:
            check(one, 3, re.escape(said.format(place=f"127.0.0.1:{port}", port=port)))


def test_a_name_that_no_machine_has(lasting: Zchat) -> None:
    done = lasting(
        ["send", "--link", f"zchat://chat.invalid:9242/{NO_KEY}", "general", "hi"], ZCHAT_TIMEOUT="2"
    )
    no_name = r"no machine is called 'chat\.invalid'\. Is the link right\?"
    no_network = r"the address of 'chat\.invalid' could not be looked up\. Is there a network\?"
    check(done, 3, f"({no_name}|{no_network})")


def test_a_broker_that_is_stopped(run: Zchat, broker: Broker) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    done = run(["send", "general", "hi"], ZCHAT_TIMEOUT="1")
    broker.process.send_signal(signal.SIGCONT)
    check(
        done, 3, rf"what listens at 127\.0\.0\.1:{broker.port} accepts connections but does not answer\. .*"
    )


# ---- 4: who is who ----------------------------------------------------------------------------------------


def test_another_broker_than_the_link_says(lasting: Zchat, lasting_broker: Broker) -> None:
    broker = lasting_broker
    for port, key in ((broker.port, NO_KEY), (broker.port + 1, broker.link.rpartition("/")[2])):
        done = lasting(["send", "--link", f"zchat://127.0.0.1:{port}/{key}", "general", "hi"])
        said = (
            f"the broker at 127.0.0.1:{port} has another key than the link, or {port} is its second port. "
            "Ask for the link again; there, zchat link shows it"
        )
        check(done, 4, re.escape(said))


def test_a_nick_that_is_taken(lasting: Zchat) -> None:
    for command in COMMANDS:
        done = lasting([*command[:1], "--nick", "Ann", *command[1:]], nick="eve", input="hi\n")
        check(
            done,
            4,
            "the nick ann belongs to another key. Choose another one with --nick; .*zchat key import.*",
        )


def test_a_key_that_has_another_nick(run: Zchat, tmp_path: Path) -> None:
    assert run(["users"], nick="ann").returncode == 0
    (key,) = (tmp_path / "users/ann/config").rglob("ann.key")
    done = run(["send", "--nick", "bob", "general", "hi"], ZCHAT_KEY=key.read_text())
    check(done, 4, "this key belongs to the nick ann, not to bob. Use that nick, or another key")


def test_a_nick_that_the_broker_has_lost(run: Zchat, broker: Broker) -> None:
    assert run(["users", "--nick", "ann"], nick=None).returncode == 0
    broker.stop()
    (broker.data_dir / "zchat.db").unlink()
    broker.start()
    done = run(["send", "general", "hi"], nick=None)
    check(done, 4, "nobody is registered as ann at this broker. zchat connect --nick ann registers it")


def test_an_address_without_a_key(lasting: Zchat) -> None:
    done = lasting(["send", "-i", "chat.example.org", "general", "hi"], ZCHAT_LINK="")
    check(done, 4, "no key known for chat.example.org:9242; ask for `zchat link` there, and give that link")


# ---- 2: settings and files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nick", "said"),
    [
        ("a b", r"the nick 'a b' has the character ' '; no space, comma, colon, slash or quote"),
        ("@ann", r"the nick '@ann' begins with '@'; not with # @ / - \+ \$"),
        ("123", r"the nick '123' is digits only"),
        ("help", r"the nick 'help' is a reserved word"),
        ("x" * 33, r"the nick has more than 32 characters"),
        ("a\u202eb", r"the nick 'a\\u202eb' has a character that no name may have .*"),
        (None, r"which nick\? No nick was used with this broker yet: --nick NAME or ZCHAT_NICK"),
    ],
)
def test_nicks(lasting: Zchat, nick: str | None, said: str) -> None:
    named = [] if nick is None else ["--nick", nick]
    check(lasting.quick(["send", *named, "general", "hi"], nick=None), 2, rf"(--nick: )?{said}")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("zchat://here", r"not a zchat link: 'zchat://here'\. It looks like zchat://HOST:PORT/KEY, as .*"),
        (f"http://here/{NO_KEY}", "not a zchat link: 'http.*"),
        (f"zchat://here:70000/{NO_KEY}", "not a port: 70000"),
        (f"zchat://here/{NO_KEY[:-1]}b", "the key in the link is damaged: its last character does not fit"),
        (
            "",
            "which broker\\? zchat connect LINK, --link LINK or ZCHAT_LINK; or start one here: zchat broker",
        ),
    ],
)
def test_links(lasting: Zchat, link: str, said: str) -> None:
    check(lasting.quick(["send", "general", "hi"], ZCHAT_LINK=link), 2, rf"(ZCHAT_LINK: )?{said}")


def holding(content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def readable_by_others(path: Path) -> None:
    path.chmod(0o644)


NO_SECRET = "{path}: not a secret key: 40 characters of Z85 or 52 of base32 are wanted"
NO_NICK = "the default nick in {path} is damaged: the nick "
FILES = [
    ("ann.key", readable_by_others, "others can read the key {path}. Mend it: chmod 600 {path}"),
    ("ann.key", holding(b"key"), NO_SECRET),
    ("ann.key", holding(b""), NO_SECRET),
    ("ann.key", holding(b"\xff\0"), "cannot read the key {path}: it is not text"),
    ("ann.key", a_directory, "cannot read the key {path}: it is no regular file"),
    ("nick", holding(b"help"), NO_NICK + "'help' is a reserved word. Remove it"),
    ("nick", holding(b""), NO_NICK + "'' is empty. Remove it"),
    ("nick", holding(b"\xff"), "cannot read the default nick {path}: it is not text. Remove it"),
    ("nick", a_directory, "cannot read the default nick {path}: Is a directory. Remove it"),
]


@pytest.mark.parametrize(("name", "damage", "said"), FILES)
def test_damaged_files(
    run: Zchat, tmp_path: Path, name: str, damage: Callable[[Path], None], said: str
) -> None:
    assert run(["users", "--nick", "ann"], nick=None).returncode == 0
    (path,) = (tmp_path / "users/nobody/config").rglob(name)
    damage(path)
    check(run(["send", "general", "hi"], nick=None), 2, re.escape(said.format(path=path)))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("config", "cannot read the settings {path}/config.toml: Not a directory"),
        ("config/client", "cannot (read|write) the key {path}/.*/ann.key: Not a directory"),
        ("state", "cannot use the cursor c: Not a directory"),
    ],
)
def test_a_file_where_a_directory_should_be(run: Zchat, tmp_path: Path, place: str, said: str) -> None:
    path = tmp_path / "users/ann" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    check(run(["tail", "--cursor", "c", "--no-follow", "general"]), 2, said.format(path=path))


def in_shell(run: Zchat, line: str) -> "subprocess.CompletedProcess[str]":
    zchat = f'zchat() {{ {shlex.quote(sys.executable)} -m zchat "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", zchat + line],
        env=run.environment("ann"),
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )


def test_no_room_for_a_key(run: Zchat, tmp_path: Path) -> None:
    done = in_shell(run, "ulimit -f 0; zchat send general hi")  # as on a full disk, every write fails
    check(done, 2, rf"cannot write the key {tmp_path}/.*/ann.key: File too large")
    assert not [path for path in (tmp_path / "users").rglob("*") if path.is_file()]
    assert run(["send", "general", "hi"]).returncode == 0


def test_no_room_for_a_cursor(run: Zchat, tmp_path: Path) -> None:
    assert run(["send", "general", "hi"]).returncode == 0
    done = in_shell(run, "ulimit -f 0; zchat tail --cursor c --no-follow general")
    check(done, 2, "cannot use the cursor c: File too large")


def test_a_damaged_cursor(run: Zchat, tmp_path: Path) -> None:
    assert run(["tail", "--cursor", "c", "--no-follow", "general"]).returncode == 0
    (path,) = (tmp_path / "users/ann/state").rglob("c.cursor")
    path.write_text("{")
    done = run(["tail", "--cursor", "c", "--no-follow", "general"])
    check(done, 2, re.escape(f"{path} is damaged. Without it, reading starts anew: remove it"))


def test_keys_that_are_given(lasting: Zchat, tmp_path: Path) -> None:
    done = lasting(["send", "general", "hi"], ZCHAT_KEY="key")
    check(done, 2, "ZCHAT_KEY: not a secret key: 40 characters of Z85 or 52 of base32 are wanted")
    done = lasting(["send", "--key-file", str(tmp_path / "none"), "general", "hi"])
    check(done, 2, re.escape(f"cannot read the key {tmp_path}/none: No such file or directory"))


def test_a_setting_that_is_none(run: Zchat, tmp_path: Path) -> None:
    path = tmp_path / "users/ann/config/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[client]\nnik = 'ann'\n")
    check(run(["send", "general", "hi"]), 2, f"{re.escape(str(path))}: .*nik.*")
    path.write_text("[client\n")
    check(run(["send", "general", "hi"]), 2, f"{re.escape(str(path))} is not TOML: .*")


def test_a_command_that_is_none(lasting: Zchat) -> None:
    done = lasting(["sned", "general", "hi"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: No such command 'sned'. Did you mean 'send'?\n")


# ---- 5: the broker says no --------------------------------------------------------------------------------


NO_ROOM = "there is no room #nowhere; zchat join nowhere creates it"
NO_NAME = "no room can be called that: the name has the character "


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["send", "nowhere", "hi"], NO_ROOM),
        (["send", "--lines", "nowhere"], f"line 1: {NO_ROOM}. Lines stored: 0"),
        (["send", "it's", "hi"], NO_NAME + "\"'\"; no space, comma, colon, slash or quote"),
        (["send", "a;b", "hi"], "there is no room #a;b; zchat join 'a;b' creates it"),
        (["tail", "--no-follow", "nowhere"], NO_ROOM),
        (["history", "nowhere"], NO_ROOM),
        (["topic", "nowhere", "t"], NO_ROOM),
        (["send", "bob", "hi"], "there is no room #bob; did you mean @bob?"),
        (["send", "@general", "hi"], "nobody is registered as @general; did you mean #general?"),
        (["send", "@cat", "hi"], "nobody is registered as @cat"),
        (["send", "", "hi"], "nobody and no room can be called ''"),
    ],
)  # fmt: skip
def test_nobody_and_nothing_of_that_name(lasting: Zchat, arguments: list[str], said: str) -> None:
    done = lasting(arguments, input="hi\n") if "--lines" in arguments else lasting.quick(arguments)
    check(done, 5, re.escape(said))


def test_two_tails_on_one_cursor(run: Zchat) -> None:
    assert run(["tail", "--cursor", "c", "--no-follow", "general"]).returncode == 0
    first = run.start(["tail", "--cursor", "c", "general"])
    assert run(["send", "general", "hi"]).returncode == 0
    first.out.until("hi")
    check(run(["tail", "--cursor", "c", "general"]), 5, "another zchat tail is using the cursor c")


# ---- 9: the broker cannot start ---------------------------------------------------------------------------


@pytest.fixture
def second(lasting: Zchat, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a second broker, with a directory of its own unless it is told otherwise."""
    return lambda *arguments: lasting(["broker", "--data-dir", str(tmp_path / "second"), *arguments])


def test_its_ports_are_taken(
    second: Callable[..., "subprocess.CompletedProcess[str]"], lasting_broker: Broker
) -> None:
    broker = lasting_broker
    for port, taken in ((broker.port, 0), (broker.port + 1, 0), (broker.port - 1, 1)):
        said = f"port {port + taken} on 127.0.0.1 is in use. Choose two other ports, P and P+1: "
        said += "zchat broker -p P"
        check(second("-p", str(port)), 9, re.escape(said))


def test_it_is_running_already(
    second: Callable[..., "subprocess.CompletedProcess[str]"], lasting_broker: Broker
) -> None:
    broker = lasting_broker
    done = second("-p", str(free_port()), "--data-dir", str(broker.data_dir))
    said = f"already running in {broker.data_dir}: pid {broker.process.pid}, {broker.link}"
    check(done, 9, re.escape(said))


def test_an_address_of_another_machine(second: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    port = free_port()
    done = second("-i", "203.0.113.9", "-p", str(port))
    check(done, 9, rf"cannot listen at 203\.0\.113\.9:{port}: Cannot assign requested address")


def test_a_database_that_it_cannot_use(
    second: Callable[..., "subprocess.CompletedProcess[str]"], broker: Broker, tmp_path: Path
) -> None:
    broker.stop()
    copy = tmp_path / "second"
    shutil.copytree(broker.data_dir, copy)
    with closing(sqlite3.connect(copy / "zchat.db")) as database:
        database.execute("PRAGMA user_version = 99")
    done = second("-p", str(free_port()))
    check(done, 9, rf"database {copy}/zchat.db is of version 99, this zchat knows \d+: install a newer zchat")
    (copy / "zchat.db").write_text("no database")
    check(
        second("-p", str(free_port())), 9, f"cannot use the database {copy}/zchat.db: file is not a database"
    )
    (copy / "broker.key").write_text("no key")
    check(second("-p", str(free_port())), 9, f"{copy}/broker.key: not a secret key: .*")


def test_a_directory_that_it_cannot_use(run: Zchat, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(["broker", "-p", str(free_port()), "--data-dir", str(tmp_path / "file" / "below")])
    check(done, 9, f"cannot use the data directory {tmp_path}/file/below: Not a directory")
    done = in_shell(run, f"ulimit -f 0; zchat broker -p {free_port()} --data-dir {tmp_path}/full")
    assert done.returncode == 9
    assert re.fullmatch("(zchat: .*\n)+", done.stderr) and "Traceback" not in done.stderr
