"""docs/commands.md says of each command what the code says: usage, options, JSON keys, exit codes."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from zchat import __main__
from zchat.client.commands import formats, notices, options, records, running
from zchat.client.cursorfile import Listed
from zchat.client.exports import ExportedKey
from zchat.client.messages import Act, Came, Message, Sent
from zchat.client.verdicts import Step
from zchat.common.codes import Refusal
from zchat.common.errors import ZchatError
from zchat.common.links import Link
from zchat.common.wire import Bound, InviteRow, Person, Profile, Room, SanctionRow, TokenRow

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
LINK = Link("127.0.0.1", 9242, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
TABLE = "| option | |\n| --- | --- |\n"
CLIENT_OPTIONS = "Client options"  # the section about what all commands of a client have

ABOUT_SOMEBODY = records.act_json("kitchen", "bob", 1)

# Which function makes the JSON of a command, and something for it to show.
JSON_OF = {
    "connect": formats.message_json(Message(2, 1, 0, "ann", "#general", "message", "k", "", "#general")),
    "send": formats.sent_json(Sent(1, 0, "k", False)),
    "tail": notices.notice_json(Came("ann")),
    "history": formats.message_json(Message(2, 1, 0, "ann", "#general", "message", "k", "", "#general")),
    "redact": formats.removed_json("#general", 1, 2),
    "cursor list": formats.cursor_json(Listed("k", (), 1)),
    "cursor set": formats.cursor_json(Listed("k", (), 1)),
    "cursor delete": formats.cursor_json(Listed("k", (), 1)),
    "users": formats.person_json(Person("ann", True)),
    "whois": formats.profile_json(Profile(1, 1, "ann", [], 0, 0, 0, True, "", 0, 0, "", [], [])),
    "away": formats.away_json("lunch", 1),
    "ignore list": formats.ignored_json("bob", True),
    "ignore add": formats.ignored_json("bob", True),
    "ignore remove": formats.ignored_json("bob", False),
    "rooms": formats.room_json(Room("general", "", 1)),
    "join": formats.change_json("kitchen", 1),
    "leave": formats.change_json("kitchen", 1),
    "topic": formats.topic_json("kitchen", "lunch"),
    **{
        f"room {name}": ABOUT_SOMEBODY
        for name in ("invite", "kick", "ban", "unban", "mute", "unmute", "role")
    },
    "room members": formats.person_json(Person("ann", True, False, 3)),
    "room bans": records.sanction_json(SanctionRow("bob", 1, 0, "ann", "")),
    "room mode": formats.change_json("kitchen", 1),
    "invite": records.invite_json(LINK),
    "token create": records.token_json(ExportedKey(LINK, "ci", LINK.key, is_token=True)),
    "token list": records.token_row_json(TokenRow("ci", "ann", [], True, False, 0)),
    "token revoke": ABOUT_SOMEBODY,
    **{f"admin {name}": ABOUT_SOMEBODY for name in ("grant", "revoke", "ban", "unban", "mute", "unmute")},
    "admin bans": records.sanction_json(SanctionRow("bob", 2, 0, "ann", "")),
    "admin invites": records.invite_row_json(InviteRow("aaaaaaaa", "ann", "", "", 1, 0)),
    "admin end-invite": records.ended_json("aaaaaaaa", 1),
    "admin tokens": records.token_row_json(TokenRow("ci", "ann", [], True, False, 0)),
    "admin limits": records.limit_json(Bound("rooms_max", 1, "rooms")),
    "admin audit": records.audit_json(Act(2, 1, 0, "$", "ann", "kicked", "kitchen", "bob", 0, "", "")),
    "ping": formats.ping_json(1.0, "zchat", "127.0.0.1:9242"),
    "doctor": formats.step_json(Step("port", "nobody listens", "Start it", 3)),
    "whoami": None,  # made of facts; its example in the document is run, and has the keys
    "link": formats.link_json(LINK),
    "context list": formats.context_json("office", LINK, True),
    "key path": formats.path_json("ann.key"),
    "key export": formats.key_json(ExportedKey(LINK, "ann", LINK.key)),
    "key rotate": records.rotated_json("ann", "abcd"),
}


def commands(group: click.Group = __main__.root, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand by what is typed, groups before what is in them."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if not command.hidden:
            yield f"{before}{name}", command
            if isinstance(command, click.Group):
                yield from commands(command, f"{before}{name} ")


COMMANDS = dict(commands())


def sections(text: str) -> dict[str, str]:
    """The text below each heading, by the heading."""
    _, *parts = re.split(r"^##+ (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def of_command(name: str) -> str:
    """The section of a command."""
    return sections(DOCUMENT.read_text())[f"`zchat {name}`"]


# ---- what the code says -----------------------------------------------------------------------------------


def usage(name: str, command: click.Command) -> str:
    """As the help has it."""
    pieces = command.collect_usage_pieces(click.Context(command))
    return f"`zchat {' '.join([name, *pieces])}`"


def rows(parameters: list[click.Parameter]) -> str:
    """Options, a row of a table each, as the help has them."""
    context = click.Context(click.Command("any"))
    found = []
    for parameter in parameters:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            names, help = (piece.replace("|", "\\|") for piece in record)
            found.append(f"| `{names}` | {help} |\n")
    return "".join(found)


def own_parameters(command: click.Command) -> list[click.Parameter]:
    """Without what all commands of a client have."""
    return [one for one in command.params if rows([one]) not in CLIENT]


@click.command()
@options.client_options
@options.json_option
def bare() -> None:
    """Has the options of every command of a client."""


CLIENT = {rows([one]) for one in bare.params}


def exit_codes() -> set[int]:
    """All that a command can end with."""
    errors, codes = [ZchatError], {0, click.UsageError.exit_code, __main__._BUG}
    while errors:
        error = errors.pop()
        errors += error.__subclasses__()
        if error is not running.Interrupted:
            codes.add(error.exit_code)
    signals = {*running._SIGNALS, signal.SIGHUP}  # that one is left out where it is ignored
    return codes | {row.exit_code for row in Refusal} | {128 + int(number) for number in signals}


# ---- what the document says -------------------------------------------------------------------------------


def test_every_command_has_its_section_in_order() -> None:
    headings = sections(DOCUMENT.read_text())
    named = [heading[len("`zchat ") : -1] for heading in headings if heading.startswith("`zchat ")]
    assert set(named) == set(COMMANDS)
    assert [name for name in named if " " not in name] == list(__main__._COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_usage(name: str) -> None:
    assert f"\n{usage(name, COMMANDS[name])}\n" in f"\n{of_command(name)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_options(name: str) -> None:
    section, command = of_command(name), COMMANDS[name]
    own = rows(own_parameters(command))
    assert tables(section) == ([own] if own else [])
    has_client_options = any(one.name == "link" and isinstance(one, click.Option) for one in command.params)
    assert ("[client options](#client-options)" in section) == has_client_options


def test_client_options() -> None:
    common = sections(DOCUMENT.read_text())[CLIENT_OPTIONS]
    assert tables(common) == [rows(bare.params)]


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_told(name: str) -> None:
    for parameter in COMMANDS[name].params:
        default = parameter.default
        if (
            isinstance(parameter, click.Option)
            and isinstance(default, int | float | str)
            and default is not False
        ):
            assert f"{default} if not given" in rows([parameter])


@pytest.mark.parametrize("name", COMMANDS)
def test_json(name: str) -> None:
    has_json = any(one.name == "as_json" for one in COMMANDS[name].params)
    said = re.findall(r"^JSON: `\{(.*?)\}`", of_command(name), re.MULTILINE)
    assert len(said) == has_json == (name in JSON_OF)
    if JSON_OF.get(name):
        assert re.findall(r'"(\w+)"', said[0]) == list(json.loads(JSON_OF[name] or ""))


def test_every_format_is_in_the_document() -> None:
    shown = {tuple(json.loads(line)) for line in JSON_OF.values() if line}
    names = {*vars(formats), *vars(records)}
    made = {name for name in names if name.endswith("_json") and not name.startswith("_")}
    assert len(shown) == len(made - {"whoami_json"})


def test_exit_codes() -> None:
    codes = sections(DOCUMENT.read_text())["Exit codes"]
    assert [int(one) for one in re.findall(r"^\| (\d+) \|", codes, re.MULTILINE)] == sorted(exit_codes())
    assert 128 + signal.SIGTERM in exit_codes()


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if not isinstance(one, click.Group)])
def test_exit_codes_of_a_command(name: str) -> None:
    (said,) = re.findall(r"^Exit codes: (.*)\.$", of_command(name), re.MULTILINE)
    codes = [int(one) for one in re.sub(r" \(.*?\)", "", said).split(", ")]
    assert codes == sorted(set(codes))
    assert {0, 2} <= set(codes) <= exit_codes()


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if not isinstance(one, click.Group)])
def test_an_example_that_is_run(name: str) -> None:
    """tests/e2e/test_documents.py runs what is in such a block."""
    examples = re.findall(r"^```console\n(.*?)^```$", of_command(name), re.MULTILINE | re.DOTALL)
    assert any(f"zchat {name}" in example for example in examples)


def test_help_has_examples() -> None:
    for name, command in COMMANDS.items():
        text = f"{command.help}\n{command.epilog}"
        assert re.search(r"Examples?(, .*)?:\n", text) and f"zchat {name.split()[0]}" in text, name


def tables(section: str) -> list[str]:
    """The rows of its tables of options."""
    return re.findall(re.escape(TABLE) + r"((?:\|.*\n)*)", section)


def written_anew(text: str) -> str:
    """The document with the usage and the options as they are in the code."""
    for name, command in COMMANDS.items():
        heading = f"# `zchat {name}`\n"
        before, section, after = _around(text, heading)
        section = re.sub(r"(?m)^`zchat .*`$", usage(name, command), section, count=1)
        text = before + heading + _with_rows(section, rows(own_parameters(command))) + after
    before, section, after = _around(text, f"# {CLIENT_OPTIONS}\n")
    return before + f"# {CLIENT_OPTIONS}\n" + _with_rows(section, rows(bare.params)) + after


def _around(text: str, heading: str) -> tuple[str, str, str]:
    before, _, rest = text.partition(heading)
    end = re.search(r"^##+ ", rest, re.MULTILINE)
    split = end.start() if end else len(rest)
    return before, rest[:split], rest[split:]


def _with_rows(section: str, wanted: str) -> str:
    return re.sub(re.escape(TABLE) + r"(?:\|.*\n)*", lambda _: TABLE + wanted, section, count=1)


if __name__ == "__main__":
    DOCUMENT.write_text(written_anew(DOCUMENT.read_text()))
