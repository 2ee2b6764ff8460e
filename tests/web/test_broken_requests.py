"""Complaints about clients are counted and told once a minute."""

from __future__ import annotations

import logging

from kohort.web.broken_requests import BrokenRequests


def record(text: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", level, "", 0, text, (), None)


def test_each_kind_is_told_once_a_minute_with_how_many() -> None:
    now = [0.0]
    broken = BrokenRequests(lambda: now[0])
    told = [broken.filter(record("Invalid HTTP request received.")) for _ in range(1_000)]
    assert (told.count(True), told[0], broken.total) == (1, True, 1_000)
    assert broken.filter(record("Unsupported upgrade request."))
    now[0] = 60.0
    later = record("Invalid HTTP request received.")
    assert broken.filter(later)
    assert later.getMessage() == "a client: Invalid HTTP request received. (999 more like this since it was last told)"


def test_mistakes_of_ours_are_told_each_time() -> None:
    broken = BrokenRequests(lambda: 0.0)
    assert [broken.filter(record("Exception in ASGI application", logging.ERROR)) for _ in range(3)] == [True] * 3
    assert broken.total == 0


def test_one_listens_at_a_time() -> None:
    first, second = BrokenRequests().listen(), BrokenRequests().listen()
    logger = logging.getLogger("uvicorn.error")
    assert first not in logger.filters
    assert second in logger.filters
    logger.removeFilter(second)
