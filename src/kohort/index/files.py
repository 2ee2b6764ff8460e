"""Files of an index under construction: appended to, checksummed on the way, flushed to the disk when closed."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kohort.index.layout import FileFacts

Bools = npt.NDArray[np.bool_]
_CHUNK_BYTES = 1 << 24


class Files:
    """The files of one folder that are complete: name -> facts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, FileFacts] = {}
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="kohort-flush")
        self._flushing: list[Future[None]] = []

    def discard(self, stem: str) -> None:
        """Remove every file of one column."""
        for path in self.folder.glob(f"{stem}.*"):
            path.unlink()
            self.facts.pop(path.name, None)

    def flush(self, number: int) -> None:
        """Have an open file (its number) written to the disk, beside what goes on meanwhile; `settle` waits for it."""
        self._flushing.append(self._flusher.submit(_to_disk, os.dup(number)))

    def settle(self) -> None:
        """Everything is on the disk when this returns. Raises OSError. Nothing can be flushed afterwards."""
        self._flusher.shutdown()
        for one in self._flushing:
            one.result()

    def sync(self, name: str, facts: FileFacts) -> None:
        """Take in a file that was written in another way, with facts its writer knows."""
        with (self.folder / name).open("rb") as file:
            self.flush(file.fileno())
        self.facts[name] = facts

    def add_written(self, name: str) -> None:
        """The same for a file of which nothing is known."""
        self.sync(name, read_facts(self.folder / name))


def _to_disk(number: int) -> None:
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_facts(path: Path) -> FileFacts:
    """Length and checksum of a file, read in pieces."""
    length = checksum = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            length += len(piece)
            checksum = zlib.crc32(piece, checksum)
    return FileFacts(length, checksum)


def raw_bytes(values: npt.NDArray[Any]) -> memoryview:
    """The bytes of an array, without a copy where they lie together."""
    return memoryview(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)


class ArrayFile:
    """A file of plain numbers; values are appended."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name
        self._file = (files.folder / name).open("wb")
        self._length = 0
        self._checksum = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add values as they are."""
        if len(values):
            data = raw_bytes(values)
            self._file.write(data)
            self._checksum = zlib.crc32(data, self._checksum)
            self._length += data.nbytes

    def flush(self) -> None:
        """Others may read what was added."""
        self._file.flush()

    def close(self) -> None:
        """Flush to the disk and note what was written."""
        self._file.flush()
        self._files.flush(self._file.fileno())
        self._file.close()
        self._files.facts[self._name] = FileFacts(self._length, self._checksum)

    def abandon(self) -> None:
        """Give it up."""
        self._file.close()


class BitFile:
    """A file of packed bits, lowest first, in whole 64-bit words."""

    def __init__(self, files: Files, name: str) -> None:
        self._file = ArrayFile(files, name)
        self._rest: Bools = np.zeros(0, dtype=np.bool_)

    def append(self, bits: Bools) -> None:
        """Add bits."""
        every = np.concatenate((self._rest, bits)) if len(self._rest) else bits
        whole = len(every) - len(every) % 64
        self._file.append(np.packbits(every[:whole], bitorder="little"))
        self._rest = every[whole:].copy()

    def append_ones(self, count: int) -> None:
        """Add `count` bits that are 1."""
        piece = 1 << 20
        for start in range(0, count, piece):
            self.append(np.ones(min(piece, count - start), dtype=np.bool_))

    def close(self) -> None:
        """Fill the last word with zeros and flush."""
        if len(self._rest):
            self.append(np.zeros(64 - len(self._rest), dtype=np.bool_))
        self._file.close()

    def abandon(self) -> None:
        """Give it up."""
        self._file.abandon()
