"""Compiled functions: written in Python, compiled once per machine, kept on disk beside their modules (or in NUMBA_CACHE_DIR)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])
Progress = Callable[[int, int], None]
"""Told after every compiled function: done, in all."""

INT64 = types.int64
FLAG = types.boolean


def array(scalar: Any) -> Any:
    """The type of an array that is only read."""
    return types.Array(scalar, 1, "C", readonly=True)


def output(scalar: Any) -> Any:
    """The type of an array that is written."""
    return types.Array(scalar, 1, "C")


@dataclass(frozen=True, slots=True)
class _Kernel:
    dispatcher: Any
    signatures: tuple[tuple[Any, ...], ...]


_KERNELS: list[_Kernel] = []
_LOCK = Lock()
_compiled = 0


def helper(function: F) -> F:
    """A function that kernels of the same module call."""
    found: Any = numba.njit(inline="always")(function)
    return found  # type: ignore[no-any-return]


def kernel(*signatures: tuple[Any, ...]) -> Callable[[F], F]:
    """A function compiled for exactly these argument types; it runs without the interpreter's lock and returns nothing."""

    def register(function: F) -> F:
        dispatcher: Any
        try:
            dispatcher = numba.njit(nogil=True, cache=True)(function)
        except RuntimeError:  # no folder to keep compiled code in
            dispatcher = numba.njit(nogil=True)(function)
        _KERNELS.append(_Kernel(dispatcher, signatures))
        return dispatcher  # type: ignore[no-any-return]

    return register


def warm_up(progress: Progress | None = None) -> None:
    """Compile, or load from disk, every kernel. Cheap when done before. progress: functions done, in all; only told of compiling."""
    from kohort.index import kernels

    global _compiled
    with _LOCK:
        assert kernels.__name__
        total = len(_KERNELS)
        while _compiled < total:
            one = _KERNELS[_compiled]
            for signature in one.signatures:
                one.dispatcher.compile(types.void(*signature))
            one.dispatcher.disable_compile()
            _compiled += 1
            if progress is not None and one.dispatcher.stats.cache_misses:
                progress(_compiled, total)
