"""Contexts: brokers by a name of one's own, one of them the current one."""

import re
from contextlib import suppress
from pathlib import Path

from zchat.common import files, keys, links, places
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")


def names() -> list[str]:
    """All contexts, sorted. Raises ConfigurationError without a home."""
    directory = _directory()
    return (
        sorted(path.name for path in directory.iterdir() if _is_name(path.name)) if directory.is_dir() else []
    )


def link_of(name: str) -> Link:
    """The broker of a context; raises ConfigurationError when there is none of that name."""
    path = _path(name)
    try:
        return links.parse(path.read_text(encoding="utf-8")).without_secret()
    except FileNotFoundError:
        raise _missing(name) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the context {path}: {files.why(error)}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def current() -> str | None:
    """The name of the current context, whether or not there is one of that name; None: none was chosen, or
    there is no home. Raises ConfigurationError when it cannot be read."""
    try:
        path = _current_path()
    except ConfigurationError:
        return None
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {files.why(error)}") from None


def use(name: str) -> None:
    """Make a context the current one. Raises ConfigurationError when there is none of that name."""
    link_of(name)
    _write(_current_path(), name)


def remove(name: str) -> None:
    """Forget a context; keys and cursors stay. Raises ConfigurationError when there is none of that name."""
    try:
        _path(name).unlink()
        if current() == name:
            _current_path().unlink(missing_ok=True)
    except FileNotFoundError:
        raise _missing(name) from None
    except OSError as error:
        raise ConfigurationError(f"cannot remove the context {name}: {files.why(error)}") from None


def save(link: Link) -> str:
    """Keep a broker as a context, the current one if there was none; the context's name.

    A broker that is known by its key has moved: its context gets the new address. A new one is called by its
    host. The secret of an invite is not kept. Raises ConfigurationError when that cannot be written.
    """
    link = link.without_secret()
    name = of(link.key)
    if name is None or link_of(name) != link:
        name = name or _new_name(link)
        _write(_path(name), str(link))
    if current() is None:
        _write(_current_path(), name)
    return name


def of(key: str) -> str | None:
    """The name of the context of the broker with this public key (Z85), if there is one."""
    return next((name for name, link in _readable().items() if link.key == key), None)


def at(host: str, port: int) -> Link | None:
    """The broker at an address, if a context has it."""
    wanted = (host.lower(), port)
    return next((link for link in _readable().values() if (link.host.lower(), link.port) == wanted), None)


def _readable() -> dict[str, Link]:
    """All contexts but those that are damaged: these are told when they are named."""
    found: dict[str, Link] = {}
    for name in names():
        with suppress(ConfigurationError):
            found[name] = link_of(name)
    return found


def _missing(name: str) -> ConfigurationError:
    known = ", ".join(names())
    there = f"There are: {known}" if known else "There is none; zchat connect LINK makes one"
    called = "of that name, and what was given may be a secret key" if keys.may_be_secret(name) else name
    return ConfigurationError(f"there is no context {called}. {there}")


def _new_name(link: Link) -> str:
    taken = names()
    host = re.sub(r"[^A-Za-z0-9._-]", "-", link.host).lstrip(".-")[:200] or "broker"
    candidates = [host, f"{host}-{link.port}", *(f"{host}-{link.port}-{n}" for n in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)


def _write(path: Path, line: str) -> None:
    try:
        files.replace(path, f"{line}\n")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None


def _path(name: str) -> Path:
    if not _is_name(name):
        called = "that: it may be a secret key" if keys.may_be_secret(name) else repr(name)
        raise ConfigurationError(f"no context can be called {called}")
    return _directory() / name


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _directory() -> Path:
    return places.contexts_dir()


def _current_path() -> Path:
    return places.contexts_dir().with_name("context")
