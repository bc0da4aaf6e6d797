"""Link, nick and key of the caller (zchat/client/identity.py)."""

import io
import multiprocessing
import stat
import sys
from pathlib import Path

import pytest

from zchat.client import identity
from zchat.client.identity import Asked, Identity
from zchat.common import keys, limits, links
from zchat.common.errors import ConfigurationError, WrongIdentity
from zchat.common.links import Link

KEY = keys.draw().public
OTHER = keys.draw().public
LINK = Link("chat.example.org", 9000, KEY)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZCHAT_LINK", raising=False)
    for kind in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"ZCHAT_{kind}_DIR", str(tmp_path / kind))


def local_broker(tmp_path: Path, link: object) -> None:
    path = tmp_path / "DATA/broker/link"
    path.parent.mkdir(parents=True)
    path.write_text(f"{link}\n")


# ---- which broker -----------------------------------------------------------------------------------------


def test_a_link_is_taken_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHAT_LINK", str(Link("elsewhere", 1, OTHER)))
    assert identity.find_link(Asked(str(LINK))) == LINK


def test_an_address_has_the_key_of_the_local_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_broker(tmp_path, LINK)
    monkeypatch.setenv("ZCHAT_LINK", str(Link("elsewhere", 1, OTHER)))
    assert identity.find_link(Asked(interface="10.0.0.1", port=9300)) == Link("10.0.0.1", 9300, KEY)
    assert identity.find_link(Asked(interface="[::1]")) == Link("::1", limits.PORT, KEY)
    assert identity.find_link(Asked(port=9300)) == Link("127.0.0.1", 9300, KEY)


def test_an_address_without_a_known_key_is_refused() -> None:
    with pytest.raises(WrongIdentity, match=r"no key known for 10\.0\.0\.1:9300; ask there") as raised:
        identity.find_link(Asked(interface="10.0.0.1", port=9300))
    assert raised.value.exit_code == 4


def test_then_the_environment_then_the_local_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_broker(tmp_path, LINK)
    assert identity.find_link(Asked()) == LINK
    monkeypatch.setenv("ZCHAT_LINK", str(Link("elsewhere", 1, OTHER)))
    assert identity.find_link(Asked()) == Link("elsewhere", 1, OTHER)


def test_no_broker_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="zchat broker"):
        identity.find_link(Asked())
    local_broker(tmp_path, "")  # it is just being written
    with pytest.raises(ConfigurationError, match="zchat broker"):
        identity.find_link(Asked())


@pytest.mark.parametrize(
    ("interface", "port"), [("10.0.0.1", None), (None, 9001), ("chat.example.org", 9001), ("10.0.0.1", 9000)]
)
def test_two_brokers_that_differ(interface: str | None, port: int | None) -> None:
    with pytest.raises(ConfigurationError, match="two brokers are named"):
        identity.find_link(Asked(str(LINK), interface, port))


@pytest.mark.parametrize(
    ("interface", "port"), [("chat.example.org", None), (None, 9000), ("chat.example.org", 9000)]
)
def test_the_same_broker_twice(interface: str | None, port: int | None) -> None:
    assert identity.find_link(Asked(str(LINK), interface, port)) == LINK


# ---- the nick ---------------------------------------------------------------------------------------------


def test_the_first_nick_stays_the_default() -> None:
    Identity(LINK, "Ann").remember()
    Identity(LINK, "bob").remember()
    assert identity.find(Asked(str(LINK))) == Identity(LINK, "Ann")
    assert identity.find(Asked(str(LINK), nick="bob")) == Identity(LINK, "bob")


def test_a_default_belongs_to_a_broker_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    Identity(LINK, "ann").remember()
    assert identity.find(Asked(str(Link("moved", 1, KEY)))).nick == "ann"
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigurationError, match="--nick NAME or ZCHAT_NICK"):
        identity.find(Asked(str(Link("moved", 1, OTHER))))


def test_a_nick_against_the_rule() -> None:
    with pytest.raises(ConfigurationError, match="the nick 'a b' has the character ' '"):
        identity.find(Asked(str(LINK), nick="a b"))


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(b"a b\n\xff\nann\n")))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert identity.find(Asked(str(LINK))).nick == "ann"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("Your nick at this broker: ") == 3
    with pytest.raises(ConfigurationError):
        identity.find(Asked(str(LINK)))  # the end of the input


def test_a_directory_that_cannot_be_written_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path / "file"))
    Identity(LINK, "ann").remember()


# ---- keys and files ---------------------------------------------------------------------------------------


def test_a_key_for_each_nick_and_broker(tmp_path: Path) -> None:
    ann = Identity(LINK, "Ann").key()
    assert Identity(Link("moved", 1, KEY), "ann").key() == ann
    assert Identity(LINK, "bob").key() != ann
    assert Identity(LINK._replace(key=OTHER), "ann").key() != ann
    path = tmp_path / "CONFIG/client" / keys.to_base32(KEY) / "ann.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["ann.key", "bob.key"]


def test_the_state_of_a_nick(tmp_path: Path) -> None:
    state = tmp_path / "STATE/client" / keys.to_base32(KEY) / "ann.state"
    assert Identity(LINK, "Ann").state() == state


def test_many_at_once_get_the_same_key_and_default() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(8) as pool:
        pairs = pool.map(first_use, [f"{index}" for index in range(8)])
    assert len({pair for pair, _ in pairs}) == 1
    assert len({default for _, default in pairs}) == 1


def first_use(number: str) -> tuple[keys.KeyPair, str]:
    """In a process of its own."""
    pair = Identity(LINK_FOR_ALL, "ann").key()
    Identity(LINK_FOR_ALL, f"n{number}").remember()
    return pair, identity.find(Asked(str(LINK_FOR_ALL))).nick


LINK_FOR_ALL = links.parse("zchat://localhost/" + "a" * 51 + "q")
