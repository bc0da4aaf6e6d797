"""Another key for a nick: on disk before the broker hears of it, in place of the old one once it has it."""

import asyncio
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zchat.client.identity import Identity
from zchat.common import files, keys
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, OutcomeUnknown, StateInUse, Unreachable, WrongIdentity
from zchat.common.keys import KeyPair

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_NOT_THAT_KEY = (Refusal.NICK_TAKEN, Refusal.KEY_BOUND)  # the latter: somebody else took it since, as theirs
_UNKNOWN = "nobody knows yet which of both keys the broker has. Both are kept: zchat key rotate finds out"


def is_unfinished(who: Identity) -> bool:
    """Whether a change of the key that is kept here was begun, and may have been done by the broker."""
    return who.secret is None and who.key_file is None and _next_file(who).exists()


async def rotate(who: Identity, timeout: float | None) -> KeyPair:
    """Give the nick a new key, in place of the one that is kept here, and return it.

    The new key is on disk, beside the old one, before the broker is asked (protocol.md, Keys of a User), and
    takes its place in one step when the broker has it. Wherever that breaks off, the next call finds out
    which of both the broker has, and goes on from there. Raises what a client raises; OutcomeUnknown when
    even that could not be found out; StateInUse while another one does the same.
    """
    with _alone(who.own_key_file().parent):
        _remove_leftovers(_next_file(who))
        new = await changed(who, _next_file(who), timeout)
        _put_in_place(_next_file(who), who.own_key_file())
    return new


async def changed(who: Identity, file: Path, timeout: float | None) -> KeyPair:
    """Have the broker take the key in `file`, which is drawn if there is none, in place of that of `who`.
    Returns it once the broker has it, now or since an earlier call. Raises as `rotate`."""
    old, is_asked = who.key(), False
    try:
        async with _client(who, old, timeout) as client:
            new = keys.load_or_draw(file)
            if new == old:
                raise ConfigurationError(f"{file} has the present key: name a file that does not exist")
            is_asked = True
            await client.change_key(new.public)
            return new
    except asyncio.CancelledError:
        if not is_asked:
            raise
        raise OutcomeUnknown(f"interrupted: {_UNKNOWN}", None) from None
    except WrongIdentity as error:
        if error.refusal not in _NOT_THAT_KEY or not file.exists():
            raise
        return await _confirmed(who, file, timeout, error)
    except OutcomeUnknown as error:
        return await _confirmed(who, file, timeout, error)


async def _confirmed(
    who: Identity, file: Path, timeout: float | None, error: WrongIdentity | OutcomeUnknown
) -> KeyPair:
    """The key in the file, if the broker has it: then the answer was lost, and `error` is what came of that,
    or an earlier call broke off."""
    new = keys.load_or_draw(file)
    try:
        async with _client(who, new, timeout):
            return new
    except (Unreachable, OutcomeUnknown, asyncio.CancelledError):
        raise OutcomeUnknown(f"the broker gave no answer in time: {_UNKNOWN}", None) from None
    except WrongIdentity:
        if isinstance(error, OutcomeUnknown):  # it may still be on its way
            raise OutcomeUnknown(f"the broker gave no answer in time: {_UNKNOWN}", None) from None
        raise WrongIdentity(
            f"{error}, and the broker has not the one in {file} either. If {who.nick} is yours, ask who runs "
            f"it for zchat invite --nick {who.nick}",
            error.refusal,
        ) from None


def _client(who: Identity, key: KeyPair, timeout: float | None) -> "AsyncClient":
    from zchat.client.aio import AsyncClient

    return AsyncClient(who.link, who.nick, key=key, invite="", quiet=True, register=False, timeout=timeout)


def _next_file(who: Identity) -> Path:
    path = who.own_key_file()
    return path.with_name(f"{path.name}.next")


def _remove_leftovers(file: Path) -> None:
    """Of runs that were killed while they wrote the file: whoever holds the directory is the only one."""
    for path in file.parent.glob(f".{glob.escape(file.name)}-*"):
        with suppress(OSError):
            path.unlink()


def _put_in_place(new: Path, old: Path) -> None:
    try:
        os.replace(new, old)
        descriptor = os.open(old.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"the broker has the new key, but {new} cannot take the place of {old}: {files.why(error)}. "
            "zchat key rotate tries again"
        ) from None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Holds the directory: two rotations at once would take each other's files. Raises StateInUse."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise ConfigurationError(f"cannot use {directory}: {files.why(error)}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateInUse("another zchat key rotate is under way") from None
        yield
    finally:
        os.close(descriptor)
