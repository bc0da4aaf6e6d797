"""`import zchat` is cheap, and has the names that it promises."""

import subprocess
import sys

import pytest

import zchat


def test_every_public_name_is_there() -> None:
    for name in zchat.__all__:
        assert getattr(zchat, name).__name__ == name
    with pytest.raises(AttributeError):
        zchat.Nothing  # type: ignore[attr-defined]


def test_importing_loads_neither_zeromq_nor_asyncio() -> None:
    code = "import sys, zchat; assert not {'zmq', 'asyncio', 'msgspec'} & set(sys.modules); zchat.Client"
    subprocess.run([sys.executable, "-c", code], check=True)
