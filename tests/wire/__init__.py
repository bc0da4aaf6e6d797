"""Raw frames against a running broker, a file for each chapter of docs/protocol.md."""

import pytest

pytest.register_assert_rewrite("tests.wire.raw")
