"""A key in one line (zchat/client/exports.py)."""

import pytest

from zchat.client import exports
from zchat.client.exports import ExportedKey
from zchat.common import keys
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

PAIR = keys.draw()
LINK = Link("chat.example.org", 9300, keys.draw().public)


@pytest.mark.parametrize("nick", ["ann", "Zoë", "a@b", "李四"])
@pytest.mark.parametrize("host", ["chat.example.org", "::1", "10.0.0.1"])
def test_it_comes_back_as_it_was(nick: str, host: str) -> None:
    exported = ExportedKey(LINK._replace(host=host), nick, PAIR.secret)
    assert str(exported).startswith(f"zchat-key://{nick}@")
    assert exports.parse(f"{exported}\n") == exported
    assert exports.parse(str(exported) + "/") == exported
    assert exported.key() == PAIR


def test_a_token_is_the_same_with_another_name() -> None:
    token = ExportedKey(LINK, "bot", PAIR.secret, is_token=True)
    assert str(token).startswith("zchat-token://bot@chat.example.org:9300/")
    assert exports.parse_token(f" {token}\n") == token
    with pytest.raises(ConfigurationError, match="that is a token and no exported key: --token"):
        exports.parse(str(token))
    with pytest.raises(ConfigurationError, match="that is an exported key and no token: zchat key import"):
        exports.parse_token(str(token._replace(is_token=False)))
    with pytest.raises(ConfigurationError, match="not a token: zchat token create") as raised:
        exports.parse_token(str(token)[:-1])
    assert keys.to_base32(PAIR.secret)[:20] not in str(raised.value)


def test_anything_else_is_refused_and_never_quoted() -> None:
    good = str(ExportedKey(LINK, "ann", PAIR.secret))
    secret = keys.to_base32(PAIR.secret)
    for damaged in ("", "hello", str(LINK), PAIR.secret, good[:-1], good + "a", good.replace("ann@", "")):
        with pytest.raises(ConfigurationError, match="not an exported key") as raised:
            exports.parse(damaged)
        assert secret[:20] not in str(raised.value)
    with pytest.raises(ConfigurationError, match="damaged: the nick is a reserved word"):
        exports.parse(good.replace("ann@", "everyone@"))
    last = "b" if not secret.endswith("b") else "c"
    with pytest.raises(ConfigurationError, match="damaged: its secret: its last character") as raised:
        exports.parse(good[:-1] + last)
    assert secret[:20] not in str(raised.value)
