"""`zchat whoami`: who one is to the broker, and where that is kept. No broker is needed."""

from collections.abc import Callable
from pathlib import Path

import click

from zchat.client.commands.formats import whoami_json, whoami_text
from zchat.client.commands.offline import put
from zchat.client.commands.options import Caller, client_options, json_option
from zchat.common import keys, places
from zchat.common.errors import ConfigurationError


@click.command()
@client_options
@json_option
def whoami(caller: Caller, as_json: bool) -> None:
    """Print your nick, the fingerprint of your key, the broker, and where your files are.

    No broker has to run for that.

    \b
    Examples:
      zchat whoami
      zchat whoami --json | jq -r .nick
    """
    who = caller.identity(may_ask=False)
    origin = str(who.key_file or who.own_key_file())
    if who.secret is not None:
        origin = caller.origin_of_secret(who)
    facts = {
        "nick": who.nick,
        "fingerprint": keys.fingerprint(who.key().public) if who.has_key() else None,
        "broker": str(who.link),
        "key": origin,
        "settings": _place(places.settings_file),
        "state": _place(places.state_dir),
    }
    put(whoami_json(facts) if as_json else whoami_text(facts), as_json)


def _place(find: Callable[[], Path]) -> str | None:
    try:
        return str(find())
    except ConfigurationError:  # no home
        return None
