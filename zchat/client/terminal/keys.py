"""What the keys do: the ones beside those of every prompt (Emacs's, as in a shell)."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Protocol

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import Completion
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys

from zchat.client.terminal.above import Above
from zchat.client.terminal.completion import Candidates
from zchat.common import limits
from zchat.common.text import one_line


class Wanted(Protocol):
    """Is told what the user wants."""

    def entered(self, text: str) -> None:
        """Enter was pressed."""

    def interrupted(self) -> None:
        """Ctrl-C was pressed while nothing is typed."""

    def left(self) -> None:
        """Ctrl-D was pressed while nothing is typed."""

    def too_long(self) -> None:
        """More was pasted than a message may hold."""

    def candidates(self, text: str) -> Candidates:
        """What the last word of the text before the cursor can become."""


def keys_of(buffer: Buffer, wanted: Wanted, above: Above) -> KeyBindings:
    """The keys of the line that is typed into `buffer`. `above` hears of what becomes of that."""
    keys = KeyBindings()
    keys.add("enter")(lambda event: _enter(buffer))
    keys.add("escape", "enter")(lambda event: buffer.insert_text("\n"))
    keys.add("tab")(lambda event: _complete(buffer, wanted))
    keys.add("s-tab")(lambda event: buffer.complete_previous())
    keys.add("c-c")(lambda event: buffer.reset() if buffer.text else wanted.interrupted())
    keys.add("c-d", filter=Condition(lambda: not buffer.text))(lambda event: wanted.left())
    keys.add("c-z")(lambda event: _suspend(event.app, above))
    keys.add("c-l")(lambda event: _clear(event.app, above))
    keys.add(Keys.BracketedPaste)(lambda event: _paste(buffer, event.data, wanted))
    return keys


def _enter(buffer: Buffer) -> None:
    buffer.validate_and_handle()
    buffer.load_history_if_not_yet_loaded()  # else only when it is drawn next


def _suspend(app: Application[Any], above: Above) -> None:
    above.moved()  # by what the shell prints meanwhile
    app.suspend_to_background()


def _clear(app: Application[Any], above: Above) -> None:
    above.cleared()
    app.renderer.clear()


def _paste(buffer: Buffer, data: str, wanted: Wanted) -> None:
    text = data.replace("\r\n", "\n").replace("\r", "\n")
    if len(buffer.text) + len(text) <= limits.TEXT_BYTES_MAX:
        buffer.insert_text(text)
    else:
        wanted.too_long()


def _complete(buffer: Buffer, wanted: Wanted) -> None:
    """Done before the next key is heard. Of several candidates what they have in common is inserted, and they
    are shown; from then on each takes its turn."""
    if buffer.complete_state:
        buffer.complete_next()
        return
    text = buffer.document.text_before_cursor
    start, words = wanted.candidates(text)
    if not words:
        return
    common = _common(words)
    if len(common) > len(text) - start:
        buffer.delete_before_cursor(len(text) - start)
        buffer.insert_text(common)
    if len(words) > 1:
        start -= buffer.cursor_position
        completions = [Completion(word, start, display=one_line(word.rstrip())) for word in words]
        buffer.complete_state = CompletionState(buffer.document, completions)


def _common(words: Sequence[str]) -> str:
    """What all begin with, whatever its case."""
    columns = takewhile(
        lambda column: len({one.casefold() for one in column}) == 1, zip(*words, strict=False)
    )
    return words[0][: len(list(columns))]
