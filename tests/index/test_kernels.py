"""The compiled loops on slices longer than made-up worlds have, against what is obvious."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from kohort.index.kernels import hashing, in_place, locating, marking, measuring
from kohort.index.warming import warm_up

LENGTHS = (0, 1, 2, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 257, 1000)
RNG = np.random.default_rng(7)
INT64_MAX = 2**63 - 1


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


@pytest.fixture
def offsets() -> npt.NDArray[np.int32]:
    return np.concatenate(([0], np.cumsum(np.tile(LENGTHS, 3)))).astype(np.int32)


def parts(offsets: npt.NDArray[np.int32], values: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> list[list[Any]]:
    return [values[start:stop][chosen[start:stop]].tolist() for start, stop in pairwise(offsets)]


def mask_of(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    padded = np.zeros(-(-len(chosen) // 64) * 64, dtype=np.bool_)
    padded[: len(chosen)] = chosen
    return np.packbits(padded, bitorder="little").view(np.uint64)


def bits(words: npt.NDArray[np.uint64], count: int) -> list[bool]:
    return [bool(bit) for bit in np.unpackbits(words.view(np.uint8), count=count, bitorder="little")]


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
@pytest.mark.parametrize("masked", [False, True])
def test_distinct(offsets: npt.NDArray[np.int32], dtype: str, masked: bool) -> None:
    keys = RNG.integers(-90, 90, offsets[-1]).astype(dtype)
    chosen = RNG.random(len(keys)) < 0.7 if masked else np.ones(len(keys), dtype=np.bool_)
    counts = np.empty(len(offsets) - 1, dtype=np.int32)
    measuring.distinct(keys, offsets[:-1], offsets[1:], 0, len(counts), mask_of(chosen), masked, counts)
    assert counts.tolist() == [len(set(part)) for part in parts(offsets, keys, chosen)]


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_distinct_codes(offsets: npt.NDArray[np.int32], dtype: str) -> None:
    codes = RNG.integers(-128, 128, offsets[-1]).astype(dtype)
    chosen = RNG.random(len(codes)) < 0.5
    counts = np.empty(len(offsets) - 1, dtype=np.int32)
    measuring.distinct_codes(codes, offsets[:-1], offsets[1:], 0, len(counts), mask_of(chosen), True, -128, 4, counts)
    assert counts.tolist() == [len(set(part)) for part in parts(offsets, codes, chosen)]


@pytest.fixture
def many() -> npt.NDArray[np.int32]:
    """Thousands of mostly short slices, among them a few that are long, and a stretch of those that are empty."""
    lengths = RNG.integers(0, 6, 5000)
    lengths[[7, 1023, 1024, 3000]] = (900, 70_000, 64, 20_000)
    lengths[2000:2300] = 0
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)


@pytest.mark.parametrize("masked", [False, True])
def test_few_codes(many: npt.NDArray[np.int32], masked: bool) -> None:
    codes = RNG.integers(0, 64, many[-1]).astype(np.int8)
    chosen = RNG.random(len(codes)) < 0.5 if masked else np.ones(len(codes), dtype=np.bool_)
    counts = np.empty(len(many) - 1, dtype=np.int32)
    measuring.distinct_codes(codes, many[:-1], many[1:], 0, len(counts), mask_of(chosen), masked, 0, 1, counts)
    assert counts.tolist() == [len(set(part)) for part in parts(many, codes, chosen)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("part", ["all", "ends"])
@pytest.mark.parametrize("dtype", ["int8", "int64", "float64"])
def test_sums_of_slices(many: npt.NDArray[np.int32], masked: bool, part: str, dtype: str) -> None:
    largest = 2**62 if dtype == "int64" else 100
    values = RNG.integers(-largest, largest, many[-1]).astype(dtype) if dtype != "float64" else RNG.normal(0, 50, many[-1])
    chosen = RNG.random(len(values)) < 0.5 if masked else np.ones(len(values), dtype=np.bool_)
    starts, stops, first = many[:-1], many[1:], 64
    if part == "ends":  # few rows of each slice, so that most lie between
        starts = np.maximum(starts, stops - 1).astype(np.int32)
    totals, counts = np.empty(len(starts) - first, dtype=np.int64), np.empty(len(starts) - first, dtype=np.int64)
    add = measuring.millionths if dtype == "float64" else measuring.sums
    add(values, starts, stops, first, len(starts), mask_of(chosen), masked, totals, counts)
    whole = [int(np.trunc(v * 1e6) + np.copysign(abs(v * 1e6 - np.trunc(v * 1e6)) >= 0.5, v)) for v in values.tolist()]
    exact = whole if dtype == "float64" else values.tolist()
    for i, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        if i >= first:
            rows = [row for row in range(start, stop) if chosen[row]]
            wrapped = (sum(exact[row] for row in rows) + 2**63) % 2**64 - 2**63
            assert (totals[i - first], counts[i - first]) == (wrapped, len(rows))


def test_edges_of_many_slices(many: npt.NDArray[np.int32]) -> None:
    time = np.concatenate([np.sort(RNG.integers(0, 1000, stop - start)) for start, stop in pairwise(many)]).astype(np.int64)
    edges = np.empty(len(many) - 1, dtype=np.int32)
    locating.not_before(time, many, 0, 100, 500, edges)
    locating.not_before(time, many, 100, len(edges), 500, edges)
    assert edges.tolist() == [start + int(np.searchsorted(time[start:stop], 500)) for start, stop in pairwise(many)]


def test_slices_with_a_row_in_a_mask(many: npt.NDArray[np.int32]) -> None:
    chosen = RNG.random(many[-1]) < 0.1
    size, first = len(many) - 1, 128
    words = np.zeros(-(-(size - first) // 64), dtype=np.uint64)
    marking.any_bits(many[:-1], many[1:], first, size, mask_of(chosen), words)
    assert bits(words, size - first) == [any(part) for part in parts(many, chosen, chosen)[first:]]


@pytest.mark.parametrize("fewest", [1, 2, 8])
@pytest.mark.parametrize("empty", [False, True])
def test_windows_with_at_least_so_many_rows(many: npt.NDArray[np.int32], fewest: int, empty: bool) -> None:
    time = np.concatenate([np.sort(RNG.integers(0, 300, stop - start)) for start, stop in pairwise(many)]).astype(np.int64)
    size = len(many) - 1
    words, without = np.zeros(-(-size // 64), dtype=np.uint64), mask_of(np.zeros(1, dtype=np.bool_))
    lows, highs = np.array([fewest], dtype=np.int64), np.array([INT64_MAX], dtype=np.int64)
    in_place.sliding_counts(time, many[:-1], many[1:], 0, size, without, False, 25, lows, highs, empty, words)
    expected = []
    for start, stop in pairwise(many):
        rows = time[start:stop]
        counts = np.searchsorted(rows, rows, side="right") - np.searchsorted(rows, rows - 25, side="right")
        expected.append(bool((counts >= fewest).any()) if len(rows) else empty)
    assert bits(words, size) == expected


def test_sorted_slices_keep_the_order_of_equals(offsets: npt.NDArray[np.int32]) -> None:
    keys = RNG.integers(0, 20, offsets[-1]).astype(np.int64)
    order = np.empty(len(keys), dtype=np.int32)
    locating.sorted_slices(offsets, keys, order)
    for start, stop in pairwise(offsets):
        expected = start + np.argsort(keys[start:stop], kind="stable")
        assert order[start:stop].tolist() == expected.tolist()


@pytest.mark.parametrize("at_end", [False, True])
def test_end_rows_by_a_key(offsets: npt.NDArray[np.int32], at_end: bool) -> None:
    keys = RNG.integers(0, 30, offsets[-1]).astype(np.int16)
    arrival = RNG.permutation(len(keys)).astype(np.int32)
    chosen = RNG.random(len(keys)) < 0.6
    rows = np.empty(len(offsets) - 1, dtype=np.int32)
    locating.end_rows_by(keys, arrival, offsets[:-1], offsets[1:], 0, len(rows), mask_of(chosen), True, at_end, rows)
    best = max if at_end else min
    for found, start, stop in zip(rows.tolist(), offsets[:-1], offsets[1:], strict=True):
        among = [row for row in range(start, stop) if chosen[row]]
        assert found == (best(among, key=lambda row: (keys[row], arrival[row])) if among else -1)


@pytest.mark.parametrize("instant", [-5, 0, 17, 500, 2000])
def test_edges_and_how_many_after(offsets: npt.NDArray[np.int32], instant: int) -> None:
    time = np.concatenate([np.sort(RNG.integers(0, 1000, stop - start)) for start, stop in pairwise(offsets)]).astype(np.int64)
    edges = np.empty(len(offsets) - 1, dtype=np.int32)
    locating.not_before(time, offsets, 0, len(edges), instant, edges)
    expected = [start + int(np.searchsorted(time[start:stop], instant)) for start, stop in pairwise(offsets)]
    assert edges.tolist() == expected
    for number in (1, 2, 40):
        words = np.zeros(-(-len(edges) // 64), dtype=np.uint64)
        marking.at_least(time, offsets[:-1], offsets[1:], 0, len(edges), number, instant, words)
        assert bits(words, len(edges)) == [stop - edge >= number for edge, stop in zip(expected, offsets[1:], strict=True)]


@pytest.mark.parametrize("masked", [False, True])
def test_groups(offsets: npt.NDArray[np.int32], masked: bool) -> None:
    codes, values = RNG.integers(-1, 40, offsets[-1]).astype(np.int8), RNG.integers(-9, 10, offsets[-1]).astype(np.int16)
    chosen = RNG.random(len(codes)) < 0.4 if masked else np.ones(len(codes), dtype=np.bool_)
    lows, highs, size = np.array([3, 30], dtype=np.int64), np.array([4, INT64_MAX], dtype=np.int64), len(offsets) - 1
    slices = (offsets[:-1], offsets[1:], 0, size, mask_of(chosen), masked, lows, highs)
    words = np.zeros(-(-size // 64), dtype=np.uint64)
    inside = lambda value: 3 <= value <= 4 or value >= 30  # noqa: E731
    in_place.group_counts(codes, *slices, words)
    assert bits(words, size) == [any(map(inside, Counter(part).values())) for part in parts(offsets, codes, chosen)]
    in_place.group_sums(values, codes, *slices, words)
    expected = []
    for group, summed in zip(parts(offsets, codes, chosen), parts(offsets, values, chosen), strict=True):
        totals: Counter[int] = Counter()
        for code, value in zip(group, summed, strict=True):
            totals[code] += value
        expected.append(any(map(inside, totals.values())))
    assert bits(words, size) == expected


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("empty", [False, True])
def test_sliding_counts(offsets: npt.NDArray[np.int32], masked: bool, empty: bool) -> None:
    time = np.concatenate([np.sort(RNG.integers(0, 300, stop - start)) for start, stop in pairwise(offsets)]).astype(np.int64)
    chosen = RNG.random(len(time)) < 0.3 if masked else np.ones(len(time), dtype=np.bool_)
    size, words = len(offsets) - 1, np.zeros(-(-(len(offsets) - 1) // 64), dtype=np.uint64)
    lows, highs = np.array([5, 40], dtype=np.int64), np.array([6, 90], dtype=np.int64)
    in_place.sliding_counts(time, offsets[:-1], offsets[1:], 0, size, mask_of(chosen), masked, 25, lows, highs, empty, words)
    expected = []
    for rows in parts(offsets, time, chosen):
        counts = [sum(end - 25 < one <= end for one in rows) for end in rows]
        expected.append(any(5 <= count <= 6 or 40 <= count <= 90 for count in counts) if rows else empty)
    assert bits(words, size) == expected


def test_places_are_those_of_sha_256() -> None:
    texts = ["é" * (length // 2) + "x" * (length % 2) for length in range(200)]
    array = pa.array(texts, pa.large_string())
    _, ends, letters = array.buffers()
    places = np.empty(len(texts), dtype=np.uint64)
    arguments = (np.frombuffer(ends, dtype=np.int64)[: len(texts) + 1], np.frombuffer(letters, dtype=np.uint8))
    hashing.hash_places(*arguments, np.frombuffer(b"spring:", dtype=np.uint8), 0, len(texts), places)
    assert places.tolist() == [int(hashlib.sha256(f"spring:{text}".encode()).hexdigest()[:16], 16) for text in texts]
