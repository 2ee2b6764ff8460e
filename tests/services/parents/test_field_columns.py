"""Fields counted on arrays, against the obvious way in Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kohort.index.columns import ArrayColumn, BooleanColumn, Column, NumberColumn, TextColumn, TimeColumn, Words
from kohort.parent.catalog import Field, Storage
from kohort.parent.definition import FieldType
from kohort.services.parents import field_columns
from kohort.services.parents.field_columns import FieldRows, measure_column
from kohort.services.parents.field_statistics import FieldStatistics

ROWS = 1000
RANDOM = np.random.default_rng(7)
HOUR = 3_600_000_000


def bits(bools: Any) -> Words:
    packed = np.packbits(np.asarray(bools, dtype=np.bool_), bitorder="little")
    return np.concatenate([packed, np.zeros(-len(packed) % 8, dtype=np.uint8)]).view(np.uint64)


def rows_of(column: Column, type_: FieldType, storage: Storage, kept: list[bool] | None = None, scale: int = 0) -> FieldRows:
    field = Field("f", type_, storage, scale)
    count = ROWS if kept is None else sum(kept)
    return FieldRows("f", field, "attribute", column, ROWS, count, None if kept is None else bits(kept))


def obvious(values: list[Any], kept: list[bool] | None) -> tuple[int, int, list[tuple[Any, int]]]:
    """(nulls, different values, the most frequent 200)."""
    chosen = [value for value, holds in zip(values, kept or [True] * len(values), strict=True) if holds]
    counts = Counter(value for value in chosen if value is not None)
    return chosen.count(None), len(counts), sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:200]


def said(found: FieldStatistics) -> tuple[int, int, list[tuple[Any, int]]]:
    return found.nulls, found.distinct, [(value.value, value.count) for value in found.top]


def nulled(values: list[Any], valid: list[bool]) -> list[Any]:
    return [value if known else None for value, known in zip(values, valid, strict=True)]


VALID = [bool(one) for one in RANDOM.random(ROWS) < 0.8]
KEPT = [bool(one) for one in RANDOM.random(ROWS) < 0.7]
WHICH = [pytest.param(None, id="all"), pytest.param(KEPT, id="some")]


@pytest.mark.parametrize("kept", WHICH)
def test_text_and_booleans_are_counted_by_code(kept: list[bool] | None) -> None:
    words = sorted(f"w{number}" for number in range(300))
    codes = RANDOM.integers(-1, 300, ROWS).astype(np.int16)
    found = measure_column(rows_of(TextColumn(codes, pa.array(words)), "string", "text", kept))
    assert said(found) == obvious([words[code] if code >= 0 else None for code in codes.tolist()], kept)
    assert (found.distinct_exact, found.histogram) == (True, None)
    flags = RANDOM.integers(-1, 2, ROWS).astype(np.int8)
    found = measure_column(rows_of(BooleanColumn(flags), "boolean", "boolean", kept))
    assert said(found) == obvious([None if flag < 0 else bool(flag) for flag in flags.tolist()], kept)


@pytest.mark.parametrize("kept", WHICH)
@pytest.mark.parametrize(
    ("values", "storage"),
    [
        pytest.param(RANDOM.integers(-100, 100, ROWS).astype(np.int8), "int64", id="narrow"),
        pytest.param(RANDOM.integers(-(2**62), 2**62, ROWS), "int64", id="wide"),
        pytest.param(np.round(RANDOM.random(ROWS) * 20, 2), "float64", id="cents"),
        pytest.param(RANDOM.integers(0, 9, ROWS) / 7, "float64", id="sevenths"),
        pytest.param(RANDOM.standard_normal(ROWS) * 1e300, "float64", id="huge"),
    ],
)
def test_numbers(values: Any, storage: Any, kept: list[bool] | None) -> None:
    found = measure_column(rows_of(NumberColumn(values, bits(VALID), storage), "number", storage, kept))
    listed = nulled(values.tolist(), VALID)
    assert said(found) == obvious(listed, kept)
    assert found.histogram is not None
    known = [value for value, holds in zip(listed, kept or [True] * ROWS, strict=True) if holds and value is not None]
    assert sum(found.histogram.counts) == len(known)
    assert found.histogram.edges[0] == pytest.approx(min(known))
    assert found.histogram.edges[-1] == pytest.approx(max(known))


def test_decimals_dates_and_times_are_shown_as_people_write_them() -> None:
    cents = np.array([1999, 1999, 500] + [0] * (ROWS - 3))
    only = [True] * 3 + [False] * (ROWS - 3)
    found = measure_column(rows_of(NumberColumn(cents, bits(only), "decimal", 2), "number", "decimal", None, 2))
    assert said(found) == (ROWS - 3, 2, [(19.99, 2), (5, 1)])
    assert found.histogram is not None
    assert (found.histogram.edges[0], found.histogram.edges[-1]) == (5, 19.99)
    days = np.array([19_000, 19_001, 19_001] + [0] * (ROWS - 3), dtype=np.int16)
    found = measure_column(rows_of(TimeColumn(days, bits(only), "date"), "date", "date"))
    assert said(found) == (ROWS - 3, 2, [("2022-01-09", 2), ("2022-01-08", 1)])
    times = np.array([0, HOUR, HOUR] + [0] * (ROWS - 3))
    found = measure_column(rows_of(TimeColumn(times, bits(only), "timestamp"), "timestamp", "timestamp"))
    assert said(found) == (ROWS - 3, 2, [("1970-01-01T01:00:00Z", 2), ("1970-01-01T00:00:00Z", 1)])


@pytest.mark.parametrize("kept", WHICH)
def test_lists_are_counted_by_element(kept: list[bool] | None) -> None:
    lengths = np.where(VALID, RANDOM.integers(0, 4, ROWS), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    codes = RANDOM.integers(0, 5, offsets[-1]).astype(np.int8)
    column = ArrayColumn(offsets, TextColumn(codes, pa.array(list("abcde"))), bits(VALID))
    found = measure_column(rows_of(column, "string_array", "text_array", kept))
    chosen = [row for row in range(ROWS) if kept is None or kept[row]]
    counts = Counter("abcde"[codes[place]] for row in chosen for place in range(offsets[row], offsets[row + 1]))
    assert found.nulls == sum(not VALID[row] for row in chosen)
    assert {value.value: value.count for value in found.top} == counts


def test_nothing_is_known_of_no_values() -> None:
    nobody = [False] * ROWS
    for column, type_, storage in (
        (TextColumn(np.full(ROWS, -1, dtype=np.int8), pa.array([], pa.string())), "string", "text"),
        (NumberColumn(np.zeros(ROWS), bits(nobody), "float64"), "number", "float64"),
        (TimeColumn(np.zeros(ROWS, dtype=np.int64), bits(nobody), "date"), "date", "date"),
    ):
        found = measure_column(rows_of(column, type_, storage))  # type: ignore[arg-type]
        assert (found.nulls, found.distinct, found.top, found.histogram) == (ROWS, 0, (), None)


def test_very_many_values_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times, most of them different: how many is estimated, those that repeat are found, all are spread."""
    monkeypatch.setattr(field_columns, "_EXACT_VALUES", 1000)
    monkeypatch.setattr(field_columns, "_SMALLEST_HASHES", 1024)
    monkeypatch.setattr(field_columns, "_SAMPLE", 5000)
    size = 40_000
    times = RANDOM.integers(0, 10**15, size)
    times[::10] = 123_456_789
    for column, field in (
        (TimeColumn(times, None, "timestamp"), Field("f", "timestamp", "timestamp")),
        (NumberColumn(times / 7, None, "float64"), Field("f", "number", "float64")),
    ):
        found = measure_column(FieldRows("f", field, "attribute", column, size, size))
        assert not found.distinct_exact
        assert found.distinct == pytest.approx(36_001, rel=0.15)
        assert found.top[0].count == 4000
        assert found.histogram is not None
        assert sum(found.histogram.counts) == size
        held = np.sort(times) if field.is_time else np.sort(times / 7)
        if not field.is_time:
            edges = [float(edge) for edge in found.histogram.edges]
            assert found.histogram.counts[0] == np.searchsorted(held, edges[1])
