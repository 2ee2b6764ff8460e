"""How the C library keeps memory for a process with many threads."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
"""Parameter of mallopt(3) in the GNU C library."""


def share_arenas(count: int = 1) -> None:
    """Let threads share so many heaps: each one more keeps what its busiest moment took. Where the C library is another one: nothing."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  only the GNU C library has it
        library.mallopt(_M_ARENA_MAX, count)


__all__ = ["share_arenas"]
