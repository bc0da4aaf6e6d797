"""Links and keys: what was printed is read again, and what cannot be read is a ConfigurationError."""

import ipaddress
from base64 import b32encode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zmq.utils import z85

from zchat.common import keys, limits, links
from zchat.common.errors import ConfigurationError
from zchat.common.text import without_keys

KEYS = st.binary(min_size=32, max_size=32).map(lambda raw: z85.encode(raw).decode())
HOSTS = (
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z][a-z0-9]{0,10}){0,3}", fullmatch=True)
    | st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map(lambda address: f"{ipaddress.IPv6Address(address).exploded}%eth0")
)
SECRETS = st.just("") | st.from_regex(r"[a-z2-7]{40}", fullmatch=True)
LINKS = st.builds(links.Link, HOSTS, st.integers(1, 65535), KEYS, SECRETS)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))  # lone surrogates as well


def parsed(text: str) -> links.Link | None:
    """The link, None for what is none; nothing but ConfigurationError is raised."""
    try:
        return links.parse(text)
    except ConfigurationError:
        return None


@given(link=LINKS)
def test_a_link_is_read_as_it_was_printed(link: links.Link) -> None:
    assert links.parse(str(link)) == link


@given(link=LINKS)
def test_a_link_may_be_typed_otherwise(link: links.Link) -> None:
    authority, key = links.authority(link.host, link.port), keys.to_base32(link.key)
    secret = f"{link.secret.upper()}/" if link.secret else ""
    assert links.parse(f"\n zchat://{authority}/{key.upper()}/{secret} ") == link
    standard = link.without_secret()._replace(port=limits.PORT)
    assert links.parse(f"zchat://{authority.rpartition(':')[0]}/{key}") == standard


@given(link=LINKS)
def test_a_host_is_the_one_of_a_link(link: links.Link) -> None:
    assert links.host(link.host) == links.host(links.authority(link.host, 1).rpartition(":")[0]) == link.host


@given(text=ANY_TEXT | st.text("zchat:/[]0a1%. @\x1b", max_size=6))
def test_any_text_is_a_host_or_refused(text: str) -> None:
    try:
        host = links.host(text)
    except ConfigurationError:
        return
    link = links.Link(host, 1, keys.from_base32("a" * 52))
    assert links.parse(str(link)) == link


@pytest.mark.parametrize("host", ["*", "*.example.org"])
def test_a_host_is_one(host: str) -> None:
    """Where a broker listens may be everywhere; where it is reached is a place."""
    assert parsed(f"zchat://{host}:1/{'a' * 52}") is None
    with pytest.raises(ConfigurationError):
        links.host(host)


@given(link=LINKS, port=st.integers(0, 99_999) | st.sampled_from([0, 1, 65535, 65536]))
def test_a_port_is_between_1_and_65535(link: links.Link, port: int) -> None:
    wanted = link._replace(port=port)
    assert parsed(str(wanted)) == (wanted if 1 <= port <= 65535 else None)


@given(link=LINKS, data=st.data())
def test_a_link_with_a_mistake_is_another_one_or_none(link: links.Link, data: st.DataObject) -> None:
    text = str(link)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 3, len(text))))
    typed = text[:start] + data.draw(st.text("zchat:/[]0a1%. \ud800²٣ſK", max_size=3)) + text[end:]
    other = parsed(typed)
    if other is not None:
        assert links.parse(str(other)) == other
        assert 0 < other.port < 65536


@given(link=LINKS, secret=SECRETS.filter(bool), data=st.data())
def test_the_secret_of_a_link_is_never_quoted(link: links.Link, secret: str, data: st.DataObject) -> None:
    """Whatever else is wrong with it."""
    damaged = data.draw(st.sampled_from(["{}x", "{}/x", "{}=", "{}é"])).format(secret)
    text = f"{link.without_secret()}/{damaged}"
    with pytest.raises(ConfigurationError) as raised:
        links.parse(text)
    assert secret[:20] not in str(raised.value)
    assert keys.may_be_secret(text) and keys.may_be_secret(secret)
    assert secret not in without_keys(f"no command {text!r}, {secret}")


@given(text=ANY_TEXT | ANY_TEXT.map("zchat://".__add__) | ANY_TEXT.map(lambda t: f"zchat://h:1/{t:2<52}"))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    parsed(text)


@given(key=KEYS, nick=st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_an_exported_key_is_no_link_and_never_quoted(key: str, nick: str) -> None:
    for kind, remedy in (("key", "zchat key import"), ("token", "--token")):
        text = f"zchat-{kind}://{nick}@h:1/{keys.to_base32(key)}/{keys.to_base32(key)}"
        with pytest.raises(ConfigurationError) as raised:
            links.parse(f" {text}\n")
        assert remedy in str(raised.value) and keys.to_base32(key) not in str(raised.value)


@given(key=KEYS)
def test_a_key_is_read_as_it_was_printed(key: str) -> None:
    text = keys.to_base32(key)
    assert len(text) == 52 and text == text.lower()
    assert keys.from_base32(text) == keys.from_base32(text.upper()) == key


@given(key=KEYS, data=st.data())
def test_no_two_texts_are_the_same_key(key: str, data: st.DataObject) -> None:
    text = keys.to_base32(key)
    place = data.draw(st.integers(0, 51))
    changed = (
        text[:place] + data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")) + text[place + 1 :]
    )
    if changed == text:
        return
    try:
        assert keys.from_base32(changed) != key
    except ValueError:
        assert place == 51  # four bits of it are behind the end of the key


_OTHER_LENGTHS = st.binary(max_size=40).map(lambda raw: b32encode(raw).decode().rstrip("="))


@given(
    text=ANY_TEXT
    | _OTHER_LENGTHS
    | st.text("abcdefghijklmnopqrstuvwxyz234567ſıßK=", min_size=50, max_size=54)
)
@example(text="a" * 45)  # 28 bytes
def test_any_text_is_a_base32_key_or_refused(text: str) -> None:
    try:
        key = keys.from_base32(text)
    except ValueError:
        return
    assert len(key) == 40
    assert keys.to_base32(key) == text.lower()


@settings(max_examples=50)
@given(raw=st.binary(min_size=32, max_size=32))
def test_a_secret_key_has_its_public_half(raw: bytes) -> None:
    secret = z85.encode(raw).decode()
    pair = keys.from_secret(secret)
    assert pair.secret == secret and keys.to_base32(pair.public)
    assert keys.from_secret(secret) == pair


@given(
    text=ANY_TEXT
    | st.text(min_size=40, max_size=40)
    | st.text(st.characters(codec="ascii"), min_size=39, max_size=41)
)
def test_any_text_is_a_secret_key_or_refused(text: str) -> None:
    try:
        pair = keys.from_secret(text)
    except ConfigurationError:
        return
    assert len(pair.secret) == len(pair.public) == 40
