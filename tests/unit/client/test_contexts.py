"""Brokers by name (zchat/client/contexts.py)."""

from pathlib import Path

import pytest

from zchat.client import contexts
from zchat.common import keys
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

ONE = Link("chat.example.org", 9242, keys.draw().public)
OTHER = Link("10.0.0.1", 9242, keys.draw().public)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path / "config"))


def test_none_at_first(tmp_path: Path) -> None:
    assert contexts.names() == []
    assert contexts.current() is None
    assert contexts.at(ONE.host, ONE.port) is None
    assert not list(tmp_path.iterdir())


def test_the_first_one_is_the_current_one(tmp_path: Path) -> None:
    assert contexts.save(ONE) == "chat.example.org"
    assert contexts.save(OTHER) == "10.0.0.1"
    assert contexts.names() == ["10.0.0.1", "chat.example.org"]
    assert contexts.current() == "chat.example.org"
    assert (contexts.link_of("10.0.0.1"), contexts.at("chat.example.org", 9242)) == (OTHER, ONE)
    file = tmp_path / "config/client/contexts/chat.example.org"
    assert file.read_text() == f"{ONE}\n"
    contexts.use("10.0.0.1")
    assert contexts.current() == "10.0.0.1"


def test_the_secret_of_an_invite_is_not_kept(tmp_path: Path) -> None:
    inviting = ONE._replace(secret="a" * 40)
    assert contexts.save(inviting) == contexts.save(inviting._replace(secret="b" * 40)) == "chat.example.org"
    file = tmp_path / "config/client/contexts/chat.example.org"
    assert file.read_text() == f"{ONE}\n"
    file.write_text(f"{inviting}\n")  # by hand
    assert contexts.link_of("chat.example.org") == ONE


def test_a_broker_that_moved_keeps_its_context() -> None:
    contexts.save(ONE)
    moved = ONE._replace(host="new.example.org", port=9300)
    assert contexts.save(moved) == "chat.example.org"
    assert contexts.names() == ["chat.example.org"]
    assert contexts.link_of("chat.example.org") == moved
    assert contexts.save(moved) == "chat.example.org"


def test_brokers_of_one_host_have_names_of_their_own() -> None:
    links = [Link("chat", port, keys.draw().public) for port in (1, 2, 2, 2)]
    assert [contexts.save(link) for link in links] == ["chat", "chat-2", "chat-2-2", "chat-2-3"]
    assert [contexts.link_of(name) for name in contexts.names()] == links


@pytest.mark.parametrize(
    ("host", "name"), [("::1", "1"), ("fe80::1%eth0", "fe80--1-eth0"), ("müsli", "m-sli"), ("::", "broker")]
)
def test_hosts_that_are_no_names_of_files(host: str, name: str) -> None:
    assert contexts.save(ONE._replace(host=host)) == name
    assert contexts.link_of(name).host == host


def test_what_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match=r"no context no\. There is none; zchat connect LINK"):
        contexts.use("no")
    contexts.save(ONE)
    for act in (contexts.use, contexts.remove, contexts.link_of):
        with pytest.raises(ConfigurationError, match=r"no context no\. There are: chat\.example\.org"):
            act("no")
        for name in ("../contexts", "", ".hidden", "a/b"):
            with pytest.raises(ConfigurationError, match="no context can be called"):
                act(name)


def test_removing_the_current_one_leaves_none() -> None:
    contexts.save(ONE)
    contexts.save(OTHER)
    contexts.remove("10.0.0.1")
    assert contexts.current() == "chat.example.org"
    contexts.remove("chat.example.org")
    assert contexts.current() is None
    assert contexts.names() == []


def test_damage_is_told_with_its_file(tmp_path: Path) -> None:
    contexts.save(ONE)
    file = tmp_path / "config/client/contexts/chat.example.org"
    for damage in (b"", b"\xff", b"zchat://nothing"):
        file.write_bytes(damage)
        with pytest.raises(ConfigurationError, match=r"contexts/chat\.example\.org"):
            contexts.link_of("chat.example.org")


def test_damage_to_one_is_none_to_the_others(tmp_path: Path) -> None:
    contexts.save(ONE)
    damaged = tmp_path / "config/client/contexts/10.0.0.1"
    damaged.write_text("nothing")
    assert contexts.at("Chat.Example.ORG", 9242) == ONE
    assert contexts.save(ONE._replace(port=9300)) == "chat.example.org"
    assert contexts.save(OTHER) == "10.0.0.1-9242"
    assert damaged.read_text() == "nothing"
    contexts.remove("10.0.0.1")
    assert contexts.names() == ["10.0.0.1-9242", "chat.example.org"]


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot write"):
        contexts.save(ONE)
