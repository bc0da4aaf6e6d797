"""whoami, link, key and context as processes: what they say, and what they leave alone."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pexpect
import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat
from zchat.common import keys, links

COMMANDS = [["whoami"], ["link"], ["context", "list"], ["key", "path"], ["key", "export"]]


def on_a_terminal(arguments: Sequence[str], environment: dict[str, str]) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        sys.executable, ["-m", "zchat", *arguments], env=environment, timeout=DEADLINE_S, encoding="utf-8"
    )


def whole(terminal: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """The exit code, and all that was shown."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert isinstance(terminal.before, str)
    return terminal.exitstatus, terminal.before.replace("\r\n", "\n")


@pytest.fixture
def run(run: Zchat, broker: Broker) -> Zchat:
    """Ann is registered, and the broker is one of her contexts."""
    assert run(["connect", broker.link]).returncode == 0
    return run


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_json_is_an_object_a_line_and_no_broker_is_needed(
    command: list[str], run: Zchat, broker: Broker
) -> None:
    broker.kill()
    done = run([*command, "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert isinstance(json.loads(line), dict)
    assert run(command).returncode == 0


def test_a_link_has_parts(run: Zchat, broker: Broker) -> None:
    found = json.loads(run(["link", "--json"]).stdout)
    key = broker.link.rpartition("/")[2]
    assert found == {"link": broker.link, "host": "127.0.0.1", "port": broker.port, "key": key}


def test_the_fingerprint_is_of_the_public_key(run: Zchat) -> None:
    secret = Path(run(["key", "path"]).stdout.strip()).read_text().strip()
    shown = json.loads(run(["whoami", "--json"]).stdout)
    assert shown["fingerprint"] == keys.fingerprint(keys.from_secret(secret).public)
    elsewhere = json.loads(run(["whoami", "--json"], nick="ann", ZCHAT_KEY=keys.to_base32(secret)).stdout)
    assert elsewhere == shown | {"key": "ZCHAT_KEY"}
    assert run(["key", "path"], ZCHAT_KEY=secret).returncode == 1
    exported = run(["key", "export"], ZCHAT_KEY=secret).stdout
    assert exported == run(["key", "export"]).stdout


def test_nobody_is_asked_who_they_are(run: Zchat) -> None:
    """Not even at a terminal: the question is what is known here."""
    environment = run.environment(None)
    for command in (["whoami"], ["key", "path"], ["key", "export"]):
        code, shown = whole(on_a_terminal(command, environment))
        assert (code, shown.partition("? ")[0]) == (2, "zchat: which nick")


def test_a_key_on_a_terminal_is_said_to_be_secret(run: Zchat) -> None:
    code, shown = whole(on_a_terminal(["key", "export"], run.environment("ann")))
    line, warning = shown.splitlines()
    assert (code, warning) == (0, "zchat: whoever has this line is ann at this broker")
    terminal = on_a_terminal(["key", "import"], run.environment("laptop"))
    terminal.expect_exact("paste the line")
    terminal.sendline(line)
    terminal.sendeof()
    code, shown = whole(terminal)
    assert code == 0
    assert "zchat: you are ann at 127.0.0.1:" in shown


def test_an_import_leaves_nick_and_address_as_they_are(run: Zchat, broker: Broker) -> None:
    exported = run(["key", "export"]).stdout
    name_here = broker.link.replace("127.0.0.1", "localhost")
    assert run(["connect", name_here], nick="bob").returncode == 0
    taken = run(["key", "import"], nick="bob", input=exported, ZCHAT_NICK="")
    assert taken.returncode == 0
    told, kept = taken.stderr.splitlines()
    assert told.startswith(f"zchat: you are ann at 127.0.0.1:{broker.port} (context localhost), key ")
    assert kept == "zchat: with --nick ann, that is; without it you stay bob"
    assert json.loads(run(["context", "list", "--json"], nick="bob").stdout)["link"] == name_here
    for nick in ("bob", "ann"):
        arguments = ["send", "--nick", nick] if nick == "ann" else ["send"]
        assert run([*arguments, "general", "hi"], nick="bob", ZCHAT_NICK="").returncode == 0
    found = run(["history", "--json", "general"]).stdout.splitlines()
    assert [json.loads(line)["from"] for line in found] == ["bob", "ann"]


def test_a_file_with_an_exported_key(run: Zchat, tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(run(["key", "export"]).stdout)
    assert run(["key", "import", str(file)], nick="laptop").returncode == 0
    secret = file.read_text().strip().rpartition("/")[2]
    for damage in (secret[:-1], secret.upper() + "A", "1" * 52):
        file.write_text(file.read_text().strip().rpartition("/")[0] + f"/{damage}\n")
        done = run(["key", "import", str(file)], nick="desktop")
        assert (done.returncode, done.stdout) == (2, "")
        assert "not an exported key" in done.stderr
        assert damage[:20] not in done.stderr
    assert not (tmp_path / "users" / "desktop").exists()


def test_a_key_in_the_wrong_place_is_not_shown(run: Zchat, tmp_path: Path) -> None:
    exported = run(["key", "export"]).stdout.strip()
    secret = exported.rpartition("/")[2]
    plain = Path(run(["key", "path"]).stdout.strip()).read_text().strip()
    places: list[tuple[list[str], dict[str, str], str]] = []
    for key in (exported, secret, plain, f" {exported}", f"'{exported}'", f'"{secret}"'):
        places += [
            (arguments, {}, "")
            for arguments in (
                ["connect", key],
                ["users", "--link", key],
                ["users", "--context", key],
                ["context", "use", key],
                ["context", "remove", key],
                ["users", "--nick", key],
                ["users", "--key-file", key],
                ["key", "import", key],
            )
        ]
        places += [(["users"], {name: key}, "") for name in ("ZCHAT_LINK", "ZCHAT_NICK")]
        places.append((["users"], {"ZCHAT_CONTEXT": key, "ZCHAT_LINK": ""}, ""))
        places += [
            (["users"], {hides: ""}, f"{name} = {json.dumps(key)}")
            for name, hides in (
                *(("link", "ZCHAT_LINK"), ("context", "ZCHAT_LINK")),
                *(("nick", "ZCHAT_NICK"), ("key_file", "ZCHAT_KEY")),
            )
        ]
    for key in (exported, secret):  # what has a slash in front of its secret, or letters and digits only
        places += [
            ([key], {}, ""),
            (["--debug", "users", "--link", key], {}, ""),
            (["users", "-i", key], {}, ""),
            (["users", "-p", key], {}, ""),
            (["users", "--timeout", key], {}, ""),
            (["users"], {}, f"timeout = {json.dumps(key)}"),
        ]
    places.append((["users"], {"ZCHAT_KEY": exported}, ""))
    for number, (arguments, environment, setting) in enumerate(places):
        if setting:
            settings = tmp_path / f"settings{number}" / "config.toml"
            settings.parent.mkdir()
            settings.write_text(f"[client]\n{setting}\n")
            environment["ZCHAT_CONFIG_DIR"] = str(settings.parent)
        done = run.quick(arguments, **environment)
        told = done.stdout + done.stderr
        assert done.returncode in (2, 4), (arguments, told)
        assert secret not in told and plain not in told, (arguments, environment, setting)


def test_a_key_is_imported_from_a_file_or_a_pipe(run: Zchat) -> None:
    exported = run(["key", "export"]).stdout.strip()
    for key in (exported, exported.rpartition("/")[2]):
        done = run(["key", "import", key], nick="laptop")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(": put it into a file, or pipe it in\n")
    done = run(["key", "import"], nick="laptop", input=f"\ufeff{exported}\r\n")  # as an editor wrote it
    assert done.returncode == 0, done.stderr


@pytest.fixture
def heeded() -> Iterator[None]:
    """Where tests run in the background Ctrl-C is ignored, which would be inherited."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize(
    "command", [["users"], ["topic", "general"], ["send", "general", "hi"], ["connect"]], ids=" ".join
)
def test_a_key_file_that_blocks_can_be_interrupted(
    command: list[str], number: signal.Signals, run: Zchat, tmp_path: Path
) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    program = run.start([*command[:1], "--key-file", str(pipe), *command[1:]])
    with pipe.open("w"):  # which waits until it is read
        code = program.signalled(number)
    assert code == (130 if number is signal.SIGINT else -signal.SIGTERM)
    assert program.err.rest() == []


def test_a_key_comes_through_a_pipe_and_is_read_once(run: Zchat, tmp_path: Path) -> None:
    secret = Path(run(["key", "path"]).stdout.strip()).read_text()
    os.mkfifo(pipe := tmp_path / "pipe")
    for command in ("users", "whoami", "ping"):
        program = run.start([command, "--key-file", str(pipe)])
        with pipe.open("w") as file:
            file.write(secret)
        assert program.ended() == 0
        assert program.err.rest() == []


def test_a_kept_key_is_a_file(run: Zchat) -> None:
    path = Path(run(["key", "path"]).stdout.strip())
    secret = path.read_text()
    path.write_text(secret + "\n" * 5000)
    assert run(["users"]).returncode == 0
    path.unlink()
    os.mkfifo(path, 0o600)
    done = run(["users"])
    assert done.returncode == 2
    assert done.stderr == f"zchat: cannot read the key {path}: it is no regular file\n"
    endless = run(["users", "--key-file", "/dev/zero"])
    assert (endless.returncode, endless.stderr.partition(":")[2][:11]) == (2, " /dev/zero:")


def test_a_context_can_be_renamed_by_its_file(run: Zchat, broker: Broker) -> None:
    directory = Path(run.environment("ann")["ZCHAT_CONFIG_DIR"]) / "client" / "contexts"
    (directory / "127.0.0.1").rename(directory / "office")
    gone = run(["users"], ZCHAT_LINK="")
    assert gone.returncode == 2
    assert "the current context: there is no context 127.0.0.1. There are: office" in gone.stderr
    assert run(["context", "use", "office"]).returncode == 0
    assert run(["users"], ZCHAT_LINK="").returncode == 0
    assert run(["connect", broker.link]).returncode == 0
    assert json.loads(run(["context", "list", "--json"]).stdout)["name"] == "office"
    assert run(["context", "remove", "office"]).returncode == 0
    assert os.listdir(directory) == []
    assert run(["context", "list"]).stdout == ""


def test_the_same_broker_is_no_contradiction(run: Zchat, broker: Broker) -> None:
    port = str(broker.port)
    same = ["--link", broker.link, "--context", "127.0.0.1", "-i", "127.0.0.1", "-p", port]
    assert run(["users", *same]).returncode == 0
    assert run(["connect", *same, broker.link]).returncode == 0
    other = str(links.parse(broker.link)._replace(port=1))
    for arguments in (["--link", other], ["-p", "1"], ["-i", "::1"]):
        done = run(["connect", *arguments, broker.link])
        assert (done.returncode, done.stdout) == (2, "")
        assert "two" in done.stderr


@pytest.mark.parametrize("option", ["--nick", "--token", "--key-file", "--link", "--context", "-i"])
def test_an_option_that_is_empty_is_not_one_left_out(lasting: Zchat, option: str) -> None:
    """A script whose variable is not set must not go on as somebody else."""
    for before, after in ((["send"], ["general", "hi"]), (["whoami"], []), (["admin", "audit"], [])):
        done = lasting.quick([*before, option, "", *after])
        assert (done.returncode, done.stdout) == (2, "")
        assert "empty" in done.stderr or "not a zchat link" in done.stderr


def test_a_variable_that_is_empty_is_not_set(lasting: Zchat) -> None:
    empty = dict.fromkeys(("ZCHAT_TOKEN", "ZCHAT_KEY", "ZCHAT_CONTEXT"), "")
    assert lasting.quick(["users"], nick="ann", **empty).returncode == 0
