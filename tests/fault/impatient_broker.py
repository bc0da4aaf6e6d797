"""`zchat broker`, but it asks for signs of life more often, so that silence is noticed in two seconds."""

from zchat.__main__ import main
from zchat.broker.core.limits import Limits

if __name__ == "__main__":
    Limits.__new__.__defaults__ = tuple(Limits(heartbeat_ms=500, timeout_ms=2_000))
    main()
