"""docs/protocol.md and the code say the same: messages, bounds, topics, refusals, limits, names, examples."""

import inspect
import json
import re
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect as types

from zchat.broker.connections import ConnectionLimits
from zchat.broker.core.limits import Limits
from zchat.common import limits, links, names, wire
from zchat.common.codes import Refusal

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
ENTRIES = set(get_args(wire.Entries)) - {wire.Unknown}
UNIONS = {"Requests": set(get_args(wire.Request)), "Answers": set(get_args(wire.Answer)), "Entries": ENTRIES}
STRUCTS = {
    struct
    for _, struct in inspect.getmembers(wire, inspect.isclass)
    if issubclass(struct, msgspec.Struct)
    and struct not in (msgspec.Struct, wire.Unknown)
    and not struct.__name__.startswith("_")
}
GROUPS = {**UNIONS, "Parts": STRUCTS - set().union(*UNIONS.values())}
DECODERS = {"Requests": wire.decode_request, "Answers": wire.decode_answer, "Parts": wire.decode_segment}


# ---- reading the document ---------------------------------------------------------------------------------


def chapter(title: str) -> str:
    """What stands between the heading `title` and the next one of its level or above."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", DOCUMENT, re.MULTILINE)
    assert heading is not None, f"protocol.md has no chapter {title!r}"
    rest = DOCUMENT[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str) -> list[list[str]]:
    """The cells of the first table in `text`, without its head, and without the marks of code."""
    lines = text[text.index("\n|") :].strip().split("\n")
    rows = [line.strip("|").split("|") for line in takewhile(lambda line: line.startswith("|"), lines)]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


def block(text: str, label: str) -> str:
    """The only block of code in `text` that is labelled so."""
    (found,) = re.findall(rf"^```{label}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def code_points(text: str) -> set[str]:
    return {chr(int(one, 16)) for one in re.findall(r"U\+([0-9A-F]{4})", text)}


def sections(group: str) -> dict[str, tuple[str, list[list[str]]]]:
    """The messages that a chapter describes: by name the words in parentheses and the rows of the table."""
    parts = re.split(r"^#### (\w+) \((.+)\)$", chapter(group), flags=re.MULTILINE)
    return {
        name: (tag, table(text))
        for name, tag, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


# ---- what the code says, in the words of the document -----------------------------------------------------


def number(value: int) -> str:
    exponent = value.bit_length()
    return f"2^{exponent}-1" if value == 2**exponent - 1 and exponent > 31 else str(value)


def span(low: int | None, high: int | None, unit: str) -> str:
    if high is None:
        return f"{low or 0} or more {unit}"
    return f"{high} {unit}" if low == high else f"{low or 0}..{high} {unit}"


def described(kind: types.Type) -> tuple[str, str]:
    """The type and the bound of a field in the one form that the tables use."""
    match kind:
        case types.IntType(gt=None, ge=int(low), lt=lt, le=le, multiple_of=None):
            high = le if le is not None else lt - 1 if lt is not None else None
            assert high is not None, "an integer without an upper bound"
            return "integer", f"{low}..{number(high)}"
        case types.StrType():
            length = span(kind.min_length, kind.max_length, "characters")
            return "string", f"{length}, pattern {kind.pattern}" if kind.pattern else length
        case types.BytesType():
            return "binary", span(kind.min_length, kind.max_length, "bytes")
        case types.BoolType():
            return "boolean", "-"
        case types.StructType():
            return kind.cls.__name__, "-"
        case types.UnionType() if any(isinstance(one, types.NoneType) for one in kind.types):
            (one,) = (one for one in kind.types if not isinstance(one, types.NoneType))
            name, bound = described(one)
            return f"{name} or nil", bound
        case types.UnionType():
            structs = {one.cls for one in kind.types if isinstance(one, types.StructType)}
            assert structs == ENTRIES | {wire.Unknown}
            return "Entry", "-"
        case types.ListType():
            name, bound = described(kind.item_type)
            length = span(kind.min_length, kind.max_length, "items")
            return f"list of {name}", length if bound == "-" else f"{length}, each {bound}"
        case _:
            raise AssertionError(f"protocol.md has no words for {kind}")


def described_field(field: types.Field) -> list[str]:
    """Name, type and bound of a field; and what stands in its place when it may be missing."""
    name, bound = described(field.type)
    if field.required:
        return [field.name, name, bound]
    missing = f"missing: {json.dumps(field.default)}"
    return [field.name, name, missing if bound == "-" else f"{bound}, {missing}"]


def fields(struct: type[msgspec.Struct]) -> list[list[str]]:
    """The rows that the table of a message has to begin with: number in the array, name, type, bound."""
    kind = types.type_info(struct)
    assert isinstance(kind, types.StructType) and kind.array_like
    first = 0 if kind.tag is None else 1
    return [[str(place), *described_field(field)] for place, field in enumerate(kind.fields, first)]


def tag(struct: type[msgspec.Struct]) -> str:
    config = struct.__struct_config__
    return "no tag" if config.tag is None else f"tag {config.tag}"


# ---- messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS)
def test_a_chapter_describes_exactly_the_messages_of_the_code(group: str) -> None:
    assert set(sections(group)) == {struct.__name__ for struct in GROUPS[group]}


@pytest.mark.parametrize(
    ("group", "struct"),
    [(group, struct) for group in GROUPS for struct in sorted(GROUPS[group], key=lambda one: one.__name__)],
)
def test_a_message_has_its_tag_and_its_fields_in_order(group: str, struct: type[msgspec.Struct]) -> None:
    documented_tag, rows = sections(group)[struct.__name__]
    assert documented_tag == tag(struct)
    assert [row[:4] for row in rows] == fields(struct)
    assert all(len(row) == 5 and row[4] for row in rows), "a field without a meaning"


def test_the_last_tag_of_an_entry_is_the_one_that_decoding_knows() -> None:
    assert max(struct.__struct_config__.tag for struct in ENTRIES) == wire.LAST_ENTRY_TAG


def test_topics_in_bytes() -> None:
    topics = [
        ("#general\\0", wire.room_topic("general")),
        ("!here\\0", wire.HERE),
        ("~k3v9\\0", wire.nonce_topic("k3v9")),
    ]
    assert [(row[1], bytes.fromhex(row[2])) for row in table(chapter("Topics"))] == topics


# ---- tables -----------------------------------------------------------------------------------------------


def test_refusals() -> None:
    rows = table(chapter("Refusals"))
    assert [row[:4] for row in rows] == [
        [str(one.value), one.name, str(one.exit_code), one.meaning] for one in Refusal
    ]
    assert all(len(row) == 6 and row[4] and row[5] for row in rows), "a refusal without its consequences"


def test_limits() -> None:
    rows = table(chapter("Limits that both sides know"))
    constants = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert len(rows) == len(constants)
    assert {row[0]: int(row[1].replace(",", "")) for row in rows} == constants


def test_limits_of_the_broker() -> None:
    rows = table(chapter("Limits of the broker alone"))
    assert {row[0]: int(row[1].replace(",", "")) for row in rows} == Limits._field_defaults


def test_limits_of_connections() -> None:
    rows = table(chapter("Limits of connections"))
    assert {row[0]: int(row[1].replace(",", "")) for row in rows} == ConnectionLimits._field_defaults


LIMITS = [
    row
    for title in ("Limits that both sides know", "Limits of the broker alone", "Limits of connections")
    for row in table(chapter(title))
]


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row[0])
def test_the_unit_of_a_limit_is_the_one_in_its_name(row: list[str]) -> None:
    units = {"BYTES": "bytes", "CHARACTERS": "characters", "MS": "ms"}
    (unit, *more) = [word for mark, word in units.items() if mark in row[0].upper().split("_")] or [""]
    assert not more
    assert row[2] == unit or (not unit and row[2] not in units.values())


def test_names() -> None:
    text = chapter("Names")
    rules = re.split(r"^\d\. ", text, flags=re.MULTILINE)
    assert code_points(rules[4]) == names._FORBIDDEN
    assert code_points(rules[5]) == names._FORBIDDEN_FIRST
    assert block(text, "reserved").split() == sorted(names._RESERVED)
    together = {frozenset(line.split()) for line in block(text, "scripts").splitlines()}
    assert together == set(names._WRITTEN_TOGETHER)
    assert all(first_word in text for first_word in names._SHARED)


@pytest.mark.parametrize("row", table(chapter("Names")), ids=lambda row: row[0])
def test_examples_of_names(row: list[str]) -> None:
    typed, shown, compared = row
    if shown == "-":
        with pytest.raises(names.InvalidName):
            names.nick(typed)
    else:
        assert (names.nick(typed), names.folded(typed)) == (shown, compared)


def test_the_link() -> None:
    link, key = block(chapter("The Link"), "link").split()
    assert links.parse(link) == links.Link("chat.example.org", limits.PORT, key)
    assert str(links.parse(link)) == link


def test_the_invite() -> None:
    link, number, digest = block(chapter("Invites"), "invite").split()
    secret = links.parse(link).secret
    assert secret.startswith(number)
    assert len(number) == 8
    assert sha256(secret.removeprefix(number).encode("ascii")).hexdigest() == digest


def test_a_chapter_that_the_code_cites_exists() -> None:
    headings = set(re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE))
    for path in (ROOT / "zchat").rglob("*.py"):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for cited in re.findall(r"protocol\.md, (?:chapter )?([A-Z][\w ]*)", text):
            for title in cited.split(" and "):
                known = any(f"{title} ".startswith(f"{heading} ") for heading in headings)
                assert known or title[0].islower(), f"{path} cites {title}"


# ---- worked examples --------------------------------------------------------------------------------------


def example(name: str) -> list[tuple[bytes, str]]:
    """The bytes of each field with what stands behind the semicolon."""
    found: list[tuple[bytes, str]] = []
    pending = b""
    for line in block(chapter("Examples"), f"example {name}").splitlines():
        digits, semicolon, words = line.partition(";")
        pending += bytes.fromhex(digits)
        if semicolon:
            found.append((pending, words.strip()))
            pending = b""
    assert not pending
    return found


def test_the_examples_are_those_that_are_checked() -> None:
    assert re.findall(r"^```example (\w+)$", DOCUMENT, re.MULTILINE) == EXAMPLES


EXAMPLES = ["Hello", "Welcome", "Send", "Ack", "Deliver", "Segment", "Page", "Refused"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_the_bytes_of_the_code(name: str) -> None:
    (head, head_words), *lines = example(name)
    frame = head + b"".join(part for part, _ in lines)
    struct: Any = getattr(wire, name)
    (group,) = (group for group in GROUPS if struct in GROUPS[group])
    decoded = DECODERS[group](frame)

    assert type(decoded) is struct
    assert wire.encode(decoded) == frame
    assert head_words.startswith(f"array of {len(msgspec.msgpack.decode(frame))}")
    assert [words.split(" ", 1)[0] for _, words in lines] == list(struct.__struct_fields__)
    for part, words in lines:
        assert wire.encode(json.loads(words.split(" ", 1)[1])) == part, words
