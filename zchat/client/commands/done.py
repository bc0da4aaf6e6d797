"""Printing what the broker has done: when that fails, it is done all the same."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zchat.client.commands.running import Interrupted
from zchat.common.errors import ConfigurationError, OutcomeUnknown


@contextmanager
def printing(done: str, then: str) -> Iterator[None]:
    """Around the printing of what follows from an act. `done` says what there is now, and `then` what to do
    about it if it cannot be printed. Raises OutcomeUnknown for that: whoever called does not know it."""
    try:
        if sys.stdout is None:
            raise ConfigurationError("stdout is closed")
        yield
    except BrokenPipeError:
        why = "the reader of stdout has gone"
    except ConfigurationError as error:
        why = str(error)
    except (asyncio.CancelledError, Interrupted):
        why = "it was interrupted"
    else:
        return
    raise OutcomeUnknown(f"{done}, but that could not be printed: {why}. {then}", None)
