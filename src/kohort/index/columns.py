"""What an open profile index consists of: arrays over ordinals (attributes) and over rows (behaviors).

All arrays may be read-only memory maps. `n` is the number of ordinals (deleted customers are holes), `m` the rows of a behavior.
`Words` are packed bits: uint64, lowest bit first, word_count(n) of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]
Narrow = npt.NDArray[np.signedinteger[Any]]
"""Whole numbers in the narrowest of int8, int16, int32 and int64 that holds them all."""
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """Text as codes into a dictionary sorted by code point; code -1 is null. dictionary: distinct, without null."""

    codes: Narrow
    dictionary: pa.StringArray | pa.LargeStringArray
    has_nulls: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """Whole numbers, float64, or (storage "decimal") whole numbers scaled by 10**scale.

    valid: None = no nulls; where it is 0 the value is 0. largest: no absolute value, as stored, is larger.
    """

    values: Narrow | Float64
    valid: Words | None
    storage: Literal["int64", "float64", "decimal"]
    scale: int = 0
    largest: float = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class TimeColumn:
    """timestamp: microseconds UTC; date: days since 1970-01-01. valid as for numbers."""

    values: Narrow
    valid: Words | None
    storage: Literal["timestamp", "date"]


@dataclass(frozen=True, slots=True, eq=False)
class BooleanColumn:
    """0 false, 1 true, -1 null."""

    values: Int8
    has_nulls: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ArrayColumn:
    """Lists: elements of position p are `elements[offsets[p]:offsets[p + 1]]`; valid 0 is a null list (of length 0)."""

    offsets: Int32
    elements: TextColumn | NumberColumn
    valid: Words | None


Column = TextColumn | NumberColumn | TimeColumn | BooleanColumn | ArrayColumn


@dataclass(frozen=True, slots=True, eq=False)
class BehaviorRows:
    """The rows of one behavior: those of ordinal o are offsets[o]:offsets[o + 1], sorted by (time, arrival).

    offsets: int32[n + 1]; time: int64[m] microseconds; columns: over rows. A field that no column can hold (a decimal wider
    than 18 digits) is missing from `columns`: its leaves fall back to SQL. arrival: the order in which rows came in. longest: the
    most rows of one profile; latest: no time is later. release: give memory of mapped files back until it is needed again.
    """

    offsets: Int32
    time: Int64
    columns: Mapping[str, Column]
    arrival: Narrow | None
    longest: int
    latest: int
    release: Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class ProfileIndex:
    """One refresh of one parent segment.

    size: n. live: bit per ordinal. id_rank: int32[n], the place of a profile in the order of cdp_customer_id (holes: -1).
    release: give memory of the mapped files of attributes back until it is needed again.
    """

    parent_id: int
    refresh_number: int
    size: int
    live: Words
    id_rank: Int32
    attributes: Mapping[str, Column]
    behaviors: Mapping[str, BehaviorRows]
    release: Callable[[], None]
