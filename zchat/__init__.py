"""zchat: chat and messaging for people, scripts and bots over ZeroMQ."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.messages import Message, Sent
    from zchat.client.sync import Client
    from zchat.common.errors import (
        Closed,
        ConfigurationError,
        OutcomeUnknown,
        Refused,
        Unreachable,
        WrongIdentity,
        ZchatError,
    )

__version__ = "0.1.0"
__all__ = [
    "AsyncClient",
    "Client",
    "Closed",
    "ConfigurationError",
    "Message",
    "OutcomeUnknown",
    "Refused",
    "Sent",
    "Unreachable",
    "WrongIdentity",
    "ZchatError",
]

_MODULES = {
    "AsyncClient": "zchat.client.aio",
    "Client": "zchat.client.sync",
    "Message": "zchat.client.messages",
    "Sent": "zchat.client.messages",
}


def __getattr__(name: str) -> object:
    """The public names, each imported when it is first used: `zchat --help` loads no ZeroMQ (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(_MODULES.get(name, "zchat.common.errors")), name)
    globals()[name] = found
    return found
