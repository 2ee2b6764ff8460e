"""Tests brought to what kernels compare: closed intervals of whole numbers or floats, or a table over dictionary codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, lcm, nextafter
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from kohort.evaluation.numbers import Comparator, on_grid
from kohort.evaluation.times import Bounds, Moment, days, instants
from kohort.rules.core import Compare, InWindow, IsNullTest, Literal_, Matches, Never, OneOf, Predicate, Range, Test, TextAny

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_ANY_GRID = 10**40
_ROOM = 2**62

Whole = tuple[int, int]
Table = npt.NDArray[np.uint8]
_ZERO = np.zeros(1, dtype=np.int8)


class NoKernel(Exception):
    """The index cannot answer this; SQL can."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """lows[k] <= value <= highs[k] for some k; disjoint, ascending; int64 or float64. Empty: no value passes."""

    lows: npt.NDArray[Any]
    highs: npt.NDArray[Any]

    def fitted(self, dtype: npt.DTypeLike) -> Intervals:
        """The same for values of another type: what lies outside of it no value reaches."""
        if self.lows.dtype == dtype:
            return self
        limits = np.iinfo(dtype)
        near = (self.lows <= limits.max) & (self.highs >= limits.min)
        return Intervals(np.maximum(self.lows[near], limits.min).astype(dtype), np.minimum(self.highs[near], limits.max).astype(dtype))


def whole_intervals(test: Test, scale: int, moment: Moment) -> Intervals:
    """The values, as whole multiples of 10**-scale (times: microseconds or days), that pass. Null is not judged here."""
    found = _merged(_clamped(_whole(test.predicate, test.storage, scale, moment)))
    if test.negated:
        found = _whole_complement(found)
    return Intervals(np.array([low for low, _ in found], dtype=np.int64), np.array([high for _, high in found], dtype=np.int64))


def _whole(predicate: Predicate, storage: str, scale: int, moment: Moment) -> list[Whole]:
    match predicate:
        case Compare(op, literal):
            return _whole_piece(op, literal, scale)
        case Range(low, high):
            bottom = [(INT64_MIN, INT64_MAX)] if low is None else _whole_piece(">=", low, scale)
            top = [(INT64_MIN, INT64_MAX)] if high is None else _whole_piece("<=", high, scale)
            return [(max(a[0], b[0]), min(a[1], b[1])) for a in bottom for b in top]
        case OneOf(literals):
            return [piece for literal in literals for piece in _whole_piece("=", literal, scale)]
        case InWindow(window):
            bounds: Bounds = days(window, moment) if storage == "date" else instants(window, moment)
            first, last = bounds.first, bounds.last
            return [(INT64_MIN if first is None else first, INT64_MAX if last is None else last)]
        case Never() | IsNullTest():
            return []
        case TextAny() | Matches():
            raise NoKernel("a test of text on a number")
        case _:
            assert_never(predicate)


def _whole_piece(op: Comparator, literal: Literal_, scale: int) -> list[Whole]:
    bound = on_grid(op, _exact(literal), scale, _ANY_GRID)
    if isinstance(bound, bool):
        return [(INT64_MIN, INT64_MAX)] if bound else []
    comparator, whole = bound
    match comparator:
        case "=":
            return [(whole, whole)]
        case "<":
            return [(INT64_MIN, whole - 1)]
        case "<=":
            return [(INT64_MIN, whole)]
        case ">":
            return [(whole + 1, INT64_MAX)]
        case ">=":
            return [(whole, INT64_MAX)]
        case _:
            assert_never(comparator)


def _exact(literal: Literal_) -> int | Decimal:
    if isinstance(literal, int | Decimal):
        return int(literal) if isinstance(literal, bool) else literal
    return Decimal(repr(literal)) if isinstance(literal, float) else Decimal(literal)


def _clamped(pieces: Iterable[Whole]) -> list[Whole]:
    held = [(max(low, INT64_MIN), min(high, INT64_MAX)) for low, high in pieces]
    return sorted((low, high) for low, high in held if low <= high)


def _merged(pieces: list[Whole]) -> list[Whole]:
    found: list[Whole] = []
    for low, high in pieces:
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _whole_complement(pieces: list[Whole]) -> list[Whole]:
    edges = [INT64_MIN - 1, *(edge for low, high in pieces for edge in (low, high)), INT64_MAX + 1]
    gaps = [(edges[place] + 1, edges[place + 1] - 1) for place in range(0, len(edges), 2)]
    return [(low, high) for low, high in gaps if low <= high]


def float_intervals(test: Test) -> Intervals:
    """The floats that pass."""
    found = sorted((low, high) for low, high in _floats(test.predicate) if low <= high)
    if test.negated:
        edges = [None, *(edge for low, high in found for edge in (low, high)), None]
        gaps = []
        for place in range(0, len(edges), 2):
            below, above = edges[place], edges[place + 1]
            gaps.append((-inf if below is None else nextafter(below, inf), inf if above is None else nextafter(above, -inf)))
        found = [(low, high) for low, high in gaps if low <= high]
    return Intervals(np.array([low for low, _ in found], dtype=np.float64), np.array([high for _, high in found], dtype=np.float64))


def _floats(predicate: Predicate) -> list[tuple[float, float]]:
    match predicate:
        case Compare(op, literal):
            return [_float_piece(op, float(literal))]
        case Range(low, high):
            return [(-inf if low is None else float(low), inf if high is None else float(high))]
        case OneOf(literals):
            return [(one, one) for one in sorted({float(literal) for literal in literals})]
        case Never() | IsNullTest():
            return []
        case InWindow() | TextAny() | Matches():
            raise NoKernel("not a test of a number")
        case _:
            assert_never(predicate)


def _float_piece(op: Comparator, literal: float) -> tuple[float, float]:
    match op:
        case "=":
            return literal, literal
        case "<":
            return -inf, nextafter(literal, -inf)
        case "<=":
            return -inf, literal
        case ">":
            return nextafter(literal, inf), inf
        case ">=":
            return literal, inf
        case _:
            assert_never(op)


# --- averages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class AverageIntervals:
    """lows[k] * count + low_steps[k] <= total * factor <= highs[k] * count + high_steps[k] for some k."""

    factor: int
    lows: npt.NDArray[np.int64]
    low_steps: npt.NDArray[np.int64]
    highs: npt.NDArray[np.int64]
    high_steps: npt.NDArray[np.int64]


Edge = tuple[Fraction | None, bool]
"""A bound of an average and whether it is included; None: open."""


def average_intervals(test: Test, scale: int, largest_total: int, largest_count: int) -> AverageIntervals:
    """The averages that pass, in units of 10**-scale. Raises NoKernel when products might exceed 64 bits."""
    pieces = _edges(test.predicate, scale)
    if test.negated:
        pieces = _edge_complement(pieces)
    factor = lcm(*(edge.denominator for piece in pieces for edge, _ in piece if edge is not None))
    bounds = [int(abs(edge * factor)) for piece in pieces for edge, _ in piece if edge is not None]
    if largest_total * factor >= _ROOM or max(bounds, default=0) * max(1, largest_count) >= _ROOM:
        raise NoKernel("an average of numbers too large for 64 bits")
    low, high = [_scaled(edge, factor, 1) for edge, _ in pieces], [_scaled(edge, factor, -1) for _, edge in pieces]
    columns = [[one[0] for one in low], [one[1] for one in low], [one[0] for one in high], [one[1] for one in high]]
    return AverageIntervals(factor, *(np.array(column, dtype=np.int64) for column in columns))


def _scaled(edge: Edge, factor: int, inwards: int) -> tuple[int, int]:
    bound, included = edge
    if bound is None:
        return 0, -inwards * (_ROOM + 1)
    return int(bound * factor), 0 if included else inwards


def _edges(predicate: Predicate, scale: int) -> list[tuple[Edge, Edge]]:
    free: Edge = (None, False)

    def at(literal: Literal_, included: bool) -> Edge:
        exact = _exact(literal)
        if isinstance(exact, Decimal) and exact and abs(exact.adjusted()) > 40:
            raise NoKernel("a literal far outside the range of 64 bits")
        return Fraction(exact) * 10**scale, included

    match predicate:
        case Compare("=", literal):
            return [(at(literal, True), at(literal, True))]
        case Compare(op, literal) if op in ("<", "<="):
            return [(free, at(literal, op == "<="))]
        case Compare(op, literal):
            return [(at(literal, op == ">="), free)]
        case Range(low, high):
            edges = (free if low is None else at(low, True), free if high is None else at(high, True))
            return [] if low is not None and high is not None and _exact(low) > _exact(high) else [edges]
        case OneOf(literals):
            return [(at(one, True), at(one, True)) for one in sorted(set(map(_exact, literals)))]
        case Never() | IsNullTest():
            return []
        case _:
            raise NoKernel("not a test of a number")


def _edge_complement(pieces: list[tuple[Edge, Edge]]) -> list[tuple[Edge, Edge]]:
    found: list[tuple[Edge, Edge]] = []
    below: Edge | None = (None, False)
    for low, high in pieces:
        if low[0] is not None and below is not None:
            found.append((below, (low[0], not low[1])))
        below = None if high[0] is None else (high[0], not high[1])
    return [*found, (below, (None, False))] if below is not None else found


# --- codes ------------------------------------------------------------------------------------------


def table_intervals(table: Table) -> Intervals | None:
    """The codes whose entry, code + 1, is 1, when they follow one another; else None."""
    edges = np.flatnonzero(np.diff(np.concatenate((_ZERO, table, _ZERO))))
    if len(edges) > 2:
        return None
    return Intervals(edges[:1] - 1, edges[1:] - 2)


def boolean_table(test: Test) -> Table:
    """Entries for null, false, true."""
    match test.predicate:
        case Compare(op, literal):
            truths: Callable[[int], bool] = lambda value: _holds(op, value, int(literal))  # noqa: E731
        case OneOf(literals):
            truths = lambda value: any(value == int(one) for one in literals)  # noqa: E731
        case Range(low, high):
            truths = lambda value: (low is None or int(low) <= value) and (high is None or value <= int(high))  # noqa: E731
        case Never() | IsNullTest():
            truths = lambda value: False  # noqa: ARG005, E731
        case _:
            raise NoKernel("not a test of a boolean")
    return np.array([0, *(truths(value) != test.negated for value in (0, 1))], dtype=np.uint8)


def _holds(op: Comparator, value: int, literal: int) -> bool:
    return {"=": value == literal, "<": value < literal, "<=": value <= literal, ">": value > literal, ">=": value >= literal}[op]
