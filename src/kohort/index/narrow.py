"""Whole numbers written in the narrowest type that holds them all: less to read is faster to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kohort.index.files import ArrayFile, Files

INT32_MAX = 2**31 - 1
_TYPES = ("int8", "int16", "int32", "int64")
_CHUNK_VALUES = 1 << 21


def narrowest(low: int, high: int) -> str:
    """The narrowest type that holds both.

    >>> narrowest(-1, 127), narrowest(0, 128), narrowest(0, 2**31)
    ('int8', 'int16', 'int64')
    """
    return next(name for name in _TYPES if np.iinfo(name).min <= low and high <= np.iinfo(name).max)


class NarrowFile:
    """A file of whole numbers; when one comes that does not fit, what was written is written again, wider."""

    def __init__(self, files: Files, name: str, at_least: str = "int8") -> None:
        self._files, self._name = files, name
        self._file = ArrayFile(files, name)
        self._at_least = at_least
        self.dtype = at_least
        self.low = self.high = 0
        self._empty = True

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add values (any integer type)."""
        if not len(values):
            return
        low, high = int(values.min()), int(values.max())
        self.low, self.high = (low, high) if self._empty else (min(low, self.low), max(high, self.high))
        wanted = max(self._at_least, narrowest(self.low, self.high), key=_TYPES.index)
        if self._empty:
            self.dtype, self._empty = wanted, False
        elif _TYPES.index(wanted) > _TYPES.index(self.dtype):
            self._widen(wanted)
        self._file.append(values.astype(self.dtype, copy=False))

    def _widen(self, dtype: str) -> None:
        self._file.flush()
        path = self._files.folder / self._name
        narrow = path.rename(path.with_name(f"{self._name}.narrow"))
        self._file.abandon()
        self._file = ArrayFile(self._files, self._name)
        with narrow.open("rb") as file:
            while piece := file.read(_CHUNK_VALUES * np.dtype(self.dtype).itemsize):
                self._file.append(np.frombuffer(piece, dtype=self.dtype).astype(dtype))
        narrow.unlink()
        self.dtype = dtype

    def close(self) -> None:
        """Flush to the disk and note what was written."""
        self._file.close()

    def abandon(self) -> None:
        """Give it up."""
        self._file.abandon()
