"""`zchat key`: one's own secret key, where it is, and how it comes to another machine."""

import os
import sys
from pathlib import Path

import click

from zchat.client import contexts, exports, identity, rotation
from zchat.client.commands.addresses import quoted
from zchat.client.commands.done import printing
from zchat.client.commands.formats import key_json, path_json
from zchat.client.commands.offline import put
from zchat.client.commands.options import Caller, client_options, json_option
from zchat.client.commands.records import rotated_json
from zchat.client.commands.running import run
from zchat.client.exports import ExportedKey
from zchat.client.identity import Identity
from zchat.common import files, keys, links, names
from zchat.common.errors import ConfigurationError, No
from zchat.common.text import say

_BYTES_MAX = 64 * 1024


@click.group()
def key() -> None:
    """Your secret key: whoever has it is you.

    \b
    Examples:
      zchat key path
      zchat key export | ssh laptop zchat key import
      zchat key rotate
    """


@key.command()
@client_options
@json_option
def path(caller: Caller, as_json: bool) -> None:
    """Print where your key for this broker is. Exit code 1 when there is none yet.

    \b
    Examples:
      zchat key path
      ZCHAT_KEY="$(cat "$(zchat key path)")" some-job
    """
    who = _with_key(caller)
    if who.secret is not None:
        raise No(f"the key is in {caller.origin_of_secret(who)}, and in no file")
    found = str(who.key_file or who.own_key_file())
    put(path_json(found) if as_json else f"{found}\n", as_json)


@key.command("export")
@client_options
@json_option
def export_(caller: Caller, as_json: bool) -> None:
    """Print one line with your nick, your secret key and the broker, for `zchat key import` elsewhere.

    Keep it as secret as a password: whoever has the line is you at this broker.

    \b
    Examples:
      zchat key export | ssh laptop zchat key import
      (umask 077; zchat key export > key.txt)
    """
    who = _with_key(caller)
    exported = ExportedKey(who.link, who.nick, who.key().secret)
    put(key_json(exported) if as_json else f"{exported}\n", as_json)
    if sys.stdout is not None and sys.stdout.isatty():
        say(f"whoever has this line is {who.nick} at this broker")


@key.command()
@client_options
@json_option
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Where the new key goes, when the present one is not kept here.",
)  # fmt: skip
def rotate(caller: Caller, as_json: bool, out: Path | None) -> None:
    """Draw a new key, in place of the present one.

    The present one is worthless afterwards, whoever has it. The new key is on disk before the broker is
    asked. If that breaks off, or nobody knows how it ended (exit code 8), the same command finds out which of
    both keys the broker has, and finishes it. Your other machines, and the programs that run under your nick,
    need the new key: zchat key export. Who has lost a key asks who runs the broker for an invite.

    \b
    Examples:
      zchat key rotate
      zchat key rotate --key-file /run/secrets/zchat --out zchat.new
    """
    who = _with_key(caller)
    if who.is_bot:
        raise ConfigurationError(
            f"the key of a token is not changed: zchat token revoke {quoted(who.nick)}, and make another one"
        )
    if who.secret is None and who.key_file is None:
        if out is not None:
            raise click.UsageError("--out is for a key of --key-file or ZCHAT_KEY; this one is kept here")
        new = run(rotation.rotate(who, caller.timeout))
    else:
        if out is None:
            raise ConfigurationError(
                "the present key is not kept here: --out FILE says where the new one goes, to be used instead"
            )
        new = run(rotation.changed(who, out, caller.timeout))
    fingerprint = keys.fingerprint(new.public)
    where = "" if out is None else f" in {out}"
    done = f"the key of {who.nick} is a new one{where}, {fingerprint}; the one before is worthless"
    if as_json:
        with printing(done, "Do not repeat it: zchat whoami tells the fingerprint"):
            put(rotated_json(who.nick, fingerprint), as_json)
    say(done)


@key.command("import")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path, dir_okay=False))
def import_(file: Path | None) -> None:
    """Take over a key that `zchat key export` printed, from FILE or stdin.

    The broker becomes a context, and the nick the default there unless you have another one already. A
    different key of the same nick is never overwritten.

    \b
    Examples:
      ssh desktop zchat key export | zchat key import
      zchat key import key.txt
    """
    exported = exports.parse(_read(file))
    who = Identity(exported.link, exported.nick)
    target = who.own_key_file()
    try:
        if not files.publish(target, exported.secret + "\n") and who.key().secret != exported.secret:
            raise ConfigurationError(
                f"there is another key of {exported.nick} for this broker: {target}. Move it away first"
            )
    except OSError as error:
        raise ConfigurationError(f"cannot write the key {target}: {files.why(error)}") from None
    who.remember()
    name = contexts.of(exported.link.key) or contexts.save(exported.link)  # here its address may be another
    at = links.authority(exported.link.host, exported.link.port)
    say(f"you are {exported.nick} at {at} (context {name}), key {keys.fingerprint(who.key().public)}")
    default = identity.default_nick(exported.link)
    if default is not None and names.folded(default) != names.folded(exported.nick):
        say(f"with --nick {exported.nick}, that is; without it you stay {default}")


def _with_key(caller: Caller) -> Identity:
    who = caller.identity(may_ask=False)
    if not who.has_key():
        raise No(
            f"there is no key of {who.nick} for this broker yet; zchat connect --nick {who.nick} makes one"
        )
    return who


def _read(file: Path | None) -> str:
    if file is not None and keys.may_be_secret(str(file)) and not os.path.exists(file):
        raise ConfigurationError(
            "FILE is the name of a file, and others can see a key on the command line: "
            "put it into a file, or pipe it in"
        )
    try:
        if file is not None:
            with file.open("rb") as source:
                data = source.read(_BYTES_MAX)
        elif sys.stdin is None:
            data = b""
        else:
            if sys.stdin.isatty():
                say("paste the line that `zchat key export` printed, then Ctrl-D")
            data = sys.stdin.buffer.read(_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file or 'stdin'}: {files.why(error)}") from None
    return data.decode("utf-8-sig", "replace")
