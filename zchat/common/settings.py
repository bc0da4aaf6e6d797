"""config.toml: settings of this account, for what neither a flag nor the environment says."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from zchat.common import files, places
from zchat.common.errors import ConfigurationError

LogLevel = Literal["debug", "info", "warning", "error"]


class ClientSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `[client]`. `timeout` is in seconds, 0 for ever."""

    link: str | None = None
    context: str | None = None
    nick: str | None = None
    key_file: str | None = None
    timeout: Annotated[float, Meta(ge=0)] | None = None


class BrokerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `[broker]`. `listen` is HOST:PORT."""

    listen: str | None = None
    advertise: str | None = None
    data_dir: str | None = None
    log_level: LogLevel | None = None
    log_file: str | None = None


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    client: ClientSettings = ClientSettings()
    broker: BrokerSettings = BrokerSettings()


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
    """A path as a setting has it: `~` is the home, and it is relative to the file's directory."""
    return places.config_dir() / Path(setting).expanduser()


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
        return msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}. There are: {_known()}") from None


def _known() -> str:
    sections = {"client": ClientSettings, "broker": BrokerSettings}
    return "; ".join(f"[{name}] {', '.join(one.__struct_fields__)}" for name, one in sections.items())
