"""The line that is typed, drawn below everything else, and what stands around it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments
from prompt_toolkit.input import create_input
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.containers import ConditionalContainer
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.widgets import CompletionsToolbar, SearchToolbar

from zchat.client.terminal.above import Above, Print
from zchat.client.terminal.keys import Wanted, keys_of
from zchat.client.terminal.styled import STYLE

_TYPED_ROWS_MAX = 8  # of a text of many lines; the rest of it scrolls
_WAITING_ROWS_MAX = 4
_REDRAWS_S = 0.02  # between two of them


class Around(Protocol):
    """Says what stands around the text."""

    def prompt(self) -> Fragments:
        """What stands before it."""

    def above(self) -> list[Fragments]:
        """Rows above it."""

    def below(self) -> Fragments:
        """The row below it."""


class Line:
    """Draws the line, and what is printed above it."""

    def __init__(self, around: Around, wanted: Wanted) -> None:
        self._around, self._wanted = around, wanted
        self.buffer = Buffer(accept_handler=self._accept)
        self._seen = Above()
        self._app: Application[None] = Application(
            Layout(self._rows()),
            style=STYLE,
            key_bindings=keys_of(self.buffer, wanted, self._seen),
            output=_output(),
            input=create_input(sys.stdin),
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
            erase_when_done=True,
            min_redraw_interval=_REDRAWS_S,
            before_render=self._shrink,
            after_render=self._drawn,
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

    def print(self, prints: Sequence[Print]) -> None:
        """Print above the line, which is drawn anew."""
        if not prints:
            return
        if self._app.is_running:
            self._app.renderer.erase()
        fragments: Fragments = []
        size = self._app.output.get_size()
        self._seen.has_size(size.columns, size.rows)
        for one in prints:
            drawn = one.draw(size.columns)
            self._seen.add(one, "".join(fragment[1] for fragment in drawn))
            fragments += drawn
        self._app.print_text(fragments)
        self.redraw()

    def print_anew(self, pos: int) -> None:
        """Print a message anew, if it may be on the screen: in its place, and all that stands below it. When
        nobody knows where that is, the whole screen."""
        if not self._app.is_running:
            return
        size = self._app.output.get_size()
        self._seen.has_size(size.columns, size.rows)
        rows, prints = self._seen.take_from(pos)
        if rows:
            self._app.renderer.erase()
            self._app.output.cursor_up(rows)
            self._app.output.erase_down()
        elif prints := self._seen.take_screen(pos):
            self._app.renderer.clear()
        self.print(prints)

    def redraw(self) -> None:
        """What stands around it is something else now."""
        self._app.invalidate()

    def _accept(self, buffer: Buffer) -> bool:
        self._wanted.entered(buffer.text)
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

    def _drawn(self, app: Application[None]) -> None:
        screen, size = app.renderer.last_rendered_screen, app.output.get_size()
        if screen is not None:
            self._seen.has_size(size.columns, size.rows)
            self._seen.drawn(screen.height)

    def _rows(self) -> HSplit:
        search = SearchToolbar()
        typed = Window(
            BufferControl(self.buffer, search_buffer_control=search.control),
            wrap_lines=True,
            dont_extend_height=True,
            height=Dimension(min=1, max=_TYPED_ROWS_MAX),
            get_line_prefix=self._prefix,
        )
        above = Window(
            FormattedTextControl(self._above),
            dont_extend_height=True,
            height=Dimension(max=_WAITING_ROWS_MAX),
        )
        below = Window(FormattedTextControl(self._around.below), height=1)
        has_room = Condition(lambda: self._app.output.get_size().rows > _TYPED_ROWS_MAX)
        return HSplit(
            [
                ConditionalContainer(above, has_room & Condition(lambda: bool(self._around.above()))),
                typed,
                search,
                CompletionsToolbar(),
                ConditionalContainer(below, has_room & ~has_completions),
            ]
        )

    def _prefix(self, line: int, wrapped: int) -> Fragments:
        if line == wrapped == 0:
            return self._around.prompt()
        return [("", "  ")]

    def _above(self) -> Fragments:
        joined: Fragments = []
        for row in self._around.above():
            joined += [*([("", "\n")] if joined else []), *row]
        return joined


def _output() -> Output:
    """Nothing here needs to know where the cursor is, so the terminal is not asked for it."""
    output = create_output(sys.stdout)
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False
    return output
