"""docs/settings.md has every setting of the code, and no other."""

import re
import tomllib
from pathlib import Path

import click
import msgspec

from zchat.broker.commands import broker
from zchat.client.commands.users import users
from zchat.common.settings import BrokerSettings, ClientSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "settings.md").read_text()
DIRECTORIES = {"ZCHAT_CONFIG_DIR", "ZCHAT_STATE_DIR", "ZCHAT_DATA_DIR", "ZCHAT_RUNTIME_DIR"}
SECTIONS = {"client": ClientSettings, "broker": BrokerSettings}


def rows() -> dict[str, list[list[str]]]:
    """The table of settings by section: what stands in backticks in its first three columns."""
    found: dict[str, list[list[str]]] = {}
    for line in TEXT.split("| flag |")[1].split("\n\n")[0].splitlines()[2:]:
        columns = [" ".join(re.findall("`(.+?)`", column)) for column in line.strip("|").split("|")[:3]]
        if columns[2].startswith("["):
            section = found.setdefault(columns[2].strip("[]"), [])
        else:
            section.append(columns)
    return found


def test_the_keys_are_those_of_the_file() -> None:
    for name, section in SECTIONS.items():
        keys = [key for _, _, key in rows()[name] if key]
        assert sorted(keys) == sorted(section.__struct_fields__)


def test_the_flags_are_those_of_the_commands() -> None:
    for name, command in (("client", users), ("broker", broker)):
        flags = {
            option.opts[-1]
            for option in command.params
            if isinstance(option, click.Option) and option.opts[-1] != "--json"
        }
        assert {flag for column, _, _ in rows()[name] for flag in column.split()} == flags


def test_the_variables_are_those_that_are_read() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "zchat").rglob("*.py"))
    read = set(re.findall(r"\bZCHAT_[A-Z_]*[A-Z]\b", source)) | DIRECTORIES
    assert {
        variable for section in rows().values() for _, variable, _ in section if variable
    } | DIRECTORIES == read
    assert set(re.findall(r"\bZCHAT_[A-Z_]*[A-Z]\b", TEXT)) == read


def test_the_example_sets_everything() -> None:
    (example,) = re.findall("^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    content = tomllib.loads(example)
    assert content.keys() == SECTIONS.keys()
    for name, section in SECTIONS.items():
        msgspec.convert(content[name], section)
        assert list(content[name]) == list(section.__struct_fields__)
