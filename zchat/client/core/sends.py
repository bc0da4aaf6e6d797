"""Messages on their way from the queue to an answer: consecutive ones, and a formed Send."""

from collections.abc import Iterator

from zchat.client.core.events import Draft


class Run:
    """Consecutive messages for one addressee that are no Send yet, by ticket."""

    __slots__ = ("key", "size", "texts", "to")

    def __init__(self, draft: Draft) -> None:
        self.to = draft.to
        self.key = draft.key
        self.size = draft.size
        self.texts = {draft.ticket: draft.text}

    def drafts(self) -> Iterator[Draft]:
        """The messages one by one, as they were queued."""
        for ticket, text in self.texts.items():
            yield Draft(ticket, self.to, text, len(text.encode()), self.key)


class FormedSend:
    """A Send that has been formed: what is in it stays as it is until it is answered or given up whole."""

    __slots__ = (
        "counter",
        "given_up",
        "key",
        "on_the_way",
        "out_of_order",
        "size",
        "texts",
        "tickets",
        "to",
        "token",
        "uncertain",
        "waits",
    )

    def __init__(self, run: Run, token: int, counter: int) -> None:
        self.to = run.to
        self.key = run.key
        self.size = run.size
        self.tickets = list(run.texts)
        self.texts = list(run.texts.values())
        self.token = token
        self.counter = counter
        self.given_up: set[int] = set()
        self.on_the_way = 0  # transmissions in this session that were not answered yet
        self.out_of_order = False  # all of them were refused as out of order
        self.uncertain = False  # some were never answered, or not with what became of them
        self.waits = False  # for its turn, since too much was sent

    @property
    def is_not_stored(self) -> bool:
        """Every transmission was refused, and so nothing of it is stored."""
        return not self.on_the_way and not self.uncertain
