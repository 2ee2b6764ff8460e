"""Compiled functions: written in Python, compiled once per machine, kept on disk beside their modules (or in NUMBA_CACHE_DIR)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

INT64 = types.int64
FLAG = types.boolean

Signature = tuple[Any, ...]


def array(scalar: Any) -> Any:
    """The type of an array that is only read."""
    return types.Array(scalar, 1, "C", readonly=True)


def output(scalar: Any) -> Any:
    """The type of an array that is written."""
    return types.Array(scalar, 1, "C")


I8, I32, I64, F64, U8, U64 = map(array, (types.int8, types.int32, types.int64, types.float64, types.uint8, types.uint64))
OUT_I32, OUT_I64, OUT_F64, OUT_U8, OUT_U64 = map(output, (types.int32, types.int64, types.float64, types.uint8, types.uint64))
WHOLE = (I8, array(types.int16), I32, I64)


class Kernel:
    """A function compiled for exactly these argument types; each is loaded from disk (or compiled) when it is first called.

    It runs without the interpreter's lock and returns nothing. Signatures differ in the dtypes of their first `keyed` arguments.
    """

    def __init__(self, function: Callable[..., None], signatures: tuple[Signature, ...], keyed: int) -> None:
        self._function, self._keyed = function, keyed
        self._signatures = {tuple(str(argument.dtype) for argument in one[:keyed]): one for one in signatures}
        self._dispatchers = {one: _jit(function) for one in self._signatures.values()}
        self._loaded: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> None:
        first = arguments[0].dtype if self._keyed == 1 else tuple(one.dtype for one in arguments[: self._keyed])
        run = self._loaded.get(first)
        if run is None:
            run = self._load(first)
        run(*arguments)

    def _load(self, key: Any) -> Any:
        names = (str(key),) if self._keyed == 1 else tuple(map(str, key))
        signature = self._signatures[names]
        with COMPILING:
            if key not in self._loaded:
                self.compile(signature)
                self._loaded[key] = self._dispatchers[signature]
        return self._loaded[key]

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return tuple(self._signatures.values())

    @property
    def file(self) -> Path:
        """The module it is written in."""
        return Path(self._function.__code__.co_filename)

    def compile(self, signature: Signature) -> None:
        """Compile, or load from disk, one of the signatures. Only one thread at a time may call this.

        Each has a dispatcher of its own: to let one compile would let those that run at that moment compile, too.
        """
        dispatcher = self._dispatchers[signature]
        if not dispatcher.overloads:
            dispatcher.compile(types.void(*signature))
            dispatcher.disable_compile()

    @property
    def cache_folder(self) -> Path | None:
        """Where the compiled code is kept; None: nowhere."""
        path = next(iter(self._dispatchers.values())).stats.cache_path
        return None if path is None else Path(path)


def _jit(function: Callable[..., None]) -> Any:
    """Made when the module is read: what is kept on disk is marked with the file as it is at this moment."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep compiled code in
        return numba.njit(nogil=True)(function)


KERNELS: list[Kernel] = []
"""All that were registered: reading a module does it."""
COMPILING = Lock()


def helper(function: F) -> F:
    """A function that kernels of the same module call."""
    found: Any = numba.njit(inline="always")(function)
    return found  # type: ignore[no-any-return]


def kernel(*signatures: Signature, keyed: int = 1) -> Callable[[Callable[..., None]], Kernel]:
    """Register a function; see `Kernel`."""

    def register(function: Callable[..., None]) -> Kernel:
        KERNELS.append(Kernel(function, signatures, keyed))
        return KERNELS[-1]

    return register
