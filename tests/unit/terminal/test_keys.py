"""What the keys do (zchat/client/terminal/keys.py)."""

import pytest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.keys import Keys

from zchat.client.terminal import keys
from zchat.client.terminal.above import Above
from zchat.client.terminal.completion import Candidates
from zchat.common import limits


class Wanted:
    """Has the candidates that the test gives it, and remembers what it was told."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.told: list[str] = []

    def entered(self, text: str) -> None:
        self.told.append(text)

    def interrupted(self) -> None:
        self.told.append("interrupted")

    def left(self) -> None:
        self.told.append("left")

    def too_long(self) -> None:
        self.told.append("too long")

    def candidates(self, text: str) -> Candidates:
        return Candidates(text.rfind(" ") + 1, self.words)


def completed(text: str, *words: str, tabs: int = 1) -> str:
    """The text after some presses of Tab."""
    buffer = Buffer()
    buffer.insert_text(text)
    for _ in range(tabs):
        keys._complete(buffer, Wanted(*words))
    return buffer.text


@pytest.mark.parametrize(
    ("text", "words", "tabs", "becomes"),
    [
        ("bo", [], 1, "bo"),
        ("bo", ["bob: "], 1, "bob: "),
        ("hi BO", ["bob "], 1, "hi bob "),
        ("b", ["Bobby ", "bobine "], 1, "Bob"),
        ("b", ["Bobby ", "bobine "], 2, "Bobby "),
        ("b", ["Bobby ", "bobine "], 3, "bobine "),
        ("/", ["/msg ", "/join "], 1, "/"),
        ("/", ["/msg ", "/join "], 3, "/join "),
    ],
)
def test_completion(text: str, words: list[str], tabs: int, becomes: str) -> None:
    assert completed(text, *words, tabs=tabs) == becomes


def test_a_paste_keeps_its_lines_and_is_no_larger_than_a_message() -> None:
    buffer, wanted = Buffer(), Wanted()
    keys._paste(buffer, "one\r\ntwo\rthree", wanted)
    assert buffer.text == "one\ntwo\nthree"
    keys._paste(buffer, "x" * limits.TEXT_BYTES_MAX, wanted)
    assert (buffer.text, wanted.told) == ("one\ntwo\nthree", ["too long"])


def test_the_keys_are_those_of_the_page() -> None:
    bound = {binding.keys for binding in keys.keys_of(Buffer(), Wanted(), Above()).bindings}
    assert bound == {
        (Keys.Enter,), (Keys.Escape, Keys.Enter), (Keys.Tab,), (Keys.BackTab,), (Keys.ControlC,),
        (Keys.ControlD,), (Keys.ControlZ,), (Keys.ControlL,), (Keys.BracketedPaste,),
    }  # fmt: skip
