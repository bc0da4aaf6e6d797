"""Where things are, with real processes: settings, contexts, keys on a second machine, brokers that move."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.forked import ended
from tests.e2e.programs import DEADLINE_S, Broker, Program, Zchat, free_port

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


class Machine:
    """An account of its own, on which nothing is set but its home."""

    def __init__(self, home: Path | None) -> None:
        self.home = home
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": os.getcwd()}
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
            self.environment["HOME"] = str(home)

    def __call__(
        self,
        *arguments: str,
        input: str = "",
        before: Callable[[], None] | None = None,
        **environment: str,
    ) -> "subprocess.CompletedProcess[str]":
        if before is None:
            return ended(arguments, self.environment | environment, input.encode(), 2 * DEADLINE_S)
        return subprocess.run(
            [sys.executable, "-m", "zchat", *arguments],
            env=self.environment | environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE_S,
            check=False,
            preexec_fn=before,
        )

    def good(self, *arguments: str, **more: str) -> str:
        """What a command prints that has to succeed."""
        done = self(*arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def settings(self, text: str) -> None:
        assert self.home is not None
        path = self.home / ".config/zchat/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "one")


@pytest.fixture
def other(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "two")


def texts(machine: Machine, *arguments: str) -> list[str]:
    lines = machine.good("tail", "--json", "--no-follow", *arguments).splitlines()
    return [json.loads(line)["text"] for line in lines]


def who(machine: Machine, *arguments: str, **environment: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(machine.good("whoami", "--json", *arguments, **environment))
    return found


def test_a_directory_for_sockets_that_was_not_there(machine: Machine, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="z") as directory:  # short: a path of a socket is
        environment = {"XDG_RUNTIME_DIR": f"{directory}/run"}
        broker = Broker(tmp_path / "broker", machine.environment | environment)
        try:
            assert Path(directory, "run").stat().st_mode & 0o777 == 0o700
            assert machine.good("admin", "limits", ZCHAT_LINK=broker.link, **environment)
        finally:
            broker.kill()


# ---- settings ---------------------------------------------------------------------------------------------


def test_flags_before_the_environment_before_the_file(broker: Broker, machine: Machine) -> None:
    link = broker.link
    elsewhere = link.replace("127.0.0.1", "10.9.9.9")
    machine.settings(f'[client]\nlink = "{elsewhere}"\nnick = "file"\ntimeout = 0.1\n')
    assert who(machine)["nick"] == "file"
    assert who(machine)["broker"] == elsewhere
    away = machine("users")
    assert (away.returncode, away.stdout) == (3, "")
    environment = {"ZCHAT_NICK": "env", "ZCHAT_LINK": link, "ZCHAT_TIMEOUT": "20"}
    assert who(machine, **environment)["nick"] == "env"
    assert who(machine, **environment)["broker"] == link
    assert machine.good("users", **environment) == "* env\n" or "env" in machine.good("users", **environment)
    flags = ("--nick", "flag", "--link", link, "--timeout", "20")
    others = {"ZCHAT_NICK": "env", "ZCHAT_LINK": elsewhere, "ZCHAT_TIMEOUT": "0.1"}
    assert who(machine, *flags[:4], **others)["nick"] == "flag"
    assert machine("users", *flags, **others).returncode == 0


@pytest.mark.parametrize("text", ["[client]\nnik = 'ann'\n", "[client]\ntimeout = 'long'\n", "nick\n"])
def test_settings_that_are_none(text: str, machine: Machine) -> None:
    machine.settings(text)
    for command in (["whoami"], ["send", "general", "hi"], ["broker"]):
        done = machine(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert "config.toml" in done.stderr and done.stderr.count("\n") == 1


def test_a_broker_from_the_environment_and_the_file(machine: Machine, tmp_path: Path) -> None:
    first, second, third = free_port(), free_port(), free_port()
    machine.settings(f'[broker]\nlisten = "127.0.0.1:{first}"\ndata_dir = "{tmp_path}/data"\n')
    cases: list[tuple[list[str], dict[str, str], int]] = [
        ([], {}, first),
        ([], {"ZCHAT_LISTEN": f"127.0.0.1:{second}"}, second),
        (["-p", str(third)], {"ZCHAT_LISTEN": f"127.0.0.1:{second}"}, third),
    ]
    for arguments, environment, port in cases:
        program = Program(["broker", *arguments], machine.environment | environment)
        try:
            link = program.out.until("zchat://")
            assert f"//127.0.0.1:{port}/" in link
            assert machine.good("link").strip() == link  # clients find it where the settings say
            machine.good("send", "--nick", "ann", "general", "hi")
        finally:
            program.signalled()
            program.clean()
    assert (tmp_path / "data/zchat.db").exists()
    for wrong in ("127.0.0.1", "x:y", "127.0.0.1:70000", "127.0.0.1:65535", ":9242"):
        if wrong != "127.0.0.1":
            done = machine("broker", ZCHAT_LISTEN=wrong)
            assert (done.returncode, done.stdout) == (2, ""), wrong
            assert "ZCHAT_LISTEN" in done.stderr


# ---- contexts, and which broker is meant -------------------------------------------------------------------


def test_connecting_with_a_link_makes_a_context(broker: Broker, machine: Machine) -> None:
    assert machine("send", "--nick", "ann", "general", "hi").returncode == 2  # which broker?
    machine.good("connect", "--nick", "ann", broker.link, input="hello\n")
    shown = json.loads(machine.good("context", "list", "--json"))
    assert shown == {"name": "127.0.0.1", "link": broker.link, "current": True}
    machine.good("send", "general", "from a script")
    assert texts(machine, "general") == ["hello", "from a script"]
    assert machine.good("link").strip() == broker.link


def test_two_brokers_that_are_named(broker: Broker, machine: Machine) -> None:
    machine.good("connect", "--nick", "ann", broker.link)
    for arguments in (["--link", broker.link, "-p", "1"], ["--context", "127.0.0.1", "-i", "10.0.0.1"]):
        done = machine("send", *arguments, "general", "hi")
        assert done.returncode == 2
        assert "two brokers are named" in done.stderr
    machine.good(
        "send", "--link", broker.link, "--context", "127.0.0.1", "-p", str(broker.port), "general", "hi"
    )
    machine.good("send", "-p", str(broker.port), "general", "the key is the context's")
    done = machine("send", "-p", str(broker.port + 1), "general", "hi")
    assert done.returncode == 4
    assert f"no key known for 127.0.0.1:{broker.port + 1}; ask for `zchat link` there" in done.stderr


@pytest.fixture
def second(tmp_path: Path, bare_environment: dict[str, str]) -> Iterator[Broker]:
    """Another broker."""
    running = Broker(tmp_path / "second", bare_environment)
    yield running
    running.kill()


def test_several_brokers(broker: Broker, machine: Machine, second: Broker) -> None:
    machine.good("connect", "--nick", "ann", broker.link, input="at the first\n")
    machine.good("connect", "--nick", "sue", second.link, input="at the second\n")
    first_name, second_name = "127.0.0.1", f"127.0.0.1-{second.port}"
    assert machine.good("context", "list").splitlines() == [
        f"* {first_name:<24} 127.0.0.1:{broker.port}",
        f"  {second_name:<24} 127.0.0.1:{second.port}",
    ]
    assert texts(machine, "general") == ["at the first"]
    assert who(machine)["nick"] == "ann"
    assert who(machine, "--context", second_name)["nick"] == "sue"
    assert who(machine, ZCHAT_CONTEXT=second_name)["nick"] == "sue"
    machine.good("context", "use", second_name)
    assert texts(machine, "general") == ["at the second"]
    machine.good("context", "remove", second_name)
    assert machine("context", "use", second_name).returncode == 2
    assert machine("context", "remove", second_name).returncode == 2
    machine.good("context", "use", first_name)
    assert who(machine)["nick"] == "ann"


def test_a_broker_that_moved(broker: Broker, machine: Machine) -> None:
    machine.good("connect", "--nick", "ann", broker.link, input="before\n")
    machine.good("tail", "--cursor", "c", "--no-follow", "general")
    fingerprint = who(machine)["fingerprint"]
    broker.stop()
    broker.port = free_port()
    broker.start()
    assert machine("send", "--timeout", "0.5", "general", "where is it?").returncode == 3
    machine.good("connect", broker.link, input="after\n")
    assert json.loads(machine.good("context", "list", "--json"))["link"] == broker.link
    assert (who(machine)["nick"], who(machine)["fingerprint"]) == ("ann", fingerprint)
    assert texts(machine, "--cursor", "c", "general") == ["after"]
    assert texts(machine, "general") == ["before", "after"]


# ---- keys -------------------------------------------------------------------------------------------------


def test_one_nick_on_two_machines(broker: Broker, machine: Machine, other: Machine) -> None:
    machine.good("connect", "--nick", "Ann", broker.link, input="from the first\n")
    exported = machine.good("key", "export")
    assert exported.startswith("zchat-key://Ann@127.0.0.1:")
    taken = other("key", "import", input=exported)
    assert (taken.returncode, taken.stdout) == (0, "")
    assert taken.stderr.startswith(f"zchat: you are Ann at 127.0.0.1:{broker.port} (context 127.0.0.1), key ")
    other.good("send", "general", "from the second")
    assert who(other)["fingerprint"] == who(machine)["fingerprint"]
    assert who(other)["key"] != who(machine)["key"]
    found = [json.loads(line) for line in machine.good("history", "--json", "general").splitlines()]
    assert [(one["from"], one["text"]) for one in found] == [
        ("Ann", "from the first"),
        ("Ann", "from the second"),
    ]
    assert other("key", "import", input=exported).returncode == 0  # once more changes nothing
    file = Path(other.good("key", "path").strip())
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_was_missed_comes_once_to_each_machine(broker: Broker, machine: Machine, other: Machine) -> None:
    machine.good("connect", "--nick", "ann", broker.link)
    other.good("key", "import", input=machine.good("key", "export"))
    other.good("connect")
    Machine(other.home.parent / "bob" if other.home else None).good(
        "connect", "--nick", "bob", broker.link, input="/msg ann while you were away\n"
    )
    for one in (machine, other):
        assert "while you were away" in one.good("connect")
        assert "while you were away" not in one.good("connect")


def test_another_key_is_never_overwritten(broker: Broker, machine: Machine, other: Machine) -> None:
    machine.good("connect", "--nick", "ann", broker.link)
    exported = machine.good("key", "export")
    refused = other("connect", "--nick", "ann", broker.link)
    assert refused.returncode == 4
    assert "if it is yours, bring its key: zchat key import" in refused.stderr
    other.good("connect", "--nick", "sue", broker.link)
    path = next((other.home or Path()).glob(".config/zchat/client/*/sue.key"))
    path = path.rename(path.with_name("ann.key"))
    before = path.read_text()
    done = other("key", "import", input=exported)
    assert (done.returncode, path.read_text()) == (2, before)
    assert f"there is another key of ann for this broker: {path}. Move it away first" in done.stderr
    path.unlink()
    assert other("key", "import", input=exported).returncode == 0


def test_what_is_no_exported_key(machine: Machine, tmp_path: Path) -> None:
    for arguments, input in (([], ""), ([], "zchat://x"), ([str(tmp_path / "none")], "")):
        done = machine("key", "import", *arguments, input=input)
        assert (done.returncode, done.stdout) == (2, "")
    assert not list((machine.home or Path()).rglob("*.key"))


def test_a_key_that_is_not_there_yet(broker: Broker, machine: Machine) -> None:
    for command in ("path", "export"):
        done = machine("key", command, "--nick", "ann", "--link", broker.link)
        assert (done.returncode, done.stdout) == (1, "")
        assert "no key of ann for this broker yet" in done.stderr
    assert not list((machine.home or Path()).rglob("*.key"))
    assert who(machine, "--nick", "ann", "--link", broker.link)["fingerprint"] is None


def obey_modes() -> None:
    """For a process that is about to begin: root is to be stopped by the modes of files like anybody."""
    if os.getuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


def test_a_home_that_cannot_be_written(broker: Broker, machine: Machine, tmp_path: Path) -> None:
    """Settings and key were put there by somebody else, as in a container."""
    machine.good("connect", "--nick", "ann", broker.link)
    key = Path(machine.good("key", "path").strip())
    subprocess.run(["chmod", "-R", "a-w", str(machine.home)], check=True)
    done = machine("send", "general", "kept key", before=obey_modes)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    secret = key.read_text()
    empty = Machine(tmp_path / "empty")
    (tmp_path / "empty").chmod(0o555)
    arguments = ("send", "--nick", "ann", "--link", broker.link)
    from_environment = empty(*arguments, "general", "key in ZCHAT_KEY", before=obey_modes, ZCHAT_KEY=secret)
    assert (from_environment.returncode, from_environment.stderr) == (0, "")
    readable = tmp_path / "readable.key"
    readable.write_text(secret)
    readable.chmod(0o644)
    from_file = empty(*arguments, "--key-file", str(readable), "general", "key file", before=obey_modes)
    assert (from_file.returncode, from_file.stderr) == (0, "")
    entered = empty(
        *("connect", "--nick", "ann", broker.link), input="hi\n", before=obey_modes,
        ZCHAT_KEY=secret, ZCHAT_STATE_DIR=str(tmp_path / "state"),
    )  # fmt: skip
    assert entered.returncode == 0
    assert "The link is not remembered" in entered.stderr
    drawn = empty(*arguments, "general", "hi", before=obey_modes)
    assert drawn.returncode == 2
    assert "cannot write the key" in drawn.stderr


def test_no_home_at_all(broker: Broker, machine: Machine) -> None:
    machine.good("connect", "--nick", "ann", broker.link)
    secret = Path(machine.good("key", "path").strip()).read_text().strip()
    homeless = Machine(None)
    everything = {"ZCHAT_KEY": secret, "ZCHAT_NICK": "ann", "ZCHAT_LINK": broker.link}
    done = homeless("send", "general", "from nowhere", **everything)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shown = homeless("tail", "--no-follow", "general", **everything)
    assert shown.stdout.endswith("from nowhere\n")
    for missing, variable in (("ZCHAT_KEY", "ZCHAT_CONFIG_DIR"), ("ZCHAT_NICK", "ZCHAT_NICK")):
        left = {name: value for name, value in everything.items() if name != missing}
        done = homeless("send", "general", "hi", **left)
        assert (done.returncode, done.stdout) == (2, "")
        assert variable in done.stderr
    with_cursor = homeless("tail", "--cursor", "c", "--no-follow", **everything)
    assert with_cursor.returncode == 2
    assert "ZCHAT_STATE_DIR" in with_cursor.stderr


def test_the_default_nick_registers_nobody(broker: Broker, machine: Machine) -> None:
    """A broker that has lost its data does not get every script registered anew without a word."""
    machine.good("connect", "--nick", "ann", broker.link)
    broker.stop()
    (broker.data_dir / "zchat.db").unlink()
    broker.start()
    done = machine("send", "general", "hi")
    assert done.returncode == 4
    assert "nobody is registered as ann at this broker. zchat connect --nick ann registers it" in done.stderr
    again = machine("connect", input="here again\n")
    assert "registered as ann" in again.stderr
    machine.good("send", "general", "hi")


# ---- accounts ---------------------------------------------------------------------------------------------


def test_two_accounts_on_one_machine(machine: Machine, other: Machine) -> None:
    """The broker's own account needs no link; another one, with another home, gets it from there."""
    program = Program(["broker", "-p", str(free_port())], machine.environment)
    try:
        program.out.until("zchat://")
        machine.good("send", "--nick", "ann", "general", "hi")
        alone = other("send", "--nick", "bob", "general", "hi")
        assert alone.returncode == 2
        assert "which broker?" in alone.stderr
        data = next((machine.home or Path()).rglob("broker.key")).parent
        assert data.stat().st_mode & 0o077 == 0
        link = machine.good("link").strip()
        other.good("connect", "--nick", "bob", link, input="hi ann\n")
        other.good("send", "general", "without a link now")
        assert texts(machine, "general") == ["hi", "hi ann", "without a link now"]
    finally:
        program.signalled()
        program.clean()


def test_ten_first_commands_at_once_have_one_key(broker: Broker, machine: Machine) -> None:
    arguments: Sequence[str] = ["send", "--nick", "ann", "--link", broker.link, "general"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "zchat", *arguments, str(number)],
            env=machine.environment,
            stderr=subprocess.PIPE,
        )
        for number in range(10)
    ]
    for one in started:
        _, error = one.communicate(timeout=2 * DEADLINE_S)
        assert one.returncode == 0, error
    assert sorted(texts(machine, "--link", broker.link, "general"), key=int) == [*map(str, range(10))]
    assert len(list((machine.home or Path()).rglob("*.key"))) == 1


def test_removing_everything(machine: Machine) -> None:
    """What the README says leaves nothing behind."""
    program = Program(["broker", "-p", str(free_port())], machine.environment)
    try:
        link = program.out.until("zchat://")
        machine.good("connect", "--nick", "ann", link, input="hi\n")
        machine.good("tail", "--cursor", "c", "--no-follow", "general")
    finally:
        program.signalled()
        program.clean()
    home = machine.home
    assert home is not None
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (command,) = [line for line in readme.splitlines() if line.startswith("rm -r")]
    subprocess.run(["bash", "-c", command], env=machine.environment, check=True)
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_whoami_names_the_files(run: Zchat, broker: Broker) -> None:
    assert run(["users"], nick="ann").returncode == 0
    shown = json.loads(run(["whoami", "--json"], nick="ann").stdout)
    assert list(shown) == ["nick", "fingerprint", "broker", "key", "settings", "state"]
    assert shown["broker"] == broker.link
    assert Path(shown["key"]).exists()
    assert len(shown["fingerprint"].split()) == 4
    lines = run(["whoami"], nick="ann").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(shown)
    broker.stop()
    assert run(["whoami"], nick="ann").returncode == 0  # without a broker


def test_a_nick_of_somebody_else_leaves_no_key(broker: Broker, machine: Machine, other: Machine) -> None:
    """A key that was drawn for it would be in the way of the right one."""
    machine.good("connect", "--nick", "ann", broker.link)
    for command in (["connect"], ["send", "general", "hi"], ["users"]):
        refused = other(command[0], "--nick", "ann", "--link", broker.link, *command[1:])
        assert refused.returncode == 4
    assert list((other.home or Path()).rglob("*.key")) == []
    other.good("key", "import", input=machine.good("key", "export"))
    other.good("send", "general", "it is me")
    key = Path(other.good("key", "path").strip())
    kept = key.read_text()
    broker.stop()
    for file in broker.data_dir.glob("zchat.db*"):
        file.unlink()
    broker.start()
    third = Machine((other.home or Path()).parent / "three")
    third.good("connect", "--nick", "ann", broker.link)
    assert other("connect", "--nick", "ann", broker.link).returncode == 4
    assert key.read_text() == kept  # one that was here before stays
