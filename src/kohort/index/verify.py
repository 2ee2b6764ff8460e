"""Read a whole index and say what is wrong with it: files that changed, and contents that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.foundation.issues import Issues
from kohort.index.columns import ArrayColumn, BehaviorRows, BooleanColumn, Column, NumberColumn, ProfileIndex, TextColumn, TimeColumn, Words
from kohort.index.files import read_facts
from kohort.index.layout import BehaviorFacts, ColumnFacts, Manifest, index_folder, read_manifest
from kohort.index.open import open_columns

Progress = Callable[[str, int, int], None]
Ints = npt.NDArray[Any]

_CHUNK = 1 << 22


def verify_index(root: Path, parent_id: int, refresh_number: int, progress: Progress | None = None, stamp: str | None = None) -> Issues:
    """Every damage found: INDEX_MISSING, INDEX_OF_ANOTHER_REFRESH (by `stamp`), INDEX_DAMAGED.

    Reads all files; contents are looked at when every file is as it was written.
    """
    issues, folder = Issues(), index_folder(root, parent_id, refresh_number)
    hint = "build it anew with: kohort index build"
    if not folder.is_dir():
        issues.error("INDEX_MISSING", f"refresh {refresh_number} has no index", hint=hint)
        return issues
    manifest = read_manifest(folder)
    if manifest is None:
        issues.error("INDEX_DAMAGED", "the manifest is missing, damaged or of another format", hint=hint)
        return issues
    if stamp is not None and manifest.stamp != stamp:
        issues.error("INDEX_OF_ANOTHER_REFRESH", f"this is the index of another refresh {refresh_number}: it is not used", hint=hint)
        return issues
    for problem in _changed_files(folder, manifest, progress or _silent):
        issues.error("INDEX_DAMAGED", problem, hint=hint)
    if issues.ok:
        for problem in _contradictions(folder, manifest):
            issues.error("INDEX_DAMAGED", problem, hint=hint)
    return issues


def _silent(name: str, done: int, total: int) -> None:
    """Nobody listens."""


def _changed_files(folder: Path, manifest: Manifest, progress: Progress) -> Iterator[str]:
    for done, (name, facts) in enumerate(manifest.files.items()):
        progress("Read the index", done, len(manifest.files))
        try:
            found = read_facts(folder / name)
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        if found.bytes != facts.bytes:
            yield f"{name} has {found.bytes} bytes instead of {facts.bytes}"
        elif found.checksum != facts.checksum:
            yield f"the contents of {name} changed"
    progress("", len(manifest.files), len(manifest.files))


def _contradictions(folder: Path, manifest: Manifest) -> Iterator[str]:
    try:
        index = open_columns(folder, manifest)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        yield f"the files do not fit the manifest: {error}"
        return
    live = _bools(index.live, index.size)
    yield from _profiles(index, live, manifest)
    for facts in manifest.attributes:
        if facts.rows != index.size:
            yield f"{facts.name} has {facts.rows} rows instead of {index.size}"
        yield from _column(facts.name, index.attributes[facts.name], facts)
    for behavior in manifest.behaviors:
        yield from _behavior(behavior, index.behaviors[behavior.name], live)


def _profiles(index: ProfileIndex, live: npt.NDArray[np.bool_], manifest: Manifest) -> Iterator[str]:
    if int(np.bitwise_count(index.live).sum()) != manifest.profiles or int(live.sum()) != manifest.profiles:
        yield f"not {manifest.profiles} profiles are live"
    ranks = index.id_rank[live]
    whole = len(ranks) == 0 or (int(ranks.min()) >= 0 and np.array_equal(np.bincount(ranks), np.ones(len(ranks), dtype=np.int64)))
    if not whole or (index.id_rank[~live] != -1).any():
        yield "the order of the customers is not one of all profiles"


def _behavior(facts: BehaviorFacts, rows: BehaviorRows, live: npt.NDArray[np.bool_]) -> Iterator[str]:
    if not _offsets_fit(rows.offsets, facts.rows):
        yield f"{facts.name}: the rows do not belong to profiles one after the other"
        return
    if (np.diff(rows.offsets)[~live] != 0).any():
        yield f"{facts.name}: a row belongs to no profile"
    if facts.rows and (int(np.diff(rows.offsets).max()) > facts.longest or int(rows.time.max()) > facts.latest):
        yield f"{facts.name}: a profile has more rows, or a row is later, than it says"
    if not _sorted_by_time(rows):
        yield f"{facts.name}: the rows of a profile are not in order of time"
    for column in facts.columns:
        if column.rows != facts.rows:
            yield f"{facts.name}.{column.name} has {column.rows} rows instead of {facts.rows}"
        yield from _column(f"{facts.name}.{column.name}", rows.columns[column.name], column)


def _sorted_by_time(rows: BehaviorRows) -> bool:
    for start in range(0, len(rows.time), _CHUNK):
        piece = rows.time[start : start + _CHUNK + 1]
        falls = np.flatnonzero(piece[1:] < piece[:-1]) + start + 1
        found = np.searchsorted(rows.offsets, falls)
        if len(falls) and (rows.offsets[found] != falls).any():
            return False
    return True


def _offsets_fit(offsets: Ints, rows: int) -> bool:
    return bool(offsets[0] == 0 and offsets[-1] == rows and (offsets[1:] >= offsets[:-1]).all())


def _column(name: str, column: Column, facts: ColumnFacts) -> Iterator[str]:
    match column:
        case TextColumn():
            yield from _text(name, column, facts)
        case BooleanColumn():
            if _outside(column.values, -1, 1) or _count(column.values, -1) != facts.nulls:
                yield f"{name}: a value is no truth value, or not {facts.nulls} are null"
        case NumberColumn() | TimeColumn():
            yield from _nulls(name, column.valid, facts)
            if _outside(column.values, facts.low, facts.high):
                yield f"{name}: a value is smaller or larger than it says"
        case ArrayColumn():
            yield from _array(name, column, facts)
        case _:
            assert_never(column)


def _text(name: str, column: TextColumn, facts: ColumnFacts) -> Iterator[str]:
    if _outside(column.codes, -1, facts.distinct - 1):
        yield f"{name}: a code is not in the dictionary"
    if _count(column.codes, -1) != facts.nulls:
        yield f"{name}: not {facts.nulls} values are null"
    texts = column.dictionary
    if texts.null_count or not (len(texts) < 2 or pc.all(pc.less(texts.slice(0, len(texts) - 1), texts.slice(1))).as_py()):
        yield f"{name}: the dictionary is not in order"


def _array(name: str, column: ArrayColumn, facts: ColumnFacts) -> Iterator[str]:
    assert facts.elements is not None
    if not _offsets_fit(column.offsets, facts.elements.rows):
        yield f"{name}: the lists do not follow one another"
        return
    yield from _nulls(name, column.valid, facts)
    if column.valid is not None and (np.diff(column.offsets)[~_bools(column.valid, facts.rows)] != 0).any():
        yield f"{name}: a null list has elements"
    yield from _column(f"{name}[]", column.elements, facts.elements)


def _nulls(name: str, valid: Words | None, facts: ColumnFacts) -> Iterator[str]:
    found = 0 if valid is None else facts.rows - int(np.bitwise_count(valid).sum())
    if found != facts.nulls:
        yield f"{name}: {found} values are null instead of {facts.nulls}"


def _pieces(values: Ints) -> Iterator[Ints]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _outside(values: Ints, low: float, high: float) -> bool:
    return any(piece.min() < low or piece.max() > high for piece in _pieces(values))


def _count(values: Ints, value: int) -> int:
    return sum(int(np.count_nonzero(piece == value)) for piece in _pieces(values))


def _bools(words: Words, size: int) -> npt.NDArray[np.bool_]:
    return np.unpackbits(words.view(np.uint8), count=size, bitorder="little").view(np.bool_)
