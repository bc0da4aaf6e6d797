"""Link, nick and key of the caller (zchat/client/identity.py)."""

import io
import multiprocessing
import stat
import sys
from pathlib import Path

import pytest

from zchat.client import contexts, identity
from zchat.client.exports import ExportedKey
from zchat.client.identity import Asked, Identity
from zchat.common import keys, limits, links, settings
from zchat.common.errors import ConfigurationError, WrongIdentity
from zchat.common.links import Link

KEY = keys.draw().public
OTHER = keys.draw().public
LINK = Link("chat.example.org", 9000, KEY)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("LINK", "CONTEXT", "NICK", "KEY", "TOKEN"):
        monkeypatch.delenv(f"ZCHAT_{setting}", raising=False)
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


@pytest.mark.parametrize("typed", ["h:1", "a b", "a/b", "a@b", "tcp://h", "[", "h\x1b", "10.0.0.1:9300"])
def test_an_address_that_is_none(typed: str, tmp_path: Path) -> None:
    local_broker(tmp_path, LINK)
    with pytest.raises(ConfigurationError) as raised:
        identity.find_link(Asked(interface=typed))
    assert str(raised.value) == f"-i: neither a name nor an address: {typed!r}"


def test_an_address_without_a_known_key_is_refused() -> None:
    with pytest.raises(
        WrongIdentity, match=r"no key known for 10\.0\.0\.1:9300; ask for `zchat link`"
    ) as raised:
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


def test_each_place_is_asked_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last to the first: each one that is added is the one that counts."""
    brokers = [Link(f"broker{number}", 9000, keys.draw().public) for number in range(7)]
    local_broker(tmp_path, brokers[0])
    found = []
    for number, name in ((1, "current"), (2, "set"), (4, "by-environment"), (6, "chosen")):
        contexts.save(brokers[number])
        (tmp_path / f"CONFIG/client/contexts/broker{number}").rename(
            tmp_path / f"CONFIG/client/contexts/{name}"
        )
    contexts.use("current")
    found.append(identity.find_link(Asked()))
    write_settings(tmp_path, 'context = "set"', monkeypatch)
    found.append(identity.find_link(Asked()))
    write_settings(tmp_path, f'context = "set"\nlink = "{brokers[3]}"', monkeypatch)
    found.append(identity.find_link(Asked()))
    monkeypatch.setenv("ZCHAT_CONTEXT", "by-environment")
    found.append(identity.find_link(Asked()))
    monkeypatch.setenv("ZCHAT_LINK", str(brokers[5]))
    found.append(identity.find_link(Asked()))
    found.append(identity.find_link(Asked(context="chosen")))
    assert found == brokers[1:]


def write_settings(tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CONFIG/config.toml").write_text(f"[client]\n{client}\n")
    settings._read.cache_clear()


def test_an_address_has_the_key_of_its_context(tmp_path: Path) -> None:
    local_broker(tmp_path, LINK)
    moved = Link("10.0.0.1", 9300, OTHER)
    contexts.save(moved)
    assert identity.find_link(Asked(interface="10.0.0.1", port=9300)) == moved
    assert identity.find_link(Asked(interface="10.0.0.1", port=9301)).key == KEY


def test_a_context_and_a_link_that_differ() -> None:
    contexts.save(LINK)
    assert identity.find_link(Asked(str(LINK), context="chat.example.org")) == LINK
    for other in (LINK._replace(port=9001), LINK._replace(key=OTHER)):
        with pytest.raises(ConfigurationError, match=r"by the link, .* by the context chat\.example\.org"):
            identity.find_link(Asked(str(other), context="chat.example.org"))
    with pytest.raises(ConfigurationError, match=r"by the context chat\.example\.org, .* by -i and -p"):
        identity.find_link(Asked(port=9001, context="chat.example.org"))


def test_a_context_that_is_missing_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts.save(LINK)
    for asked, variable in ((Asked(context="no"), ""), (Asked(), "no")):
        monkeypatch.setenv("ZCHAT_CONTEXT", variable)
        with pytest.raises(ConfigurationError, match=r"no context no\. There are: chat\.example\.org"):
            identity.find_link(asked)


def test_what_is_wrong_comes_with_who_said_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts.save(LINK)

    def said(link: str | None = None, nick: str | None = None) -> str:
        with pytest.raises(ConfigurationError) as raised:
            identity.find(Asked(link, nick=nick))
        return str(raised.value)

    local_broker(tmp_path, "nothing")
    contexts.remove("chat.example.org")
    assert said().startswith(f"{tmp_path}/DATA/broker/link: not a zchat link")
    contexts.save(LINK)
    contexts.use("chat.example.org")
    (tmp_path / "CONFIG/client/contexts/chat.example.org").rename(tmp_path / "CONFIG/client/contexts/x")
    assert said() == "the current context: there is no context chat.example.org. There are: x"
    (tmp_path / "CONFIG/client/context").write_bytes(b"\xff")
    assert said() == f"cannot read {tmp_path}/CONFIG/client/context: it is not text"
    write_settings(tmp_path, 'context = "no"', monkeypatch)
    assert said().startswith("context in config.toml: there is no context no.")
    write_settings(tmp_path, 'link = "no"', monkeypatch)
    assert said().startswith("link in config.toml: not a zchat link: 'no'")
    monkeypatch.setenv("ZCHAT_CONTEXT", "no")
    assert said().startswith("ZCHAT_CONTEXT: there is no context no.")
    monkeypatch.setenv("ZCHAT_LINK", "no")
    assert said().startswith("ZCHAT_LINK: not a zchat link: 'no'")
    link = str(LINK)
    write_settings(tmp_path, 'nick = "1"', monkeypatch)
    assert said(link).startswith("nick in config.toml: the nick '1'")
    monkeypatch.setenv("ZCHAT_NICK", "2")
    assert said(link).startswith("ZCHAT_NICK: the nick '2'")
    assert said(link, nick="3").startswith("--nick: the nick '3'")


def test_the_directory_of_a_broker_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_broker(tmp_path, LINK)
    (tmp_path / "CONFIG").mkdir()
    (tmp_path / "CONFIG/config.toml").write_text('[broker]\ndata_dir = "there"\n')
    (tmp_path / "CONFIG/there").mkdir()
    other = LINK._replace(key=OTHER)
    (tmp_path / "CONFIG/there/link").write_text(f"{other}\n")
    assert identity.find_link(Asked()) == LINK  # ZCHAT_DATA_DIR comes before the settings
    monkeypatch.delenv("ZCHAT_DATA_DIR")
    assert identity.find_link(Asked()) == other


# ---- the nick ---------------------------------------------------------------------------------------------


def test_the_first_nick_stays_the_default() -> None:
    Identity(LINK, "Ann").remember()
    Identity(LINK, "bob").remember()
    assert identity.find(Asked(str(LINK))) == Identity(LINK, "Ann", may_register=False)
    assert identity.find(Asked(str(LINK), nick="bob")) == Identity(LINK, "bob", may_register=True)


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


def test_a_nick_that_was_named_may_be_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Identity(LINK, "ann").remember()
    assert identity.find(Asked(str(LINK))) == Identity(LINK, "ann", may_register=False)
    write_settings(tmp_path, 'nick = "sue"', monkeypatch)
    assert identity.find(Asked(str(LINK))) == Identity(LINK, "sue", may_register=True)
    monkeypatch.setenv("ZCHAT_NICK", "bob")
    assert identity.find(Asked(str(LINK))) == Identity(LINK, "bob", may_register=True)
    assert identity.find(Asked(str(LINK), nick="cat")) == Identity(LINK, "cat", may_register=True)


def test_a_default_nick_that_is_damaged(tmp_path: Path) -> None:
    Identity(LINK, "ann").remember()
    path = tmp_path / "CONFIG/client" / keys.to_base32(KEY) / "nick"
    for damage in (b"a b\n", b"\xff", b""):
        path.write_bytes(damage)
        with pytest.raises(ConfigurationError, match="default nick"):
            identity.find(Asked(str(LINK)))


# ---- invites and tokens -----------------------------------------------------------------------------------


def test_the_secret_of_a_link_is_an_invite_and_part_of_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts.save(LINK)
    inviting = LINK._replace(secret="a" * 40)
    invited = Identity(LINK, "ann", invite="a" * 40)
    assert identity.find_link(Asked(str(inviting))) == LINK
    assert identity.find(Asked(str(inviting), nick="ann")) == invited
    assert identity.find(Asked(str(inviting), context="chat.example.org", nick="ann")) == invited
    moved = LINK._replace(port=1)
    asked = Asked(str(moved._replace(secret="a" * 40)), port=1, nick="ann")
    assert identity.find(asked) == invited._replace(link=moved)
    monkeypatch.setenv("ZCHAT_LINK", str(inviting))
    assert identity.find(Asked(nick="ann")) == invited


BOT = ExportedKey(LINK, "bot", keys.draw().secret, is_token=True)


def test_a_token_says_broker_nick_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHAT_LINK", str(Link("elsewhere", 1, OTHER)))
    monkeypatch.setenv("ZCHAT_NICK", "ann")
    monkeypatch.setenv("ZCHAT_KEY", keys.draw().secret)
    who = identity.find(Asked(token=str(BOT)))
    assert who == Identity(LINK, "bot", may_register=False, secret=BOT.secret, is_bot=True)
    assert who.key().secret == BOT.secret and who.has_key()
    who.remember()
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("ZCHAT_TOKEN", f"{BOT}\n")
    assert identity.find(Asked()) == identity.find(Asked(str(LINK), nick="Bot")) == who
    assert identity.find_link(Asked()) == LINK
    assert identity.find(Asked(token="", nick="bob")).link.host == "elsewhere"


def test_a_token_and_an_option_that_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts.save(Link("elsewhere", 1, OTHER))
    for asked, reason in (
        (Asked(str(LINK._replace(key=OTHER))), "two brokers are named: .* by the token, .* by the link"),
        (Asked(context="elsewhere"), "by the token, elsewhere:1 by the context elsewhere"),
        (Asked(port=1), "by the token, .* by -i and -p"),
        (Asked(nick="ann"), "the token makes you bot: leave --nick out"),
        (Asked(key_file="key"), "the token has a key of its own: leave --key-file out"),
    ):
        for origin in ("option", "environment"):
            monkeypatch.setenv("ZCHAT_TOKEN", str(BOT) if origin == "environment" else "")
            with pytest.raises(ConfigurationError, match=reason):
                identity.find(asked if origin == "environment" else asked._replace(token=str(BOT)))


def test_a_token_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^--token: not a token"):
        identity.find(Asked(token="no"))
    monkeypatch.setenv("ZCHAT_TOKEN", str(LINK))
    with pytest.raises(ConfigurationError, match=r"^ZCHAT_TOKEN: not a token"):
        identity.find_link(Asked())


# ---- keys and files ---------------------------------------------------------------------------------------


def test_a_key_for_each_nick_and_broker(tmp_path: Path) -> None:
    ann = Identity(LINK, "Ann").key()
    assert Identity(Link("moved", 1, KEY), "ann").key() == ann
    assert Identity(LINK, "bob").key() != ann
    assert Identity(LINK._replace(key=OTHER), "ann").key() != ann
    path = tmp_path / "CONFIG/client" / keys.to_base32(KEY) / "ann.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["ann.key", "bob.key"]


def test_a_key_from_elsewhere_leaves_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, file = keys.draw(), tmp_path / "key"
    asked = Asked(str(LINK), nick="ann")
    for text in (elsewhere.secret, keys.to_base32(elsewhere.secret), f"{elsewhere.secret}\n"):
        monkeypatch.setenv("ZCHAT_KEY", text)
        assert identity.find(asked).key() == elsewhere
    other = keys.draw()
    file.write_text(f"{other.secret}\n")
    file.chmod(0o644)  # its mode is the business of who chose it
    assert identity.find(asked._replace(key_file=str(file))).key() == other
    monkeypatch.delenv("ZCHAT_KEY")
    write_settings_dir(tmp_path, "key_file = '../key'", monkeypatch)
    assert identity.find(asked).key() == other
    assert identity.find(asked).has_key()
    assert [one.name for one in (tmp_path / "CONFIG").iterdir()] == ["config.toml"]


def write_settings_dir(tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CONFIG").mkdir()
    write_settings(tmp_path, client, monkeypatch)


def test_a_key_from_elsewhere_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(str(LINK), nick="ann")
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=f"cannot read the key .*{reason}"):
            identity.find(asked._replace(key_file=str(path))).key()
    (tmp_path / "key").write_text("not a key")
    with pytest.raises(
        ConfigurationError, match="key: not a secret key: 40 characters of Z85 or 52 of base32"
    ):
        identity.find(asked._replace(key_file=str(tmp_path / "key"))).key()
    monkeypatch.setenv("ZCHAT_KEY", "not a key")
    with pytest.raises(ConfigurationError, match="ZCHAT_KEY: not a secret key"):
        identity.find(asked).key()


def test_no_home_is_no_obstacle_for_who_brings_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "ZCHAT_CONFIG_DIR", "ZCHAT_STATE_DIR", "ZCHAT_DATA_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    pair = keys.draw()
    monkeypatch.setenv("ZCHAT_KEY", pair.secret)
    who = identity.find(Asked(str(LINK), nick="ann"))
    assert who.key() == pair
    who.remember()
    monkeypatch.delenv("ZCHAT_KEY")
    with pytest.raises(ConfigurationError, match="set ZCHAT_CONFIG_DIR"):
        identity.find(Asked(str(LINK), nick="ann")).key()


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
