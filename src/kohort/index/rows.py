"""The rows of an index as Arrow batches, in its order: what the tables of its refresh are written from; and single values of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kohort.index.columns import ArrayColumn, BehaviorRows, BooleanColumn, Column, NumberColumn, TextColumn, TimeColumn, Words

Array = Any
Batch = Any

_DICTIONARY_SHARE = 8
"""Whoever reads a batch converts its whole dictionary: a larger one than this share of the rows costs more than it saves."""
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.date()


def behavior_batches(rows: BehaviorRows, names: Sequence[str], batch_rows: int) -> Iterator[Batch]:
    """Batches of ordinal, the columns of `names`, time (timestamp in microseconds) and arrival."""
    for start in range(0, len(rows.time), batch_rows):
        stop = min(start + batch_rows, len(rows.time))
        arrays = [pa.array(_ordinals(rows.offsets, start, stop))]
        arrays += [column_slice(rows.columns[name], start, stop) for name in names]
        arrays.append(pa.array(rows.time[start:stop]).view(pa.timestamp("us")))
        assert rows.arrival is not None
        arrays.append(pa.array(rows.arrival[start:stop]))
        yield pa.record_batch(arrays, names=[f"c{place}" for place in range(len(arrays))])


def _ordinals(offsets: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[np.int32]:
    first = int(np.searchsorted(offsets, start, side="right")) - 1
    past = int(np.searchsorted(offsets, stop, side="left"))
    edges = np.clip(offsets[first : past + 1], start, stop)
    return np.repeat(np.arange(first, past, dtype=np.int32), np.diff(edges))


def column_slice(column: Column, start: int, stop: int) -> Array:
    """Values of rows start to stop - 1: text as dictionary where that is small, times as timestamps and dates, decimals with 18 digits."""
    match column:
        case TextColumn():
            codes = column.codes[start:stop]
            places = pa.array(codes, mask=codes < 0)
            if len(column.dictionary) > len(codes) // _DICTIONARY_SHARE:
                return column.dictionary.take(places)
            return pa.DictionaryArray.from_arrays(places, column.dictionary)
        case NumberColumn():
            return _numbers(column, start, stop)
        case TimeColumn():
            width = pa.int64() if column.storage == "timestamp" else pa.int32()
            kind = pa.timestamp("us") if column.storage == "timestamp" else pa.date32()
            return pa.array(column.values[start:stop], mask=_nulls(column.valid, start, stop)).cast(width).view(kind)
        case BooleanColumn():
            values = column.values[start:stop]
            return pa.array(values == 1, mask=values < 0)
        case ArrayColumn():
            offsets = column.offsets[start : stop + 1]
            low, high = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
            elements, nulls = column_slice(column.elements, low, high), _nulls(column.valid, start, stop)
            mask = None if nulls is None else pa.array(nulls)
            return pa.ListArray.from_arrays(pa.array(offsets - low, type=pa.int32()), elements, mask=mask)
        case _:
            assert_never(column)


def _numbers(column: NumberColumn, start: int, stop: int) -> Array:
    values, nulls = column.values[start:stop], _nulls(column.valid, start, stop)
    if column.storage != "decimal":
        return pa.array(values, mask=nulls)
    halves = np.empty((len(values), 2), dtype=np.int64)
    halves[:, 0] = values
    halves[:, 1] = halves[:, 0] >> 63
    valid = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    buffers = [valid, pa.py_buffer(halves)]
    return pa.Array.from_buffers(pa.decimal128(max(18, column.scale), column.scale), len(values), buffers)


def _nulls(valid: Words | None, start: int, stop: int) -> npt.NDArray[np.bool_] | None:
    if valid is None:
        return None
    first = start // 64
    bits = np.unpackbits(valid[first : -(-stop // 64)].view(np.uint8), bitorder="little")
    nulls: npt.NDArray[np.bool_] = bits[start - first * 64 : stop - first * 64] == 0
    return nulls


def value_at(column: Column, place: int) -> Any:
    """One value, as a query of the refresh's table gives it: str, int, float, Decimal, bool, naive datetime in UTC, date, list or None."""
    match column:
        case TextColumn(codes, dictionary):
            code = int(codes[place])
            return None if code < 0 else dictionary[code].as_py()
        case BooleanColumn(values):
            return None if values[place] < 0 else bool(values[place])
        case ArrayColumn(offsets, elements, valid):
            if _is_null(valid, place):
                return None
            return [value_at(elements, inner) for inner in range(int(offsets[place]), int(offsets[place + 1]))]
        case NumberColumn(values, valid, storage, scale):
            if _is_null(valid, place):
                return None
            return Decimal(int(values[place])).scaleb(-scale) if storage == "decimal" else values[place].item()
        case TimeColumn(values, valid, storage):
            return None if _is_null(valid, place) else _moment(int(values[place]), storage == "date")
        case _:
            assert_never(column)


def _moment(value: int, is_date: bool) -> date | datetime:
    return _EPOCH_DAY + timedelta(days=value) if is_date else _EPOCH + timedelta(microseconds=value)


def _is_null(valid: Words | None, place: int) -> bool:
    return valid is not None and not int(valid[place >> 6]) >> (place & 63) & 1
