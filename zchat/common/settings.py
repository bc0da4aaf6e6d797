"""config.toml: settings of this account, for what neither a flag nor the environment says."""

import os
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from zchat.common import files, places
from zchat.common.errors import ConfigurationError

SECONDS_MAX = 1e9  # thirty years; infinity is no number to wait for, 0 is
Registration = Literal["open", "invite"]
LogLevel = Literal["debug", "info", "warning", "error"]


class ClientSettings(Struct, frozen=True):
    """Section `[client]`. `timeout` is in seconds, 0 for ever."""

    link: str | None = None
    context: str | None = None
    nick: str | None = None
    key_file: str | None = None
    timeout: Annotated[float, Meta(ge=0, le=SECONDS_MAX)] | None = None


class BrokerSettings(Struct, frozen=True):
    """Section `[broker]`. `listen` is HOST:PORT, `limits` the section `[broker.limits]`."""

    listen: str | None = None
    advertise: str | None = None
    data_dir: str | None = None
    log_level: LogLevel | None = None
    log_file: str | None = None
    registration: Registration | None = None
    limits: dict[str, Annotated[int, Meta(ge=1, lt=2**53)]] | None = None


class Settings(NamedTuple):
    """The file."""

    client: ClientSettings = ClientSettings()
    broker: BrokerSettings = BrokerSettings()


_SECTIONS: dict[str, type[Struct]] = {"client": ClientSettings, "broker": BrokerSettings}
_WANTED = {
    "timeout": "a number of seconds, 0 for ever",
    "log_level": "debug, info, warning or error",
    "registration": "open or invite",
    "limits": "a section of its own, [broker.limits], with whole numbers from 1 on",
}


def client() -> ClientSettings:
    """The section of clients. Raises ConfigurationError for what is no setting."""
    return _settings().client


def broker() -> BrokerSettings:
    """The section of brokers. Raises ConfigurationError for what is no setting."""
    return _settings().broker


def broker_dir() -> Path:
    """Where a broker of this account keeps its files unless it is told otherwise: ZCHAT_DATA_DIR, then the
    settings, then where such things are kept. Raises ConfigurationError."""
    chosen = None if os.environ.get("ZCHAT_DATA_DIR") else broker().data_dir
    return places.broker_dir() if chosen is None else path_in(chosen)


def path_in(setting: str) -> Path:
    """A path as a setting has it: `~` is the home, and it is relative to the file's directory. Raises
    ConfigurationError without a home."""
    try:
        return places.config_dir() / Path(setting).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"there is no home directory for {setting} in config.toml") from None


def _settings() -> Settings:
    try:
        path = places.settings_file()
    except ConfigurationError:  # no home: there is no file either
        return Settings()
    return _read(path)


@lru_cache(maxsize=1)
def _read(path: Path) -> Settings:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the settings {path}: {files.why(error)}") from None
    import tomllib

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    try:
        _look_for_strangers(content)
        return Settings(**{section: _section(section, entries) for section, entries in content.items()})
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _look_for_strangers(content: dict[str, Any]) -> None:
    """Raises ValueError for a section or a key that does not exist, and says which was meant."""
    for section, entries in content.items():
        for name, known in _SECTIONS.items():
            if section in known.__struct_fields__:
                raise ValueError(f"{section} stands in no section. Write it below [{name}]")
        if section not in _SECTIONS:
            raise ValueError(f"there is no section [{section}]. {_meant(section, _SECTIONS)}")
        if not isinstance(entries, dict):
            raise ValueError(f"{section} is a section: [{section}] stands in a line of its own")
        fields = _SECTIONS[section].__struct_fields__
        for key in entries:
            if key not in fields:
                raise ValueError(f"[{section}] has no setting {key}. {_meant(key, fields)}")


def _section(section: str, entries: dict[str, Any]) -> Any:
    """Raises ValueError for a value that is not of its kind."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(_SECTIONS[section])}
    for key, value in entries.items():
        if key == "limits" and isinstance(value, dict):
            _check_limits(value)
        try:
            msgspec.convert(value, kinds[key])
        except msgspec.ValidationError:
            wanted = _WANTED.get(key, "text in quotes")
            raise ValueError(f"[{section}] {key} has to be {wanted}; it says {_toml(value)}") from None
    return msgspec.convert(entries, _SECTIONS[section])


def _check_limits(entries: dict[str, Any]) -> None:
    """Raises ValueError for the first one that is no number of the kind, by its name."""
    for key, value in entries.items():
        if type(value) is not int or not 1 <= value < 2**53:
            raise ValueError(
                f"[broker.limits] {key} has to be a whole number from 1 on; it says {_toml(value)}"
            )


def _toml(value: Any) -> str:
    """As it stands in the file, but for what is long."""
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)


def _meant(typed: str, known: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(typed, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}"
