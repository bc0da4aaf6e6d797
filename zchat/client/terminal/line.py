"""The line that is typed, drawn below everything else: its keys, and what stands around it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import Completion
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.containers import ConditionalContainer
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.widgets import CompletionsToolbar, SearchToolbar

from zchat.client.terminal.completion import Candidates
from zchat.client.terminal.styled import STYLE
from zchat.common import limits
from zchat.common.text import one_line

_TYPED_ROWS_MAX = 8  # of a text of many lines; the rest of it scrolls
_WAITING_ROWS_MAX = 4
_REDRAWS_S = 0.02  # between two of them


class Owner(Protocol):
    """What the line belongs to: it says what to draw, and is told what was typed."""

    def prompt(self) -> Fragments:
        """What stands before the text."""

    def above(self) -> list[Fragments]:
        """Rows above it."""

    def below(self) -> Fragments:
        """The row below it."""

    def candidates(self, text: str) -> Candidates:
        """What the last word of the text before the cursor can become."""

    def entered(self, text: str) -> None:
        """Enter was pressed."""

    def interrupted(self) -> None:
        """Ctrl-C was pressed while nothing is typed."""

    def left(self) -> None:
        """Ctrl-D was pressed while nothing is typed."""

    def too_long(self) -> None:
        """More was pasted than a message may hold."""


class Line:
    """Draws the line, and what is printed above it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.buffer = Buffer(accept_handler=self._accept)
        self._app: Application[None] = Application(
            Layout(self._rows()),
            style=STYLE,
            key_bindings=_keys(self.buffer, owner),
            output=_output(),
            input=create_input(sys.stdin),
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
            erase_when_done=True,
            min_redraw_interval=_REDRAWS_S,
            before_render=self._shrink,
        )

    async def run(self) -> None:
        """Until it is cancelled, or the terminal is gone. The terminal is as before when this ends."""
        loop = asyncio.get_running_loop()
        handler_before = loop.get_exception_handler()
        loop.set_exception_handler(self._failed)
        try:
            await self._app.run_async(handle_sigint=False, set_exception_handler=False)
        except EOFError:
            return
        finally:
            loop.set_exception_handler(handler_before)

    def print(self, fragments: Fragments) -> None:
        """Print above the line, which is drawn anew."""
        if self._app.is_running:
            self._app.renderer.erase()
        self._app.print_text(fragments)
        self.redraw()

    def redraw(self) -> None:
        """What the owner has to show is something else now."""
        self._app.invalidate()

    @property
    def columns(self) -> int:
        """How many cells of the terminal are in a row."""
        return self._app.output.get_size().columns

    def _accept(self, buffer: Buffer) -> bool:
        self._owner.entered(buffer.text)
        return False

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A key or a drawing failed: that ends the chat, rather than a text in the middle of the screen."""
        error = context.get("exception")
        if error is not None and self._app.is_running and not self._app.is_done:
            self._app.exit(exception=error)
        else:
            loop.default_exception_handler(context)

    def _shrink(self, app: Application[None]) -> None:
        """prompt_toolkit keeps the height that it has once drawn."""
        last, size = app.renderer.last_rendered_screen, app.output.get_size()
        if last is not None:
            wanted = app.layout.container.preferred_height(size.columns, size.rows).preferred
            if last.height > min(wanted, size.rows):
                app.renderer.erase()

    def _rows(self) -> HSplit:
        search = SearchToolbar()
        control = BufferControl(self.buffer, search_buffer_control=search.control)
        typed = Window(
            control,
            wrap_lines=True,
            dont_extend_height=True,
            height=Dimension(min=1, max=_TYPED_ROWS_MAX),
            get_line_prefix=self._prefix,
        )
        above = FormattedTextControl(lambda: _joined(self._owner.above()))
        below = FormattedTextControl(self._owner.below)
        has_room = Condition(lambda: self._app.output.get_size().rows > _TYPED_ROWS_MAX)
        return HSplit(
            [
                ConditionalContainer(
                    Window(above, dont_extend_height=True, height=Dimension(max=_WAITING_ROWS_MAX)),
                    has_room & Condition(lambda: bool(self._owner.above())),
                ),
                typed,
                search,
                CompletionsToolbar(),
                ConditionalContainer(Window(below, height=1), has_room & ~has_completions),
            ]
        )

    def _prefix(self, line: int, wrapped: int) -> Fragments:
        if line == wrapped == 0:
            return self._owner.prompt()
        return [("", "  ")]


class _Paste(NamedTuple):
    text: str

    def fits(self, buffer: Buffer) -> bool:
        return len(buffer.text) + len(self.text) <= limits.TEXT_BYTES_MAX


def _keys(buffer: Buffer, owner: Owner) -> KeyBindings:
    keys = KeyBindings()
    is_empty = Condition(lambda: not buffer.text)

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer.validate_and_handle()
        buffer.load_history_if_not_yet_loaded()  # else only when it is drawn next

    @keys.add("escape", "enter")
    def _newline(event: KeyPressEvent) -> None:
        buffer.insert_text("\n")

    @keys.add("tab")
    def _complete(event: KeyPressEvent) -> None:
        if buffer.complete_state:
            buffer.complete_next()
        else:
            _complete_word(buffer, owner)

    @keys.add("s-tab")
    def _complete_back(event: KeyPressEvent) -> None:
        buffer.complete_previous()

    @keys.add("c-c")
    def _interrupt(event: KeyPressEvent) -> None:
        if buffer.text:
            buffer.reset()
        else:
            owner.interrupted()

    @keys.add("c-d", filter=is_empty)
    def _leave(event: KeyPressEvent) -> None:
        owner.left()

    @keys.add("c-z")
    def _suspend(event: KeyPressEvent) -> None:
        event.app.suspend_to_background()

    @keys.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        paste = _Paste(event.data.replace("\r\n", "\n").replace("\r", "\n"))
        if paste.fits(buffer):
            buffer.insert_text(paste.text)
        else:
            owner.too_long()

    return keys


def _complete_word(buffer: Buffer, owner: Owner) -> None:
    """Done before the next key is heard. Of several candidates what they have in common is inserted, and they
    are shown."""
    text = buffer.document.text_before_cursor
    start, words = owner.candidates(text)
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


def _output() -> Output:
    """Nothing here needs to know where the cursor is, so the terminal is not asked for it."""
    output = create_output(sys.stdout)
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False
    return output


def _joined(rows: list[Fragments]) -> Fragments:
    joined: Fragments = []
    for row in rows:
        joined += [*([("", "\n")] if joined else []), *row]
    return joined
