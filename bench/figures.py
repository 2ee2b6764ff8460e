"""The figures that bars are set for, taken from what the parts measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.measured import Measured

Parts = Mapping[str, Measured]
GIB = 2**30
DUCKDB_ROWS = ("one-by-one", "evaluator", "scan")


@dataclass(frozen=True, slots=True)
class Value:
    """A figure in seconds, bytes or times. bound: "" exact; ">" at least that (a part was stopped at its limit)."""

    number: float
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the growth table. bar: what it must not exceed (of `times`: reach) at size L; None: no bar."""

    label: str
    unit: str
    value: Callable[[Parts], Value | None]
    bar: float | None = None

    def is_met(self, value: Value) -> bool:
        assert self.bar is not None
        return value.number >= self.bar if self.unit == "times" else value.number <= self.bar and not value.bound

    def verdict(self, value: Value) -> str:
        """How the value stands to the bar."""
        if self.bar is None:
            return ""
        bar = written(Value(self.bar), self.unit)
        if self.is_met(value):
            return f"bar {bar}: ok"
        return f"bar {bar}: missed by {value.bound}{written(Value(abs(value.number - self.bar)), self.unit)}"


def written(value: Value, unit: str) -> str:
    """A value for people."""
    match unit:
        case "s":
            digits = 4 if value.number < 0.1 else 3 if value.number < 1 else 2
            return f"{value.bound}{' ' if value.bound else ''}{value.number:.{digits}f} s"
        case "bytes":
            return f"{value.number / GIB:.2f} GiB"
        case _:
            return f"{value.bound}{' ' if value.bound else ''}{value.number:.1f} x"


def seconds_of(part: Measured | None) -> Value | None:
    """How long a part took; at least its limit when it was stopped."""
    if part is None:
        return None
    if part.seconds is not None:
        return Value(part.seconds)
    return Value(float(part.facts["limit"]), ">") if "limit" in part.facts else None


def _seconds(part: str) -> Callable[[Parts], Value | None]:
    return lambda parts: seconds_of(parts.get(part))


def _fact(part: str, *path: str) -> Callable[[Parts], Value | None]:
    """A number among the facts of a part."""

    def find(parts: Parts) -> Value | None:
        found: Any = parts[part].facts if part in parts else {}
        for name in path:
            found = found.get(name, {})
        return Value(found) if isinstance(found, int | float) else None

    return find


def _memory(part: str, kind: str) -> Callable[[Parts], Value | None]:
    def find(parts: Parts) -> Value | None:
        found = getattr(parts[part], kind) if part in parts else None
        return Value(found) if found else None

    return find


def better_duckdb(parts: Parts) -> tuple[str, Value] | None:
    """The fastest of the DuckDB rows; one that was stopped only when all were."""
    found = [(name, value) for name in DUCKDB_ROWS if (value := seconds_of(parts.get(name))) is not None]
    return min(found, key=lambda item: item[1].number) if found else None


def _ratio(parts: Parts) -> Value | None:
    index, other = seconds_of(parts.get("indexed")), better_duckdb(parts)
    if index is None or index.bound or other is None:
        return None
    return Value(other[1].number / index.number, other[1].bound)


FIGURES: Mapping[str, Figure] = {
    "hundred": Figure("100 segments on the profile index, warm", "s", _seconds("indexed"), 10),
    "ratio": Figure("times faster than the best of the DuckDB rows", "times", _ratio, 10),
    "peak": Figure("peak memory of it, mapped files included", "bytes", _memory("indexed", "peak_bytes"), 3.5 * GIB),
    "anonymous": Figure("of which not files", "bytes", _memory("indexed", "anonymous_bytes")),
    "known": Figure("100 segments again, every condition remembered", "s", _fact("indexed", "known")),
    "first": Figure("first evaluation of 100 segments in a process", "s", _fact("indexed", "first")),
    "compile": Figure("compiling all kernels, once per machine", "s", _seconds("compile")),
    "thousand": Figure("1,000 segments on the profile index, warm", "s", _seconds("thousand"), 45),
    "edit": Figure("preview after editing one condition, p95", "s", _fact("preview", "without", "p95"), 0.15),
    "edit-median": Figure("the same, median", "s", _fact("preview", "without", "median")),
    "edit-overlap": Figure("the same with overlaps, p95", "s", _fact("preview", "with", "p95"), 0.15),
    "edit-overlap-median": Figure("the same with overlaps, median", "s", _fact("preview", "with", "median")),
    "combined": Figure("preview of known conditions put together anew, p95", "s", _fact("preview", "known", "p95"), 0.01),
    "combined-count": Figure("the same, counting alone, p95", "s", _fact("preview", "counted", "p95")),
    "new": Figure("a new condition on the largest behavior, slowest of 10", "s", _fact("preview", "new", "slowest"), 0.4),
    "new-median": Figure("the same, median", "s", _fact("preview", "new", "median")),
    "overlap": Figure("overlap 100 x 100", "s", _fact("membership", "overlap"), 1),
    "overlap-first": Figure("the same for the first time in a process", "s", _fact("membership", "first_overlap")),
    "changes": Figure("entered and left of 100 segments between two evaluations", "s", _fact("membership", "changes"), 0.3),
    "changes-first": Figure("the same for the first time in a process", "s", _fact("membership", "first_changes")),
    "build-index": Figure("index from string-keyed Parquet, until it is whole", "s", _fact("build", "index"), 75),
    "build": Figure("the refresh it is part of: tables, views and values too", "s", _seconds("build")),
    "build-peak": Figure("peak memory of both", "bytes", _memory("build", "peak_bytes"), 8 * GIB),
    "build-anonymous": Figure("of which not files", "bytes", _memory("build", "anonymous_bytes")),
    "index-size": Figure("the index on disk", "bytes", _fact("build", "bytes")),
}
