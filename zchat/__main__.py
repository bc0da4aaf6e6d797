"""The entry point: the root of the commands, and what each error ends the process with."""

import sys

try:
    import errno
    import importlib
    import io
    import os
    import signal
    import traceback
    from collections.abc import Sequence
    from contextlib import suppress
    from typing import Any, NamedTuple

    import click

    from zchat.common.errors import ConfigurationError, OutcomeUnknown, ZchatError
    from zchat.common.text import say, shown, without_keys
except KeyboardInterrupt:
    sys.exit(130)

_START = """\
zchat broker                runs a broker here and prints the link to it
zchat connect --nick ann    enters the chat (from elsewhere: zchat connect --nick ann LINK)
zchat send general hello    says something from a script (zchat --help shows the rest)"""

_BUG = 70
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # the disk that stdout is on


class _Place(NamedTuple):
    """Where a command is defined, and the line about it in the help of the root."""

    module: str
    attribute: str
    summary: str


_COMMANDS = {
    "broker": _Place("zchat.broker.commands", "broker", "Run a broker."),
    "connect": _Place("zchat.client.commands.connect", "connect", "Chat in this terminal."),
    "send": _Place("zchat.client.commands.send", "send", "Send a message to a room or a person."),
    "tail": _Place("zchat.client.commands.tail", "tail", "Print messages as they come."),
    "history": _Place("zchat.client.commands.history", "history", "Print what was said."),
    "redact": _Place("zchat.client.commands.redact", "redact", "Remove the text of a message."),
    "cursor": _Place("zchat.client.commands.cursor", "cursor", "List, set and delete cursors of tail."),
    "users": _Place("zchat.client.commands.users", "users", "List who is registered and who is here."),
    "whois": _Place("zchat.client.commands.whois", "whois", "Print all that is known about somebody."),
    "away": _Place("zchat.client.commands.away", "away", "Say that you are away, or back."),
    "ignore": _Place("zchat.client.commands.ignore", "ignore", "List and choose whom you do not read."),
    "rooms": _Place("zchat.client.commands.rooms", "rooms", "List the rooms."),
    "join": _Place("zchat.client.commands.join", "join", "Join a room, or make it."),
    "leave": _Place("zchat.client.commands.leave", "leave", "Leave a room."),
    "topic": _Place("zchat.client.commands.topic", "topic", "Print or set the topic of a room."),
    "room": _Place("zchat.client.commands.room", "room", "Say who may do what in a room."),
    "invite": _Place("zchat.client.commands.invite", "invite", "Print a link that lets somebody in."),
    "token": _Place("zchat.client.commands.token", "token", "Make and end tokens for bots."),
    "admin": _Place("zchat.client.commands.admin", "admin", "Administer the broker."),
    "ping": _Place("zchat.client.commands.ping", "ping", "Measure how long the broker takes to answer."),
    "doctor": _Place("zchat.client.commands.doctor", "doctor", "Find out why it does not work."),
    "whoami": _Place(
        "zchat.client.commands.whoami", "whoami", "Print who you are, and where your files are."
    ),
    "link": _Place("zchat.client.commands.link", "link", "Print the join link, for others."),
    "context": _Place("zchat.client.commands.context", "context", "List and choose brokers by name."),
    "key": _Place("zchat.client.commands.key", "key", "Print, export, import and change your secret key."),
    "completion": _Place("zchat.client.commands.completion", "completion", "Complete with Tab in a shell."),
}


class Root(click.Group):
    """The commands by name. The module of one is imported only when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = getattr(importlib.import_module(place.module), place.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        named = [(name, place.summary) for name, place in _COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=summary) for name, summary in named] + options

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}.{_suggestion(args[0])}")
        return super().resolve_command(ctx, args)


@click.group(cls=Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the versions of zchat and libzmq.")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.pass_context
def root(context: click.Context, version: bool, debug: bool) -> None:
    """Chat and messaging for people, scripts and bots: encrypted, and nothing acknowledged is lost.

    \b
    Examples:
      zchat broker
      zchat connect --nick ann
      zchat send general hello
      zchat tail general
    """
    if version:
        click.echo(_versions())
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(_START)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and end the process with its exit code."""
    code = _code_of(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        _let_nothing_change_the_code()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    sys.exit(code)


def _let_nothing_change_the_code() -> None:
    """A Ctrl-C while the interpreter ends would make 130 of a send that is stored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _code_of(arguments: list[str]) -> int:
    context: click.Context | None = None
    try:
        with root.make_context("zchat", arguments) as context:
            root.invoke(context)
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        _forget_stdout()
    except ZchatError as error:
        _show_details(context)
        if str(error):
            is_whole = isinstance(error, OutcomeUnknown)  # with an id to repeat it with, however that looks
            say(str(error) if is_whole else without_keys(str(error)))
        return error.exit_code
    except Exception as error:
        _show_details(context)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            say(f"cannot write: {error.strerror}")
            return ConfigurationError.exit_code
        _report_bug(error)
        return _BUG
    return 0


def _forget_stdout() -> None:
    """Its reader has gone: what is still buffered must not fail again when the interpreter ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _show_usage(error: click.ClickException) -> None:
    if sys.stderr is not None:  # click would turn to stdout
        text = io.StringIO()
        error.show(text)
        with suppress(OSError, ValueError):
            print(shown(without_keys(text.getvalue())), end="", file=sys.stderr)


def _show_details(context: click.Context | None) -> None:
    """With --debug: the traceback of the error at hand, and of those it came from."""
    if context is not None and context.params.get("debug"):
        with suppress(OSError, ValueError):
            print(shown(without_keys(traceback.format_exc())), end="", file=sys.stderr)


def _report_bug(error: Exception) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    package = os.path.dirname(os.path.abspath(__file__))
    where = [one for one in frames if os.path.abspath(one.filename).startswith(package + os.sep)][-1]
    place = f"{os.path.relpath(where.filename, os.path.dirname(package))}:{where.lineno}"
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    say(without_keys(f"this is a bug in {_versions()}: {what} ({place})"))
    say("please report it with the lines that `zchat --debug …` prints, and what you did")


def _versions() -> str:
    from zchat import __version__

    try:
        import zmq
    except Exception as error:  # an installation that is not whole
        libraries = f"no pyzmq: {error}"
    else:
        libraries = f"libzmq {zmq.zmq_version()}, pyzmq {zmq.__version__}"
    return f"zchat {__version__} ({libraries}, Python {'.'.join(map(str, sys.version_info[:3]))})"


def _suggestion(typed: str) -> str:
    import difflib

    close = difflib.get_close_matches(typed, _COMMANDS, n=1)
    return f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(_COMMANDS)}."


if __name__ == "__main__":
    main()
