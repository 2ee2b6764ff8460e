"""A file that one process at a time holds; the system lets go of it when the process ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kohort.foundation.errors import UserError


def hold(path: Path, taken: UserError) -> IO[bytes]:
    """Held until the result is closed. Raises `taken` when another process holds it."""
    lock = path.open("a+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise taken from None
    return lock


def is_held(path: Path) -> bool:
    """Whether a process holds it at this moment."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def wait_for(path: Path) -> IO[bytes]:
    """Held until the result is closed; waits for its turn."""
    lock = path.open("a+b")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextmanager
def held(path: Path, taken: UserError) -> Iterator[None]:
    """Held inside the block."""
    with hold(path, taken):
        yield
