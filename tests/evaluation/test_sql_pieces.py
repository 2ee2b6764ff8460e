"""Bitmaps, literals on a grid, windows as bounds, and SQL literals."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import eq, ge, gt, le, lt
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.evaluation.averages import AverageSql
from kohort.evaluation.bitmap import Bitmap, BitmapBuilder, bools_of
from kohort.evaluation.numbers import Comparator, fraction_digits, on_grid
from kohort.evaluation.times import Moment, days, instants
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, midnight
from kohort.foundation.windows import OPEN, Edge, Window
from kohort.sql import build
from kohort.sql.dialects import DUCKDB
from kohort.sql.render import render

OPERATORS = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
SETS = st.sets(st.integers(0, 199))


@settings(deadline=None)
@given(SETS, SETS, st.integers(200, 260))
def test_bitmaps_are_sets(left: set[int], right: set[int], size: int) -> None:
    a, b = Bitmap.of(left, size), Bitmap.of(right, size)
    assert set((a & b).ordinals()) == left & right
    assert set((a | b).ordinals()) == left | right
    assert set((a - b).ordinals()) == left - right
    assert set((a ^ b).ordinals()) == left ^ right
    assert a.count() == len(left)
    assert a.ordinals().tolist() == sorted(left)
    assert (a == b) == (left == right)
    assert all((ordinal in a) == (ordinal in left) for ordinal in range(-1, size + 2))


@settings(deadline=None)
@given(SETS, st.integers(1, 70))
def test_bitmaps_are_put_together_from_ranges(members: set[int], range_size: int) -> None:
    builder = BitmapBuilder(200)
    for first in range(0, 200, range_size):
        builder.put(first, np.array([ordinal in members for ordinal in range(first, min(first + range_size, 200))], dtype=np.bool_))
    assert builder.build() == Bitmap.of(members, 200)


def test_sets_over_different_ordinals_do_not_mix() -> None:
    with pytest.raises(ValueError, match="64"):
        Bitmap.empty(64) & Bitmap.empty(65)


@settings(deadline=None)
@given(st.lists(st.sampled_from([True, False, None]), max_size=100), st.integers(0, 20))
def test_arrow_booleans(values: list[bool | None], offset: int) -> None:
    column = pa.array(values, pa.bool_()).slice(offset)
    assert bools_of(column).tolist() == [bool(value) for value in values[offset:]]


LITERALS = st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.decimals(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.sampled_from(list(OPERATORS)), LITERALS, st.integers(0, 4), st.integers(-1000, 1000))
def test_on_a_grid_comparisons_mean_the_same(op: Comparator, literal: Decimal, scale: int, value: int) -> None:
    expected = OPERATORS[op](Fraction(value, 10**scale), Fraction(literal) if abs(literal.adjusted()) < 400 else _far(literal))
    found = on_grid(op, literal, scale, 1000)
    assert expected == (found if isinstance(found, bool) else OPERATORS[found[0]](value, found[1]))


def _far(literal: Decimal) -> Fraction:
    size = Fraction(10) ** (400 if literal.adjusted() > 0 else -400)
    return size if literal > 0 else -size if literal < 0 else Fraction(0)


@settings(deadline=None)
@given(
    st.sampled_from(list(OPERATORS)),
    st.decimals(-50, 50, places=30) | st.decimals(-50, 50, places=3) | st.sampled_from([Decimal(1), Decimal("1e70"), Decimal("-1e-70")]),
    st.sampled_from(["int64", "float64", "decimal"]),
    st.integers(-150, 150),
    st.integers(1, 12),
)
def test_averages_compare_exactly(op: Comparator, literal: Decimal, storage: str, total: int, count: int) -> None:
    scale = {"int64": 0, "float64": 6, "decimal": 2}[storage]
    held = build.decimal(Decimal(total).scaleb(-2)) if storage == "decimal" else build.wide(build.integer(total * 10**scale), DUCKDB)
    expected = OPERATORS[op](Fraction(total, count) / (100 if storage == "decimal" else 1), Fraction(literal))
    found = AverageSql(held, build.integer(count), storage, scale, DUCKDB).compare(op, literal)
    if not isinstance(found, bool):
        found = duckdb.sql(f"SELECT {found.sql('duckdb')}").fetchall()[0][0]
    assert found == expected


def test_digits_after_the_grid() -> None:
    assert fraction_digits(Decimal("12.345"), 2) == (5, 1)
    assert fraction_digits(Decimal("12.34"), 2) == (0, 0)
    assert fraction_digits(Decimal("-0.001"), 2) == (9, 1)
    assert fraction_digits(7, 2) == (0, 0)
    numerator, digits = fraction_digits(Decimal("0." + "3" * 40), 0)
    assert digits == 28
    assert 0 < Decimal("0." + "3" * 40) - Decimal(numerator).scaleb(-digits) + Decimal("1e-27") < Decimal("2e-27")


ZONES = ["UTC", "America/Havana", "Pacific/Apia", "Asia/Tokyo", "America/New_York"]


@settings(deadline=None)
@given(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.sampled_from(ZONES),
    st.integers(-86_400_000_000, 86_400_000_000),
    st.booleans(),
    st.booleans(),
)
def test_days_are_those_whose_midnight_lies_in_the_window(day: date, zone_name: str, shift: int, low: bool, high: bool) -> None:
    zone = ZoneInfo(zone_name)
    edge = midnight(day, zone) + shift * (shift % 3 > 0)
    window = Window(Edge("absolute", low, instant=edge), Edge("absolute", high, instant=edge + 86_400_000_000))
    moment = Moment(0, zone)
    bounds = days(window, moment)
    interval = window.interval(0, zone)
    for offset in range(-4, 5):
        near = day + timedelta(days=offset)
        number = (near - date(1970, 1, 1)).days
        inside = not bounds.is_empty and (bounds.first or 0) <= number <= (bounds.last or 0)
        assert inside == (midnight(near, zone) in interval)


def test_open_windows_have_no_bounds() -> None:
    moment = Moment(0, ZoneInfo("UTC"))
    for bounds in (instants(Window(OPEN, OPEN), moment), days(Window(OPEN, OPEN), moment)):
        assert (bounds.first, bounds.last) == (None, None)
    early = Window(OPEN, Edge("absolute", False, instant=MIN_MICROS))
    late = Window(Edge("absolute", False, instant=MAX_MICROS), OPEN)
    assert instants(early, moment).is_empty
    assert instants(late, moment).is_empty
    assert days(early, moment).is_empty
    assert days(late, moment).is_empty


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_literals_are_exact(value: float) -> None:
    assert duckdb.sql(f"SELECT ({build.double(value).sql('duckdb')})::DOUBLE").fetchall()[0][0] == value


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_literals_are_exact(value: str) -> None:
    for written in (build.text(value).sql("duckdb"), build.text(value).sql("duckdb", pretty=True), render(build.text(value), DUCKDB)):
        assert duckdb.sql(f"SELECT {written}").fetchall()[0][0] == value


@settings(deadline=None)
@given(st.integers(MIN_MICROS, MAX_MICROS))
def test_timestamp_literals_are_exact(micros: int) -> None:
    assert duckdb.sql(f"SELECT epoch_us({build.timestamp(micros, DUCKDB).sql('duckdb')})").fetchall()[0][0] == micros
