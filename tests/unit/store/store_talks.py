"""Marked messages in a database, whose marks can be found in its files."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from store_disks import SqliteDisk
from store_logs import Log, said, texts

from zchat.broker.core.port import StoredSegment, Write
from zchat.common import wire
from zchat.common.limits import SEND_MESSAGES_MAX


def marked(number: int, size: int = 8) -> str:
    """A text of about so many bytes that says its number again and again."""
    return f"<{number:06}>" * (size // 8)


def marks(directory: Path) -> set[int]:
    """The numbers of all texts of which some file of the directory holds a piece. Another process reads them:
    to close a file of the database would take away the locks that SQLite has on it in this process."""
    files = [file for file in directory.iterdir() if file.is_file()]
    read = subprocess.run(["cat", *files], check=True, stdout=subprocess.PIPE)
    return {int(number) for number in re.findall(rb"<(\d{6})>", read.stdout)}


class Talk:
    """Marked messages in `#a` of a database, and redactions of them."""

    def __init__(self, disk: SqliteDisk) -> None:
        self.disk = disk
        self.log = Log()
        self.there: dict[int, str] = {}  # by position, which is also the number

    def commit(self, *sizes: int, send: int = SEND_MESSAGES_MAX, keyed: bool = False) -> Write:
        """A commit of one segment with a text of each size, `send` of them in a Send."""
        first = self.log.last_pos + 1
        new = {number: marked(number, size) for number, size in enumerate(sizes, first)}
        self.there |= new
        all_texts = list(new.values())
        entries: Sequence[wire.Entries] = [
            said(*all_texts[start : start + send]) for start in range(0, len(all_texts), send)
        ]
        if keyed:
            entries = [wire.KeyedMessage("ann", f"key-{number}", text) for number, text in new.items()]
        return self.log.write([self.log.segment_of("#a", *entries)])

    def say(self, *sizes: int, **how: int) -> None:
        self.disk.store.write(self.commit(*sizes, **how))

    def redact(self, *positions: int, new: Sequence[StoredSegment] = ()) -> bool:
        """In a commit that has also these new segments."""
        self.there |= dict.fromkeys(positions, "")
        return self.disk.store.write(self.log.write(new, redactions=positions))

    @property
    def left(self) -> set[int]:
        return {number for number, text in self.there.items() if text}

    @property
    def found(self) -> set[int]:
        return marks(self.disk.path.parent)

    def check(self) -> None:
        """In the files is what was not redacted, and nothing else; the pages say the same."""
        assert self.found == self.left
        reader = self.disk.store.reader()
        assert texts(reader, "#a") == list(self.there.values())
        reader.close()
