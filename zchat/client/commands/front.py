"""Where a chat is shown: what both the drawn terminal and the plain lines can do."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from zchat.client.commands.notices import Notice
    from zchat.client.messages import Message, Sent


class Front(Protocol):
    """Where the chat is shown."""

    @property
    def may_ask(self) -> bool:
        """Somebody can be asked a question now: there is a person, and nothing is half typed."""

    @property
    def is_program(self) -> bool:
        """Nobody reads what is said before the next line is written."""

    async def show(self, update: "Message | Notice") -> None:
        """What came."""

    def remove(self, pos: int) -> None:
        """The text of the message at this position is to be seen no more, as far as that can be done."""

    async def text(self, text: str) -> None:
        """Lines that were asked for, each with its newline."""

    def remark(self, text: str) -> None:
        """A line about what the user or the client did."""

    def caught_up(self) -> None:
        """All that was missed is shown. Comes once in each session with the broker."""

    def keep(self, text: str) -> None:
        """What was typed was sent nowhere: it stands where it was typed, if that can be done."""

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """Something was typed for others, and waits for being stored."""
