"""Runs engine calls so that Ctrl-C always stops them at once and never tears them in half."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

Result = TypeVar("Result")

_INTERRUPT_EVERY_SECONDS = 0.05


class InterruptibleRunner:
    """Runs one call at a time on a thread of its own, while the calling thread stays free to receive Ctrl-C.

    The engine looks at Python signals in few places only: a long CREATE TABLE would hold Ctrl-C back until its end.
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kohort-duckdb")

    def run(self, call: Callable[[], Result], interrupt: Callable[[], None]) -> Result:
        """The call's result. On Ctrl-C: interrupt it, wait until it has stopped, raise KeyboardInterrupt."""
        future = self._worker.submit(call)
        try:
            return future.result()
        except KeyboardInterrupt:
            _settle(future, interrupt)
            raise

    def run_to_end(self, call: Callable[[], Result]) -> Result:
        """The call's result; Ctrl-C waits until it is done (for COMMIT and ROLLBACK), then is raised."""
        future = self._worker.submit(call)
        try:
            return future.result()
        except KeyboardInterrupt:
            _settle(future, lambda: None)
            raise

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown(wait=True)


def _settle(future: Future[Result], interrupt: Callable[[], None]) -> None:
    """Interrupt until the call has ended. Repeated, since an interrupt before the call's first instruction is lost."""
    while not future.done():
        try:
            interrupt()
            future.exception(timeout=_INTERRUPT_EVERY_SECONDS)
        except (FutureTimeout, KeyboardInterrupt):
            continue
