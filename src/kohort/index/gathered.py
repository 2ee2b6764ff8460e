"""Rows that come in any order, kept in memory column by column until all are there, then put in order of profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index import placing
from kohort.index.narrow import narrowest
from kohort.index.text_order import text_ranks

Array = Any
"""A pyarrow.Array."""
Batch = Any
"""A pyarrow.RecordBatch."""
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_MANY_TEXTS = 1 << 17
_MANY_SHARE = 0.1


class Column(Protocol):
    """The values of one column, row by row as they came."""

    def append(self, array: Array) -> None:
        """Add rows."""
        ...


class PlainColumn:
    """Values as Arrow has them; whole numbers in 4 bytes as long as these do."""

    def __init__(self, arrow_type: Any) -> None:
        self._type = pa.large_string() if pa.types.is_string(arrow_type) else arrow_type
        self._chunks: list[Array] = []

    def append(self, array: Array) -> None:
        """Add rows, as a copy: a column of a batch would keep all other columns of the batch in memory."""
        if pa.types.is_int64(array.type):
            ends = pc.min_max(array).as_py()
            if ends["min"] is None or (ends["min"] >= -(2**31) and ends["max"] < 2**31):
                self._chunks.append(array.cast(pa.int32(), safe=False))
                return
        self._chunks.append(pa.concat_arrays([array.cast(self._type), array.slice(0, 0).cast(self._type)]))

    @property
    def bytes(self) -> int:
        return sum(chunk.nbytes for chunk in self._chunks)

    def whole(self) -> Array:
        """All rows as one array. The chunks are given up."""
        chunks, self._chunks = self._chunks, []
        if not chunks:
            return pa.array([], type=self._type)
        if any(chunk.type != chunks[0].type for chunk in chunks):
            chunks = [chunk.cast(self._type) for chunk in chunks]
        return pa.concat_arrays(chunks)


class TextCodes:
    """Text as codes into its different values; the texts themselves where these are too many to be looked up again and again."""

    def __init__(self) -> None:
        self._codes: list[npt.NDArray[Any]] = []
        self._known: Array = pa.array([], type=pa.large_string())
        self._rows = 0
        self._plain: list[Array] | None = None

    def encoded(self, array: Array) -> Array:
        """The texts as codes of their own, as long as codes are what is kept. Any thread may ask."""
        return array if self._plain is not None or pa.types.is_dictionary(array.type) else array.dictionary_encode()

    def append(self, array: Array) -> None:
        self._rows += len(array)
        if self._plain is not None:
            plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
            self._plain.append(_copied(plain.cast(pa.large_string())))
            return
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        texts = encoded.dictionary.cast(pa.large_string())
        places = pc.index_in(texts, value_set=self._known)
        if places.null_count:
            self._known = pa.concat_arrays([self._known, texts.filter(pc.is_null(places))])
            places = pc.index_in(texts, value_set=self._known)
        lookup = np.append(np.asarray(places), np.int32(-1)).astype(narrowest(-1, len(self._known)))
        codes = encoded.indices.fill_null(len(texts)) if encoded.indices.null_count else encoded.indices
        self._codes.append(lookup[np.asarray(codes)])
        if len(self._known) > max(_MANY_TEXTS, _MANY_SHARE * self._rows):
            self._give_up_codes()

    def _give_up_codes(self) -> None:
        self._plain = [self._known.take(pa.array(codes, mask=codes < 0)) for codes in self._codes]
        self._codes = []

    @property
    def bytes(self) -> int:
        texts = self._plain if self._plain is not None else [self._known]
        return int(sum(codes.nbytes for codes in self._codes) + sum(array.nbytes for array in texts))

    def ranked(self) -> tuple[npt.NDArray[Any], Array]:
        """(codes, dictionary): code of each row (-1: null) into the sorted different texts. What was kept is given up."""
        if self._plain is not None:
            return text_ranks(self._whole_texts())
        ranks, dictionary = text_ranks(self._known)
        lookup = np.append(ranks, np.int32(-1)).astype(narrowest(-1, len(dictionary)))
        return lookup[_joined(self._codes, np.int8)], dictionary

    def ranked_in(self, order: Int32) -> tuple[npt.NDArray[Any], Array]:
        """The same for the rows of an order only, in that order; -1 stands for a row without text."""
        if self._plain is not None:
            return text_ranks(taken(self._whole_texts(), order, may_miss=True))
        codes = np.append(_joined(self._codes, np.int8), np.int8(-1))[order]
        used = np.bincount(codes + 1, minlength=len(self._known) + 1)[1:] > 0
        ranks, dictionary = text_ranks(self._known.filter(pa.array(used)))
        lookup = np.full(len(used) + 1, -1, dtype=narrowest(-1, len(dictionary)))
        lookup[:-1][used] = ranks
        return lookup[codes], dictionary

    def _whole_texts(self) -> Array:
        chunks, self._plain = [chunk.cast(pa.large_string()) for chunk in self._plain or []], []
        return pa.concat_arrays(chunks)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The rows of one batch as they are kept; rows: how many of them count."""

    rows: int
    ordinals: Int32
    times: Int64 | None
    arrivals: Int64 | None
    columns: Sequence[Array]


@dataclass(slots=True)
class Gathered:
    """Rows under way: their ordinals, for behaviors also times and arrivals, and columns. are_codes: which columns hold text as codes."""

    types: Sequence[Any]
    are_codes: Sequence[bool]
    rows: int = 0
    ordinals: list[Int32] = field(default_factory=list)
    times: list[Int64] = field(default_factory=list)
    arrivals: list[Int64] = field(default_factory=list)
    columns: list[PlainColumn | TextCodes] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = zip(self.types, self.are_codes, strict=True)
        self.columns = [TextCodes() if is_text else PlainColumn(arrow_type) for arrow_type, is_text in kinds]

    def prepared(self, ordinals: Array, times: Array | None, arrivals: Array | None, columns: Sequence[Array], nobody: int) -> Prepared:
        """What `add` adds: the part of the work that batches do not share. Any thread may do it.

        ordinals int32, times timestamps in microseconds, arrivals int64. Rows without ordinal or time are passed over; nobody: the
        number of ordinals; such rows get this one and are dropped when rows are put in order.
        """
        kept: Array | None = None
        if ordinals.null_count or (times is not None and times.null_count):
            kept = ordinals.is_valid() if times is None else pc.and_(ordinals.is_valid(), times.is_valid())
            ordinals = pc.if_else(kept, ordinals, pa.scalar(nobody, ordinals.type))
        moments = None if times is None else times.view(pa.int64())
        texts = [
            _without(array, kept) if kept is not None and is_text else array for array, is_text in zip(columns, self.are_codes, strict=True)
        ]
        return Prepared(
            len(ordinals) if kept is None else kept.true_count,
            np.array(ordinals),
            None if moments is None else np.array(moments.fill_null(0) if moments.null_count else moments),
            None if arrivals is None else np.array(arrivals),
            [column.encoded(array) if isinstance(column, TextCodes) else array for column, array in zip(self.columns, texts, strict=True)],
        )

    def add(self, part: Prepared) -> None:
        """Add the rows of a batch. One thread at a time."""
        self.rows += part.rows
        self.ordinals.append(part.ordinals)
        if part.times is not None and part.arrivals is not None:
            self.times.append(part.times)
            self.arrivals.append(part.arrivals)
        for column, array in zip(self.columns, part.columns, strict=True):
            column.append(array)

    @property
    def bytes(self) -> int:
        """Memory that the rows take."""
        arrays = sum(chunk.nbytes for chunks in (self.ordinals, self.times, self.arrivals) for chunk in chunks)
        return arrays + sum(column.bytes for column in self.columns)


def _copied(array: Array) -> Array:
    return pa.concat_arrays([array, array.slice(0, 0)])


def _without(array: Array, kept: Array) -> Array:
    """The texts of rows that are kept; null where they are not."""
    if array.offset or not pa.types.is_string(array.type):
        return pc.if_else(kept, array, pa.scalar(None, array.type))
    valid = pc.and_(array.is_valid(), kept) if array.null_count else kept
    return pa.Array.from_buffers(array.type, len(array), [valid.buffers()[1], *array.buffers()[1:]], offset=valid.offset)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where rows belong: those of ordinal o are offsets[o]:offsets[o + 1]; order[p]: the row, as it came, at place p."""

    offsets: Int32
    order: Int32
    times: Int64
    arrivals: Int64


def place_rows(rows: Gathered, size: int) -> Placed:
    """Put the rows of a behavior in order of (ordinal, time, arrival). Ordinals and times are given up."""
    ordinals, times, arrivals = _joined(rows.ordinals, np.int32), _joined(rows.times, np.int64), _joined(rows.arrivals, np.int64)
    count, offsets = len(ordinals), np.zeros(size + 2, dtype=np.int32)
    placing.tally(ordinals, offsets)
    longest = int(offsets[: size + 1].max())
    np.cumsum(offsets, out=offsets)
    order, placed_times, placed_arrivals = np.empty(count, np.int32), np.empty(count, np.int64), np.empty(count, np.int64)
    placing.place(ordinals, times, arrivals, offsets.copy(), placed_times, placed_arrivals, order)
    del ordinals, times, arrivals
    offsets = offsets[: size + 1]
    spare = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int32)
    placing.sort_slices(placed_times, placed_arrivals, order, offsets, *spare)
    return Placed(offsets, order[: rows.rows], placed_times[: rows.rows], placed_arrivals[: rows.rows])


def rows_per_profile(rows: Gathered, size: int) -> Int32:
    """How many rows each ordinal has."""
    counts = np.zeros(size + 2, dtype=np.int32)
    for ordinals in rows.ordinals:
        placing.tally(ordinals, counts)
    return counts[1 : size + 1]


def place_profiles(rows: Gathered, size: int) -> Int32:
    """For every ordinal the row that is its own, -1 where there is none. Ordinals are given up. Raises ValueError for two rows of one."""
    ordinals = _joined(rows.ordinals, np.int32)
    order = np.full(size + 1, -1, dtype=np.int32)
    order[ordinals] = np.arange(len(ordinals), dtype=np.int32)
    if int(np.count_nonzero(order[:size] >= 0)) != rows.rows:
        raise ValueError("two rows stand for one profile")
    return order[:size]


def in_pieces(order: Int32, piece_rows: int) -> Iterator[Int32]:
    """An order in pieces."""
    for start in range(0, len(order), piece_rows):
        yield order[start : start + piece_rows]


def taken(values: Array, order: Int32, *, may_miss: bool) -> Array:
    """The rows of `values` in an order; where it is -1 (only with may_miss) they are null."""
    places = pa.array(order, mask=order < 0) if may_miss else pa.array(order)
    return pc.take(values, places, boundscheck=False)


def _joined(chunks: list[Any], dtype: Any) -> npt.NDArray[Any]:
    joined = np.concatenate(chunks) if chunks else np.zeros(0, dtype=dtype)
    chunks.clear()
    return joined
