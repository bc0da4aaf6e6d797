"""`zchat completion`: what it offers, that it does nothing else, and how bash, zsh and fish take it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat, free_port

SHELLS = ["bash", "zsh", "fish"]  # the last two are skipped where they are missing; .ci/run installs them


def offers(run: Zchat, line: str, nick: str | None = "ann", **environment: str) -> list[str]:
    """What is offered at the end of a command line. The kind is left away, it is `plain`."""
    done = run(["completion", "bash", "--line", line], nick=nick, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    typed, *rest = [line.split("\t") for line in done.stdout.splitlines()] or [["typed", "", ""]]
    assert typed[0] == "typed"
    assert all(one[0] == "plain" and len(one) == 3 for one in rest)
    return [one[1] for one in rest]


def offered(run: Zchat, line: str, wanted: list[str], **environment: str) -> None:
    """Names are offered when the broker answered in time: on a machine that is busy not always at once."""
    ends_at = time.monotonic() + DEADLINE_S
    while (found := offers(run, line, **environment)) != wanted:
        assert found == [] and time.monotonic() < ends_at, found


def register(run: Zchat, *nicks: str) -> None:
    for nick in nicks:
        assert run(["users"], nick=nick).returncode == 0


@pytest.fixture(scope="module")
def populated(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]
) -> Iterator[tuple[Broker, Zchat]]:
    """A broker with three people and three rooms, for all tests that only look."""
    directory = tmp_path_factory.mktemp("populated")
    broker = Broker(directory / "broker", bare_environment)
    run = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    register(run, "ann", "Bob", "bert")
    for room in ("kitchen", "küche"):
        assert run(["join", room]).returncode == 0
    yield broker, run
    run.close()
    broker.kill()


# ---- what is offered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("zchat join ", ["general", "kitchen", "küche"]),
        ("zchat join K", ["kitchen", "küche"]),
        ("zchat join '#k", ["#kitchen", "#küche"]),
        ("zchat topic gen", ["general"]),
        ("zchat leave --json gen", ["general"]),
        ("zchat history ", ["general", "kitchen", "küche", "@Bob", "@ann", "@bert"]),
        ("zchat history @b", ["@Bob", "@bert"]),
        ("zchat history -n 3 @B", ["@Bob", "@bert"]),
        ("zchat history '@b", ["@Bob", "@bert"]),
        ("zchat history \\#g", ["#general"]),
        ("zchat history --from a", ["ann"]),
        ("zchat history --from=a", ["--from=ann"]),
        ('zchat history --link "$THERE" k', ["kitchen", "küche"]),
        ("zchat history --nick Bob k", []),  # who has no key here
        ("zchat history x", []),
        ("zchat topic general gen", []),
    ],
)
def test_names(populated: tuple[Broker, Zchat], line: str, wanted: list[str]) -> None:
    broker, run = populated
    offered(run, line, wanted, THERE=broker.link)


def test_commands_and_options(lasting: Zchat) -> None:
    run = lasting
    assert offers(run, "zchat jo", None) == ["join"]
    assert {"broker", "send", "completion"} <= set(offers(run, "zchat ", None))
    assert offers(run, "zchat --ver", None) == ["--version"]
    assert offers(run, "zchat history --si", None) == ["--since"]
    assert offers(run, "zchat completion ", None) == SHELLS
    assert offers(run, "zchat completion --", None) == ["--help"]
    assert offers(run, "zchat broker --log-level=w", None) == ["--log-level=warning"]


@pytest.mark.parametrize(
    "line", ["", "zchat", "zchat sned ", "zchat join 'a b", "zchat history -n x ", 'zchat "\\']
)
def test_nothing_is_offered_for_nonsense(lasting: Zchat, line: str) -> None:
    assert [one for one in offers(lasting, line, None) if not one.isalpha()] == []


@pytest.mark.parametrize("arguments", [[], ["ksh"], ["bash", "zsh"]])
def test_usage(lasting: Zchat, arguments: list[str]) -> None:
    done = lasting(["completion", *arguments], nick=None)
    assert (done.returncode, done.stdout) == (2, "")


def test_files_are_for_the_shell_to_know(lasting: Zchat) -> None:
    done = lasting(["completion", "fish", "--line", "zchat broker --log-file /et"], nick=None)
    assert done.stdout == "typed\t/et\t\nfile\t/et\t\n"


# ---- that it does nothing else ----------------------------------------------------------------------------


def files(directory: Path) -> dict[Path, tuple[int, bytes]]:
    """All that is in it, and when it was written."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in directory.rglob("*")
    }


def test_a_stranger_stays_one(run: Zchat, tmp_path: Path) -> None:
    """No key is drawn, and a nick that has one is not registered."""
    register(run, "ann")
    before = files(tmp_path / "users")
    assert offers(run, "zchat history @", "eve") == []
    assert files(tmp_path / "users") == before
    dead = f"zchat://127.0.0.1:{free_port()}/" + run.environment("ann")["ZCHAT_LINK"].rpartition("/")[2]
    assert run(["users", "--link", dead, "--timeout", "0.2"], nick="eve").returncode == 3
    before = files(tmp_path / "users")
    assert (tmp_path / "users" / "eve").exists()
    for _ in range(5):
        assert offers(run, "zchat history @", "eve") == []
    assert files(tmp_path / "users") == before
    assert run(["users"]).stdout == "  ann\n"


def test_nothing_is_written(run: Zchat, tmp_path: Path) -> None:
    register(run, "ann")
    before = files(tmp_path / "users")
    offered(run, "zchat history @", ["@ann"])
    assert files(tmp_path / "users") == before


@pytest.mark.parametrize("state", ["dead", "stopped", "no link", "two links"])
def test_whatever_fails_it_is_silent_and_quick(run: Zchat, broker: Broker, state: str) -> None:
    register(run, "ann")
    environment, line = {}, "zchat history @"
    match state:
        case "dead":
            broker.kill()
        case "stopped":
            broker.process.send_signal(signal.SIGSTOP)
        case "no link":
            environment = {"ZCHAT_LINK": "nonsense"}
        case _:
            line = f"zchat history --link {broker.link} -p 1 @"
    began = time.monotonic()
    assert offers(run, line, **environment) == []
    assert time.monotonic() - began < 3  # much less than the 5 s for which commands wait


def test_it_ends_within_its_time(run: Zchat, broker: Broker) -> None:
    """As the processor counts it: 0.3 s, and a bit for what is done before and behind."""
    register(run, "ann")
    broker.process.send_signal(signal.SIGSTOP)
    program = "import time, sys, os; os._exit = lambda code: print(time.perf_counter() - began)"
    program += "; began = time.perf_counter(); from zchat.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "completion", "bash", "--line", "zchat history @"],
        env=run.environment("ann"),
        capture_output=True,
        text=True,
        check=False,
    )
    took_s = float(done.stdout.split()[-1])
    assert took_s < 1, done.stdout


# ---- the shells -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Zchat]:
    """At a broker where people have odd names, for all tests at a terminal."""
    directory = tmp_path_factory.mktemp("odd")
    broker = Broker(directory / "broker", bare_environment)
    run = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    register(run, "ann", "Bob", "p@q@r", "x$(id);id&id*")
    assert run(["join", "kitchen"]).returncode == 0
    yield run
    run.close()
    broker.kill()


@pytest.fixture(scope="module")
def environment(odd: Zchat, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """ann's, with `zchat` in the path."""
    run, programs = odd, tmp_path_factory.mktemp("bin")
    (programs / "zchat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zchat "$@"\n')
    (programs / "zchat").chmod(0o755)
    return run.environment("ann") | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}


@pytest.mark.shells
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_that_shell(environment: dict[str, str], shell: str) -> None:
    wanted(shell)
    script = subprocess.run(["zchat", "completion", shell], env=environment, capture_output=True, check=True)
    assert script.stderr == b""
    checked = subprocess.run([shell, "-n"], input=script.stdout, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["zchat", "jo"], ["join"]),
        (["zchat", "history", "--si"], ["--since"]),
        (["zchat", "broker", "--log-level", "=", "w"], ["warning"]),
        (["zchat", "completion", ""], SHELLS),
    ],
)
def test_bash_with_the_words_set(environment: dict[str, str], words: list[str], replies: list[str]) -> None:
    line = " ".join(words).replace(" = ", "=")
    script = f"""
        set -eu
        eval "$(zchat completion bash)"
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1} COMP_LINE='{line}' COMP_POINT={len(line)}
        _zchat_completion
        printf '%s\\n' "${{COMPREPLY[@]}}"
        unset COMP_LINE COMP_POINT
        COMP_WORDS=(zchat jo) COMP_CWORD=1
        _zchat_completion
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == ([*replies, "join"], "")


SETUP = {
    "bash": (
        ["--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; eval \"$(zchat completion bash)\"; "
        "complete -o nosort -F _zchat_completion shown; shown() { printf '<%s>' \"$@\"; echo; }",
    ),
    "zsh": (
        ["-f", "-i"],
        "autoload -U compinit; compinit -u -D; eval \"$(zchat completion zsh)\"; "
        "compdef _zchat_completion shown; shown() { printf '<%s>' \"$@\"; echo }",
    ),
    "fish": (
        ["--no-config", "-i"],
        "zchat completion fish | source; "
        "complete --no-files --command shown --arguments '(_zchat_completion)'; "
        "function shown; printf '<%s>' $argv; echo; end",
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=SHELLS)
def typing(
    request: pytest.FixtureRequest, environment: dict[str, str]
) -> Iterator[Callable[[str, str], None]]:
    """A shell at a terminal. `typing(keys, words)`: after the keys and Enter a command has these words."""
    arguments, setup = SETUP[request.param]
    wanted(request.param)
    shell = pexpect.spawn(
        request.param, arguments, env=environment, encoding="utf-8", timeout=DEADLINE_S, dimensions=(24, 200)
    )
    shell.sendline(f"{setup}; echo rea''dy")
    shell.expect("ready")

    def type(keys: str, words: str) -> None:
        ends_at = time.monotonic() + DEADLINE_S
        got = ""
        while got != words:  # the broker may have been too slow for a completion
            assert time.monotonic() < ends_at, got
            shell.send(f"shown {keys}\r")
            if shell.expect([r"\n(<[^\r\n]*>)\r?\n", pexpect.TIMEOUT], timeout=3) == 0:
                got = shell.match[1]
            else:
                shell.sendintr()  # out of a quotation that was not completed

    yield type
    shell.close(force=True)


@pytest.mark.shells
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("his\t -n 1 kit\t", "<history><-n><1><kitchen>"),
        ("history @B\t", "<history><@Bob>"),
        ("history '@B\t", "<history><@Bob>"),
        ("history '#ki\t", "<history><#kitchen>"),
        ("history --from=B\t", "<history><--from=Bob>"),
        ("history --link $ZCHAT_LINK --from B\t", "<history><--link><{link}><--from><Bob>"),
        ("history @x\t", "<history><@x$(id);id&id*>"),
        ("history @p@\t", "<history><@p@q@r>"),
        ("broker --log-file /etc/passw\t", "<broker><--log-file></etc/passwd>"),
    ],
)
def test_at_a_terminal(
    environment: dict[str, str], typing: Callable[[str, str], None], keys: str, words: str
) -> None:
    typing(keys, words.replace("{link}", environment["ZCHAT_LINK"]))


def wanted(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"the shell {shell} is missing")
