"""Open an index: its files become arrays without being read; pages come in when something looks at them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kohort.index.columns import (
    ArrayColumn,
    BehaviorRows,
    BooleanColumn,
    Column,
    NumberColumn,
    ProfileIndex,
    TextColumn,
    TimeColumn,
    Words,
)
from kohort.index.layout import ID_RANK, LIVE, BehaviorFacts, ColumnFacts, Manifest, index_folder, read_manifest


def open_index(root: Path, parent_id: int, refresh_number: int, stamp: str | None = None) -> ProfileIndex | None:
    """The index of one refresh; None when there is none, or its manifest is damaged or a file is missing or of another length.

    stamp: the index must have been built with it (None: whatever it was).

    Contents are not read here: `verify_index` does that. The arrays are read-only and stay valid when the folder is removed.
    """
    folder = index_folder(root, parent_id, refresh_number)
    manifest = read_manifest(folder)
    if manifest is None or (manifest.parent_id, manifest.refresh_number) != (parent_id, refresh_number):
        return None
    if stamp is not None and manifest.stamp != stamp:
        return None
    try:
        return open_columns(folder, manifest)
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None


def open_columns(folder: Path, manifest: Manifest) -> ProfileIndex:
    """The columns that a manifest names. Raises OSError, ValueError, KeyError, ArrowException when a file does not fit it."""
    opened = _Folder(folder, manifest)
    live, id_rank = opened.bits(LIVE, manifest.size), opened.array(ID_RANK, np.int32, manifest.size)
    attributes = {facts.name: opened.column(facts) for facts in manifest.attributes}
    return ProfileIndex(
        manifest.parent_id,
        manifest.refresh_number,
        manifest.size,
        live,
        id_rank,
        attributes,
        {facts.name: _Folder(folder, manifest).behavior(facts) for facts in manifest.behaviors},
        opened.release,
    )


def read_ahead(root: Path, parent_id: int, refresh_number: int) -> None:
    """Ask the system to have the files of an index in memory, the small ones first, up to half of what is free."""
    if not hasattr(os, "posix_fadvise"):
        return
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    folder = index_folder(root, parent_id, refresh_number)
    for size, path in sorted((path.stat().st_size, path) for path in folder.iterdir() if path.is_file()):
        free -= size
        if free < 0:
            return
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


class _Folder:
    """Files of one index that give their memory back together."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._maps: list[mmap.mmap] = []

    def release(self) -> None:
        """The system may use the memory for something else; what is looked at again comes back from the file."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    def array(self, name: str, dtype: npt.DTypeLike, length: int) -> npt.NDArray[Any]:
        """A whole file as `length` values."""
        expected = length * np.dtype(dtype).itemsize
        with (self._folder / name).open("rb") as file:
            actual = file.seek(0, 2)
            if not expected == actual == self._manifest.files[name].bytes:
                raise ValueError(f"{name}: {actual} bytes, not {expected}")
            if not length:
                return np.zeros(0, dtype=dtype)
            self._maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return np.frombuffer(self._maps[-1], dtype=dtype)

    def bits(self, name: str, length: int) -> Words:
        return self.array(name, np.uint64, -(-length // 64))

    def _valid(self, facts: ColumnFacts) -> Words | None:
        return self.bits(f"{facts.stem}.valid", facts.rows) if f"{facts.stem}.valid" in self._manifest.files else None

    def behavior(self, facts: BehaviorFacts) -> BehaviorRows:
        return BehaviorRows(
            self.array(f"{facts.stem}.offsets", np.int32, self._manifest.size + 1),
            self.array(f"{facts.stem}.time", np.int64, facts.rows),
            {column.name: self.column(column) for column in facts.columns},
            self.array(f"{facts.stem}.arrival", facts.arrival, facts.rows) if f"{facts.stem}.arrival" in self._manifest.files else None,
            facts.longest,
            facts.latest,
            self.release,
        )

    def column(self, facts: ColumnFacts) -> Column:
        match facts.storage:
            case "text":
                return self._text(facts)
            case "int64" | "float64" | "decimal":
                return self._number(facts)
            case "timestamp" | "date":
                values = self.array(f"{facts.stem}.values", facts.dtype, facts.rows)
                return TimeColumn(values, self._valid(facts), facts.storage)
            case "boolean":
                return BooleanColumn(self.array(f"{facts.stem}.values", np.int8, facts.rows), facts.nulls > 0)
            case "text_array" | "int64_array" | "float64_array":
                return self._list(facts)
            case _:
                assert_never(facts.storage)

    def _number(self, facts: ColumnFacts) -> NumberColumn:
        assert facts.storage in ("int64", "float64", "decimal")
        values = self.array(f"{facts.stem}.values", facts.dtype, facts.rows)
        return NumberColumn(values, self._valid(facts), facts.storage, facts.scale, max(abs(facts.low), abs(facts.high)))

    def _text(self, facts: ColumnFacts) -> TextColumn:
        name = f"{facts.stem}.dictionary"
        path = self._folder / name
        if path.stat().st_size != self._manifest.files[name].bytes:
            raise ValueError(f"{name}: not {self._manifest.files[name].bytes} bytes")
        with path.open("rb") as file:
            self._maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        texts = pa.ipc.open_file(pa.py_buffer(self._maps[-1])).get_batch(0).column(0)
        if len(texts) != facts.distinct:
            raise ValueError(f"{name}: {len(texts)} texts, not {facts.distinct}")
        return TextColumn(self.array(f"{facts.stem}.codes", facts.dtype, facts.rows), texts, facts.nulls > 0)

    def _list(self, facts: ColumnFacts) -> ArrayColumn:
        assert facts.elements is not None
        elements = self._text(facts.elements) if facts.storage == "text_array" else self._number(facts.elements)
        return ArrayColumn(self.array(f"{facts.stem}.offsets", np.int32, facts.rows + 1), elements, self._valid(facts))
