"""Whoever reaches a port can send what is no HTTP: it is counted, and told now and then, so that it fills no log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

LOGGER = "uvicorn.error"
"""Where the HTTP server says what it thinks of clients."""
TOLD_EVERY_SECONDS = 60.0


class BrokenRequests(logging.Filter):
    """Lets each kind of complaint about clients through once a minute, with how many there were. Mistakes of ours pass as they are."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.total = 0
        self._seconds = seconds
        self._told_at: dict[str, float] = {}
        self._since: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is told now."""
        if record.levelno != logging.WARNING:
            return True
        text, now = record.getMessage(), self._seconds()
        self.total += 1
        if now - self._told_at.get(text, -TOLD_EVERY_SECONDS) < TOLD_EVERY_SECONDS:
            self._since[text] += 1
            return False
        self._told_at[text] = now
        more = self._since.pop(text, 0)
        record.msg, record.args = f"a client: {text}" + (f" ({more} more like this since it was last told)" if more else ""), ()
        return True

    def listen(self) -> BrokenRequests:
        """Begin, in place of one that listened before."""
        logger = logging.getLogger(LOGGER)
        for earlier in [found for found in logger.filters if isinstance(found, BrokenRequests)]:
            logger.removeFilter(earlier)
        logger.addFilter(self)
        return self
