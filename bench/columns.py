"""Arrow columns made from random numbers, whole arrays at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator

_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_KEY_PREFIX = b"cus_"
KEY_LENGTH = len(_KEY_PREFIX) + 16


def keys(numbers: Ints) -> pa.Array:
    """The customers' text keys: "cus_" and 16 hex digits, all different (a bijection of 64-bit numbers)."""
    mixed = _mix(numbers.astype(np.uint64))
    digits = np.empty((len(numbers), KEY_LENGTH), dtype=np.uint8)
    digits[:, : len(_KEY_PREFIX)] = np.frombuffer(_KEY_PREFIX, dtype=np.uint8)
    for place in range(16):
        digits[:, len(_KEY_PREFIX) + place] = _HEX[(mixed >> np.uint64(60 - 4 * place)) & np.uint64(15)]
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * KEY_LENGTH
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits))


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def choices(rng: Rng, count: int, values: Sequence[str], weights: Sequence[float] | None = None, null_share: float = 0.0) -> pa.Array:
    """Texts out of a small set, as a dictionary array."""
    codes = pick(rng, count, len(values), weights)
    mask = rng.random(count) < null_share if null_share else None
    return pa.DictionaryArray.from_arrays(pa.array(codes, type=pa.int32(), mask=mask), pa.array(values))


def pick(rng: Rng, count: int, size: int, weights: Sequence[float] | None = None) -> Ints:
    """Numbers 0 to size - 1, by weights; without weights the first ones are the most frequent (1/rank)."""
    shares = np.asarray(weights if weights is not None else 1.0 / np.arange(1, size + 1), dtype=np.float64)
    edges = np.cumsum(shares / shares.sum())
    return np.minimum(np.searchsorted(edges, rng.random(count), side="right"), size - 1).astype(np.int64)


def nulled(rng: Rng, array: pa.Array, share: float) -> pa.Array:
    """The array with a share of its values replaced by null."""
    return pc.if_else(pa.array(rng.random(len(array)) < share), pa.scalar(None, array.type), array)


def money(cents: Ints) -> pa.Array:
    """Exact DECIMAL(18,2) values."""
    halves = np.empty((len(cents), 2), dtype=np.int64)
    halves[:, 0], halves[:, 1] = cents, cents >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(halves)])


def cents(rng: Rng, count: int, median: float, spread: float) -> Ints:
    """Log-normal amounts in cents, at least one."""
    return np.maximum(1, np.exp(rng.normal(np.log(median * 100), spread, count))).astype(np.int64)


def days(numbers: Ints) -> pa.Array:
    """Days since 1970 as dates."""
    return pa.array(numbers.astype(np.int32), type=pa.int32()).cast(pa.date32())


def instants(micros: Ints) -> pa.Array:
    """Microseconds since 1970 as timestamps without a zone (UTC)."""
    return pa.array(micros, type=pa.int64()).cast(pa.timestamp("us"))


def lists(rng: Rng, count: int, values: pa.Array, longest: int, null_share: float) -> pa.Array:
    """Arrays of 0 to `longest` values, some null."""
    lengths = rng.integers(0, longest + 1, count)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    items = pa.array(pick(rng, int(offsets[-1]), len(values)), type=pa.int32())
    mask = pa.array(rng.random(count) < null_share)
    return pa.ListArray.from_arrays(pa.array(offsets), pc.take(values, items), mask=mask)
