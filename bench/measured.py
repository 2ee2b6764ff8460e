"""What one part measured, and the memory its process took."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Generic, TypeVar

T = TypeVar("T")
SAMPLE_SECONDS = 0.02
REPEAT_WITHIN_SECONDS = 60.0
"""Work is measured up to `MOST_RUNS` times, as long as the next run may be expected to end within this time; the best time counts."""
MOST_RUNS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """seconds: wall time of the work itself (None: not measured, `problem` says why); facts: what else is worth showing.

    peak_bytes: of the whole process, mapped files included; anonymous_bytes: without them (None where the system does not tell).
    """

    seconds: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    peak_bytes: int = 0
    anonymous_bytes: int | None = None
    problem: str = ""


@dataclass
class Memory:
    """The most memory of this process so far, looked at every 20 ms."""

    anonymous_bytes: int = 0

    def look(self) -> None:
        self.anonymous_bytes = max(self.anonymous_bytes, _anonymous())

    @property
    def peak_bytes(self) -> int:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def watched() -> Iterator[Memory]:
    """Memory while the block runs."""
    memory, stop = Memory(), threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            memory.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()
        memory.look()


def _anonymous() -> int:
    """Bytes of memory that no file stands behind; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    _, _, rest = status.partition(b"RssAnon:")
    return int(rest.split(None, 1)[0]) * 1024 if rest else 0


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """(seconds, what came of it)."""
    started = perf_counter()
    outcome = work()
    return perf_counter() - started, outcome


@dataclass(frozen=True, slots=True)
class Best(Generic[T]):
    """The fastest of some runs. cpu_seconds: of all threads of this process, in that run; outcome: of the last one."""

    seconds: float
    cpu_seconds: float
    outcome: T
    runs: int


def best(work: Callable[[], T], most: int = MOST_RUNS) -> Best[T]:
    """Run again while that stays within a minute; the best time counts."""
    spent: list[tuple[float, float]] = []
    while True:
        cpu = process_time()
        seconds, outcome = timed(work)
        spent.append((seconds, process_time() - cpu))
        if len(spent) >= most or sum(one for one, _ in spent) + seconds > REPEAT_WITHIN_SECONDS:
            return Best(*min(spent), outcome, len(spent))


def median(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


def percentile(seconds: list[float], share: float) -> float:
    """The smallest measured time that `share` of all do not exceed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
