"""Files that are whole whenever somebody looks: synced first, then put in place at once."""

import os
from contextlib import suppress
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Put the text in place of the file, or make it, readable by its owner alone. Raises OSError; then
    everything is as before."""
    temporary = _written(path, text)
    try:
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def publish(path: Path, text: str) -> bool:
    """Make the file, readable by its owner alone; its name is on disk, too, on return. False, and nothing is
    changed, when there is one: of several processes the first one wins. Raises OSError."""
    temporary = _written(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


def _written(path: Path, text: str) -> str:
    import tempfile  # takes a while, and only those who write need it

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # O_EXCL, 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def why(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read or written, in words for people and without its path."""
    return "it is not text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
