"""One writer for each kind of column: takes Arrow arrays in row order, leaves files and says what it wrote."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index.files import ArrayFile, BitFile, Files, raw_bytes
from kohort.index.layout import ColumnFacts, FileFacts
from kohort.index.narrow import INT32_MAX, NarrowFile, narrowest
from kohort.parent.catalog import Field, Storage

Array: TypeAlias = Any
"""A pyarrow.Array."""

_PENDING_BYTES = 1 << 26
DICTIONARY_BYTES = 4 << 30
TOO_MANY_TEXTS = "its different texts take too much memory"
_WIDE_TEXTS = 1 << 19
_WIDE_SHARE = 0.3
_REMAP_ROWS = 1 << 22
_INT32_BYTES = (1 << 31) - 1
_DECIMAL_LIMIT = 10**18


class Wide(Exception):
    """Nearly every text is another: the column is written faster from texts that the warehouse has sorted."""


class Unfit(Exception):
    """The values cannot be held in a column; the message says why."""


class ColumnWriter(Protocol):
    """Writes one column."""

    def append(self, array: Array) -> None:
        """Add the next rows. Raises Unfit, Wide."""
        ...

    def finish(self) -> ColumnFacts:
        """Close the files. Raises Unfit, Wide."""
        ...

    def abandon(self) -> None:
        """Give up; open files are closed, not removed."""
        ...


def column_writer(files: Files, stem: str, field: Field) -> ColumnWriter:
    """The writer of a field's column."""
    match field.storage:
        case "text":
            return TextWriter(files, stem, field.name)
        case "int64" | "decimal" | "timestamp" | "date":
            return WholeWriter(files, stem, field.name, field.storage, field.scale)
        case "float64":
            return FloatWriter(files, stem, field.name)
        case "boolean":
            return BooleanWriter(files, stem, field.name)
        case "text_array":
            return ArrayWriter(files, stem, field.name, field.storage, TextWriter(files, f"{stem}.e", field.name, may_be_wide=False))
        case "int64_array":
            return ArrayWriter(files, stem, field.name, field.storage, WholeWriter(files, f"{stem}.e", field.name, "int64"))
        case "float64_array":
            return ArrayWriter(files, stem, field.name, field.storage, FloatWriter(files, f"{stem}.e", field.name))
        case _:
            assert_never(field.storage)


class _Validity:
    """Which rows are not null; a file only when some are."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name
        self._bits: BitFile | None = None
        self.rows = 0
        self.nulls = 0

    def append(self, array: Array) -> None:
        if array.null_count and self._bits is None:
            self._bits = BitFile(self._files, self._name)
            self._bits.append_ones(self.rows)
        if self._bits is not None:
            self._bits.append(np.asarray(array.is_valid()))
        self.rows += len(array)
        self.nulls += array.null_count

    def close(self) -> None:
        if self._bits is not None:
            self._bits.close()

    def abandon(self) -> None:
        if self._bits is not None:
            self._bits.abandon()


class WholeWriter:
    """Whole numbers, decimals and times; 0 where null."""

    def __init__(self, files: Files, stem: str, name: str, storage: Storage, scale: int = 0) -> None:
        self._values = NarrowFile(files, f"{stem}.values")
        self._validity = _Validity(files, f"{stem}.valid")
        self._plain = _PLAIN[storage]
        self._stem, self._name, self._storage, self._scale = stem, name, storage, scale

    def append(self, array: Array) -> None:
        values = _decimals(array, self._scale) if self._storage == "decimal" else self._plain(array)
        self._validity.append(array)
        self._values.append(values)

    def finish(self) -> ColumnFacts:
        self._values.close()
        self._validity.close()
        rows, nulls, values = self._validity.rows, self._validity.nulls, self._values
        return ColumnFacts(
            self._name, self._stem, self._storage, rows, nulls, self._scale, dtype=values.dtype, low=values.low, high=values.high
        )

    def abandon(self) -> None:
        self._values.abandon()
        self._validity.abandon()


class FloatWriter:
    """float64; 0 where null."""

    def __init__(self, files: Files, stem: str, name: str) -> None:
        self._values = ArrayFile(files, f"{stem}.values")
        self._validity = _Validity(files, f"{stem}.valid")
        self._stem, self._name = stem, name
        self._low = self._high = 0.0

    def append(self, array: Array) -> None:
        values = _numbers(array, pa.float64())
        self._validity.append(array)
        self._values.append(values)
        if len(values):
            self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))

    def finish(self) -> ColumnFacts:
        self._values.close()
        self._validity.close()
        rows, nulls = self._validity.rows, self._validity.nulls
        return ColumnFacts(self._name, self._stem, "float64", rows, nulls, dtype="float64", low=self._low, high=self._high)

    def abandon(self) -> None:
        self._values.abandon()
        self._validity.abandon()


class BooleanWriter:
    """One signed byte a row: 1, 0, and -1 for null."""

    def __init__(self, files: Files, stem: str, name: str) -> None:
        self._values = ArrayFile(files, f"{stem}.values")
        self._stem, self._name = stem, name
        self._rows = self._nulls = 0

    def append(self, array: Array) -> None:
        self._values.append(np.asarray(array.cast(pa.int8()).fill_null(-1)))
        self._rows += len(array)
        self._nulls += array.null_count

    def finish(self) -> ColumnFacts:
        self._values.close()
        return ColumnFacts(self._name, self._stem, "boolean", self._rows, self._nulls, dtype="int8", low=-1, high=1)

    def abandon(self) -> None:
        self._values.abandon()


class ArrayWriter:
    """Lists: where each row's elements begin and end, and one column of all elements."""

    def __init__(self, files: Files, stem: str, name: str, storage: Storage, elements: ColumnWriter) -> None:
        self._offsets = ArrayFile(files, f"{stem}.offsets")
        self._offsets.append(np.zeros(1, dtype=np.int32))
        self._validity = _Validity(files, f"{stem}.valid")
        self._elements = elements
        self._stem, self._name, self._storage = stem, name, storage
        self._end = 0

    def append(self, array: Array) -> None:
        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            array = array.cast(pa.list_(array.type.value_type))
        lengths = np.asarray(pc.list_value_length(array).fill_null(0)).astype(np.int64)
        ends = self._end + np.cumsum(lengths)
        self._end = int(ends[-1]) if len(ends) else self._end
        if self._end > INT32_MAX:
            raise Unfit("its lists have more than 2,147,483,647 elements")
        self._offsets.append(ends.astype(np.int32))
        self._validity.append(array)
        self._elements.append(array.flatten())

    def finish(self) -> ColumnFacts:
        self._offsets.close()
        self._validity.close()
        elements = self._elements.finish()
        return ColumnFacts(self._name, self._stem, self._storage, self._validity.rows, self._validity.nulls, elements=elements)

    def abandon(self) -> None:
        self._offsets.abandon()
        self._validity.abandon()
        self._elements.abandon()


class TextWriter:
    """Text as codes into a sorted dictionary.

    Rows are first written with codes of their own batch; at the end all batches' texts become one sorted dictionary and the
    codes are rewritten in place. Memory holds each distinct text once, and 4 bytes for each text of each batch.
    """

    def __init__(self, files: Files, stem: str, name: str, *, may_be_wide: bool = True) -> None:
        self._files, self._stem, self._name, self._may_be_wide = files, stem, name, may_be_wide
        self._codes = (files.folder / f"{stem}.codes").open("wb")
        self._known: Array = pa.array([], type=pa.large_string())
        self._pending: list[Array] = []
        self._pending_bytes = 0
        self._maps: list[npt.NDArray[np.int32]] = []
        self._ends: list[int] = []
        self._rows = self._nulls = 0

    def append(self, array: Array) -> None:
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        codes = np.asarray(encoded.indices.fill_null(-1)).astype(np.int32, copy=False)
        self._codes.write(raw_bytes(codes))
        self._rows += len(codes)
        self._nulls += encoded.indices.null_count
        texts = encoded.dictionary.cast(pa.large_string())
        self._ends.append(self._rows)
        self._pending.append(texts)
        self._pending_bytes += texts.nbytes
        if self._pending_bytes > max(_PENDING_BYTES, self._known.nbytes):
            self._fold()

    def _fold(self) -> None:
        """Merge the texts of the pending batches into the known ones (which keep their places)."""
        merged = pa.concat_arrays([self._known, *self._pending]).dictionary_encode()
        places, start = np.asarray(merged.indices), len(self._known)
        for texts in self._pending:
            self._maps.append(places[start : start + len(texts)].copy())
            start += len(texts)
        self._known, self._pending, self._pending_bytes = merged.dictionary, [], 0
        if self._known.nbytes > DICTIONARY_BYTES:
            raise Unfit(TOO_MANY_TEXTS)
        if self._may_be_wide and len(self._known) > max(_WIDE_TEXTS, _WIDE_SHARE * self._rows):
            raise Wide

    def finish(self) -> ColumnFacts:
        self._fold()
        self._codes.close()
        order = pc.sort_indices(self._known)
        texts = self._known.take(order)
        self._known = texts.slice(0, 0)
        rank = np.empty(len(texts), dtype=np.int32)
        rank[np.asarray(order)] = np.arange(len(texts), dtype=np.int32)
        dtype = narrowest(-1, len(texts) - 1)
        self._rewrite(rank, dtype)
        write_dictionary(self._files, self._stem, texts)
        high = len(texts) - 1
        return ColumnFacts(self._name, self._stem, "text", self._rows, self._nulls, distinct=len(texts), dtype=dtype, low=-1, high=high)

    def _rewrite(self, rank: npt.NDArray[np.int32], dtype: str) -> None:
        """Replace the codes of batches by places in the sorted dictionary; narrower ones, so nothing is overwritten before it is read."""
        name, width = f"{self._stem}.codes", np.dtype(dtype).itemsize
        start = checksum = 0
        with (self._files.folder / name).open("r+b") as file:
            for end, batch_map in zip(self._ends, self._maps, strict=True):
                lookup = np.append(rank[batch_map], np.int32(-1)).astype(dtype)
                for first in range(start, end, _REMAP_ROWS):
                    file.seek(first * 4)
                    count = min(_REMAP_ROWS, end - first)
                    codes = lookup[np.frombuffer(file.read(count * 4), dtype=np.int32)]
                    data = raw_bytes(codes)
                    file.seek(first * width)
                    file.write(data)
                    checksum = zlib.crc32(data, checksum)
                start = end
            file.truncate(self._rows * width)
        self._files.sync(name, FileFacts(self._rows * width, checksum))

    def abandon(self) -> None:
        self._codes.close()


def write_dictionary(files: Files, stem: str, texts: Array) -> None:
    """Write the sorted texts of a column."""
    name = f"{stem}.dictionary"
    if texts.nbytes < _INT32_BYTES:
        texts = texts.cast(pa.string())
    if len(texts) > 1 and not pc.all(pc.less(texts.slice(0, len(texts) - 1), texts.slice(1))).as_py():
        raise ValueError(f"{name}: the texts are not in order of their code points")
    batch = pa.record_batch([texts], names=["text"])
    with pa.OSFile(str(files.folder / name), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    files.add_written(name)


def _numbers(array: Array, arrow_type: Any) -> npt.NDArray[Any]:
    filled = array if array.type == arrow_type else array.cast(arrow_type)
    return np.asarray(filled.fill_null(0) if filled.null_count else filled)


def _timestamps(array: Array) -> npt.NDArray[Any]:
    wanted = pa.timestamp("us")
    return _numbers((array if array.type == wanted else array.cast(wanted)).view(pa.int64()), pa.int64())


def _dates(array: Array) -> npt.NDArray[Any]:
    wanted = pa.date32()
    return _numbers((array if array.type == wanted else array.cast(wanted)).view(pa.int32()), pa.int64())


def _decimals(array: Array, scale: int) -> npt.NDArray[Any]:
    """Decimals as int64 scaled by 10**scale. Raises Unfit beyond 18 digits."""
    wanted = pa.decimal128(38, scale)
    array = array if pa.types.is_decimal128(array.type) and array.type.scale == scale else array.cast(wanted)
    if array.null_count:
        array = array.fill_null(pa.scalar(Decimal(0), array.type))
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    halves = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    low, high = halves[0::2], halves[1::2]
    fits = (high == low >> 63) & (low > -_DECIMAL_LIMIT) & (low < _DECIMAL_LIMIT)
    if not fits.all():
        raise Unfit("a value has more than 18 digits")
    return np.ascontiguousarray(low)


_PLAIN: dict[Storage, Callable[[Array], npt.NDArray[Any]]] = {
    "int64": lambda array: _numbers(array, pa.int64()),
    "timestamp": _timestamps,
    "date": _dates,
    "decimal": lambda array: _decimals(array, 0),
}
