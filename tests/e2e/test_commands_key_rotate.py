"""`zchat key rotate` with real processes: wherever it breaks off, no key is lost, and it can be finished."""

import asyncio
import fcntl
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat
from tests.e2e.test_trust import AnswerHeld
from zchat.client.aio import AsyncClient
from zchat.common import keys, links


@pytest.fixture
def run(run: Zchat) -> Zchat:
    """Ann is registered."""
    assert run(["send", "general", "hello"]).returncode == 0
    return run


def kept(run: Zchat, nick: str = "ann") -> Path:
    """The file of a key."""
    return Path(run(["key", "path"], nick=nick).stdout.strip())


def following(run: Zchat) -> Path:
    """The file of the key that is to take its place."""
    path = kept(run)
    return path.with_name(f"{path.name}.next")


def registered_key(run: Zchat, broker: Broker, secret: str) -> bool:
    """Whether the broker takes that key for ann's."""
    done = run(["users"], ZCHAT_KEY=secret)
    assert done.returncode in (0, 4), done.stderr
    return done.returncode == 0


def is_as_always(run: Zchat) -> bool:
    """Ann sends with the one key that is kept."""
    path = kept(run)
    return run(["send", "general", "again"]).returncode == 0 and [
        one.name for one in path.parent.iterdir() if one.name.startswith("ann")
    ] == ["ann.key"]


# ---- how it should be -------------------------------------------------------------------------------------


def test_another_key(run: Zchat, broker: Broker) -> None:
    old = kept(run).read_text()
    done = run(["key", "rotate"])
    new = kept(run).read_text()
    assert (done.returncode, done.stdout) == (0, "")
    fingerprint = keys.fingerprint(keys.from_secret(new.strip()).public)
    assert done.stderr == f"zchat: the key of ann is a new one, {fingerprint}; the one before is worthless\n"
    assert new != old and kept(run).stat().st_mode & 0o777 == 0o600
    assert is_as_always(run)
    assert not registered_key(run, broker, old.strip())


def test_json(run: Zchat) -> None:
    done = run(["key", "rotate", "--json"])
    shown = json.loads(run(["whoami", "--json"]).stdout)
    assert json.loads(done.stdout) == {"nick": "ann", "fingerprint": shown["fingerprint"]}


def test_the_thief_is_out_at_once(run: Zchat, tmp_path: Path) -> None:
    shutil.copytree(run.environment("ann")["ZCHAT_CONFIG_DIR"], tmp_path / "stolen")
    stolen = {"ZCHAT_CONFIG_DIR": str(tmp_path / "stolen"), "ZCHAT_STATE_DIR": str(tmp_path / "state")}
    thief = run.start(["tail", "general"], **stolen)
    thief.out.until("hello")
    assert run(["key", "rotate"]).returncode == 0
    assert thief.process.wait(DEADLINE_S) == 4
    assert any("belongs to another key" in line for line in thief.err.rest())
    assert run(["send", "general", "as ann"], **stolen).returncode == 4
    exported = run(["key", "export"]).stdout
    assert run(["key", "import"], nick="laptop", input=exported, ZCHAT_NICK="").returncode == 0
    assert run(["send", "general", "from the laptop"], nick="laptop", ZCHAT_NICK="ann").returncode == 0


# ---- where it breaks off ----------------------------------------------------------------------------------


def test_it_ended_before_the_broker_was_asked(run: Zchat) -> None:
    drawn = keys.load_or_draw(following(run))
    assert run(["key", "rotate"]).returncode == 0
    assert kept(run).read_text().strip() == drawn.secret
    assert is_as_always(run)


def test_it_ended_before_the_new_key_was_in_its_place(run: Zchat, broker: Broker) -> None:
    drawn = keys.load_or_draw(following(run))
    asyncio.run(change(broker, keys.load(kept(run)), drawn.public))
    done = run(["send", "general", "who am I?"])
    assert done.returncode == 4
    assert "A change of its key was interrupted: zchat key rotate finds out, and finishes it" in done.stderr
    assert run(["key", "rotate"]).returncode == 0
    assert kept(run).read_text().strip() == drawn.secret
    assert is_as_always(run)


async def change(broker: Broker, old: keys.KeyPair, public: str, nick: str = "ann") -> None:
    async with AsyncClient(broker.link, nick, key=old, quiet=True) as client:
        await client.change_key(public)


def test_the_answer_is_lost(run: Zchat, broker: Broker) -> None:
    """The new key opens a session, which is as good as an answer."""

    async def play() -> int:
        async with AnswerHeld(broker.link) as proxy:
            program = run.start(["key", "rotate", "--timeout", "2"], ZCHAT_LINK=str(proxy.link))
            return await asyncio.to_thread(program.ended)

    assert asyncio.run(play()) == 0
    assert is_as_always(run)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, None], ids=["SIGINT", "SIGTERM", "timeout"])
def test_nobody_knows_how_it_ended(run: Zchat, broker: Broker, kind: signal.Signals | None) -> None:
    async def play() -> tuple[int, list[str]]:
        async with AnswerHeld(broker.link) as proxy:
            timeout = "1" if kind is None else "0"
            program = run.start(["key", "rotate", "--timeout", timeout], ZCHAT_LINK=str(proxy.link))
            async with asyncio.timeout(DEADLINE_S):
                await proxy.stored.wait()
        # Nobody gets through to the broker any more, who could have found out.
        end = program.ended if kind is None else functools.partial(program.signalled, kind)
        return await asyncio.to_thread(end), program.err.rest()

    code, said = asyncio.run(play())
    assert code == 8
    assert "nobody knows yet which of both keys the broker has. Both are kept: zchat key rotate" in said[-1]
    assert kept(run).exists() and following(run).exists()
    assert run(["key", "rotate"]).returncode == 0
    assert is_as_always(run)


def test_no_broker(run: Zchat, broker: Broker) -> None:
    secret = kept(run).read_text()
    broker.stop()
    assert run(["key", "rotate", "--timeout", "0.5"]).returncode == 3
    assert kept(run).read_text() == secret and not following(run).exists()
    broker.start()
    assert is_as_always(run)


def test_killed_at_any_moment(run: Zchat, broker: Broker) -> None:
    """The moments lie within the time that a whole run takes, on this machine and now."""
    chance = random.Random(4)
    path = kept(run)
    seen = {path.read_text()}
    began = time.monotonic()
    assert run(["key", "rotate"]).returncode == 0
    took_s = time.monotonic() - began
    killed = 0
    for _ in range(10):
        program = run.start(["key", "rotate"])
        try:
            program.process.wait(took_s * chance.uniform(0.2, 1.1))
        except subprocess.TimeoutExpired:
            killed += 1
        program.clean()
        seen.add(path.read_text())
    assert killed
    assert run(["key", "rotate"]).returncode == 0
    assert is_as_always(run)
    assert len(seen) > 1


def test_one_after_the_other(run: Zchat) -> None:
    directory = os.open(kept(run).parent, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    done = run(["key", "rotate"])
    assert (done.returncode, done.stderr) == (5, "zchat: another zchat key rotate is under way\n")
    os.close(directory)
    assert run(["key", "rotate"]).returncode == 0


def test_somebody_took_the_old_key_for_theirs(run: Zchat, broker: Broker) -> None:
    """The command was killed after the broker had the new key; its public half was no secret."""
    old = keys.load(kept(run))
    new = keys.load_or_draw(following(run))
    asyncio.run(change(broker, old, new.public))
    assert run(["users"], nick="mallory").returncode == 0
    asyncio.run(change(broker, keys.load(kept(run, "mallory")), old.public, "mallory"))
    assert "zchat key rotate finds out" in run(["users"]).stderr
    done = run(["key", "rotate"])
    assert done.returncode == 0, done.stderr
    assert keys.load(kept(run)) == new
    assert is_as_always(run)


def test_what_killed_runs_left_is_removed(run: Zchat) -> None:
    path = following(run)
    left = path.with_name(f".{path.name}-abcd1234")
    others = path.with_name(".bob.key.next-abcd1234")
    for one in (left, others):
        one.write_text("half a key")
    assert run(["key", "rotate"]).returncode == 0
    assert not left.exists() and others.exists()


def test_neither_key_is_anns(run: Zchat, broker: Broker) -> None:
    """Somebody else was faster with the stolen key. Nothing of it is thrown away."""
    asyncio.run(change(broker, keys.load(kept(run)), keys.draw().public))
    drawn = keys.load_or_draw(following(run))
    old = kept(run).read_text()
    done = run(["key", "rotate"])
    assert done.returncode == 4
    assert "the nick ann belongs to another key" in done.stderr
    assert "zchat invite --nick ann" in done.stderr
    assert kept(run).read_text() == old and keys.load(following(run)) == drawn


# ---- keys that are not kept here --------------------------------------------------------------------------


def test_a_key_from_elsewhere_goes_elsewhere(run: Zchat, tmp_path: Path) -> None:
    present = tmp_path / "present"
    shutil.copy(kept(run), present)
    secret = present.read_text().strip()
    for where in ({"ZCHAT_KEY": secret}, {}):
        options = [] if where else ["--key-file", str(present)]
        done = run(["key", "rotate", *options], **where)
        assert done.returncode == 2
        assert "--out FILE says where the new one goes" in done.stderr
    new = tmp_path / "new"
    done = run(["key", "rotate", "--key-file", str(present), "--out", str(new)])
    assert done.returncode == 0, done.stderr
    assert f"a new one in {new}, " in done.stderr
    assert present.read_text().strip() == secret and new.stat().st_mode & 0o777 == 0o600
    again = run(["key", "rotate", "--key-file", str(present), "--out", str(new)])
    assert again.returncode == 0  # it is done already
    assert run(["users", "--key-file", str(new)]).returncode == 0
    assert run(["users", "--key-file", str(present)]).returncode == 4
    same = run(["key", "rotate", "--key-file", str(new), "--out", str(new)])
    assert same.returncode == 2
    assert "has the present key" in same.stderr


def test_what_has_no_key_to_change(run: Zchat) -> None:
    done = run(["key", "rotate", "--out", "x"])
    assert done.returncode == 2
    assert "this one is kept here" in done.stderr
    done = run(["key", "rotate"], nick="eve")
    assert done.returncode == 1
    token = run(["token", "create", "bot"]).stdout.strip()
    done = run(["key", "rotate"], nick=None, ZCHAT_TOKEN=token)
    assert done.returncode == 2
    assert "the key of a token is not changed: zchat token revoke bot" in done.stderr
    assert links.parse(run(["link"]).stdout).key  # and nothing else was done
