"""Log lines that others cause: many of a kind are counted, none of another kind is lost for them."""

from zchat.broker.sparing import LINES_AT_ONCE, LINES_PER_SECOND, SparingLog


def test_so_many_of_a_kind_are_written() -> None:
    lines: list[tuple[str, str]] = []
    now_ms = 5
    log = SparingLog(lambda event, details: lines.append((event, details)), lambda: now_ms)
    for number in range(LINES_AT_ONCE + 100):
        log("refused", f"n={number}")
    assert lines == [("refused", f"n={number}") for number in range(LINES_AT_ONCE)]
    log("started", "")
    assert lines.pop() == ("started", "")
    lines.clear()
    now_ms += 1_000
    for _ in range(LINES_PER_SECOND + 10):
        log("refused", "")
    assert lines == [("refused", " left_out=100")] + [("refused", "")] * (LINES_PER_SECOND - 1)
    lines.clear()
    now_ms += 1_000_000
    log("refused", "")
    log("refused", "")
    assert lines == [("refused", " left_out=10"), ("refused", "")]
