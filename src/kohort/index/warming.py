"""See to it that the kernels of all modules are compiled, once per machine, and in memory before a server is ready."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import llvmlite.binding
import numba

from kohort.index.compiled import COMPILING, KERNELS
from kohort.index.kernels import hashing, in_place, locating, marking, measuring

Progress = Callable[[int, int], None]
"""Told after every compiled function: done, in all."""
MODULES = (hashing, in_place, locating, marking, measuring)
"""All that hold kernels; reading them registers these."""

_WARM_UP = Lock()
_is_warm = False


def warm_up(progress: Progress | None = None) -> None:
    """See to it that every kernel was compiled on this machine; cheap when it was. progress: functions done, in all."""
    global _is_warm
    with _WARM_UP:
        if _is_warm:
            return
        mark = _mark()
        if mark is None or not mark.exists():
            _compile_all(progress)
            if mark is not None:
                with suppress(OSError):
                    mark.touch()
        _is_warm = True


def is_compiled() -> bool:
    """Whether every kernel was compiled on this machine before."""
    mark = _mark()
    return mark is not None and mark.exists()


def load_all(progress: Progress | None = None, rest_seconds: float = 0.0) -> None:
    """Have every kernel in memory, so that no question pays for loading it. rest_seconds: left to others after each."""
    warm_up(progress)
    _compile_all(None, rest_seconds)


def _compile_all(progress: Progress | None, rest_seconds: float = 0.0) -> None:
    work = [(one, signature) for one in KERNELS for signature in one.signatures]
    for done, (one, signature) in enumerate(work):
        with COMPILING:
            one.compile(signature)
        if rest_seconds:
            time.sleep(rest_seconds)
        if progress is not None:
            progress(done + 1, len(work))


def _mark() -> Path | None:
    """The file that says that these kernels were compiled by this compiler for this processor."""
    folder = KERNELS[0].cache_folder
    if folder is None:
        return None
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}".encode())
    for file in sorted({one.file for one in KERNELS}):
        digest.update(file.read_bytes())
        digest.update(str(file.stat().st_mtime_ns).encode())
    return folder / f"compiled-{digest.hexdigest()[:16]}"
