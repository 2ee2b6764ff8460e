"""Calls to rows fast: what a shape of call becomes is worked out once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final
from weakref import WeakValueDictionary

from kohort.events.columns import CALL_TABLES, COMMON_COLUMNS, DATA_KEYS, SHARED_COLUMNS, USERS
from kohort.events.model import Call, Row, SourceRules
from kohort.events.rows import (
    column_of,
    context_leaves,
    data_leaves,
    discard_row,
    main_table,
    rows_of,
    same,
    standard_columns,
    unread_discards,
    user_columns,
)
from kohort.events.validation import json_text

REMEMBERED_BYTES: Final = 32 * 1024 * 1024
_CLOSE: Final = -1
_DATA_END: Final = -2
_EVENT: Final = len(COMMON_COLUMNS)
"""The place of the column `event` among the values of a track call."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class TableShape:
    """A table and the columns of rows that are alike: as long as one is in use there is no second one like it, so it may key a dict."""

    table: str
    columns: tuple[str, ...]


ShapedRow = tuple[TableShape, tuple[Any, ...]]
_Values = list[Any]


@dataclass(frozen=True, slots=True)
class _Contest:
    """Places of values that have one column: the last that is not None stands, in the last place."""

    column: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the values of one shape of call become rows. Values: the standard columns, then the leaves of data, then those of context.

    shapes: the tables, with the place of the value of each column in `places`.
    """

    shapes: tuple[TableShape, ...]
    places: tuple[tuple[int, ...], ...]
    pickers: tuple[Callable[[_Values], tuple[Any, ...]], ...]
    contests: tuple[_Contest, ...]
    common_contests: tuple[_Contest, ...]
    reserved: tuple[tuple[int, str, int], ...]
    wide: bool
    event: str
    weight_bytes: int

    @property
    def is_simple(self) -> bool:
        """Whether every value has a column of its own."""
        return not (self.wide or self.contests or self.reserved)


class Planner:
    """Turns calls of one source into rows, as `rows_of` does. limit: shapes remembered; the least recently used go first."""

    def __init__(self, rules: SourceRules, limit: int = 10_000) -> None:
        self._rules = rules
        self._limit = limit
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._weight_bytes = 0
        self._shapes: WeakValueDictionary[tuple[str, tuple[str, ...]], TableShape] = WeakValueDictionary()

    def rows(self, call: Call) -> list[ShapedRow]:
        """The rows of a call: a shape and a value for each of its columns. None stands for "no value", and makes no column by itself."""
        values = self._standard_values(call)
        key: list[Any] = [call.type, call.payload["event"] if call.type == "track" else None, call.user_id is None]
        walk(call.payload.get(DATA_KEYS[call.type]) or {}, key, values)
        key.append(_DATA_END)
        walk(call.payload.get("context") or {}, key, values)
        shape = tuple(key)
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._remember(shape, self._plan(call, standard_columns(call, self._rules)))
        else:
            self._plans.move_to_end(shape)
        if call.type == "track":
            values[_EVENT] = plan.event
        if plan.wide:
            return [self._shaped(row) for row in rows_of(call, self._rules)]
        if plan.contests or plan.reserved or call.unread:
            return self._rows_with_discards(call, plan, values)
        return [(table, pick(values)) for table, pick in zip(plan.shapes, plan.pickers, strict=True)]

    def plan(self, key: tuple[Any, ...], call: Callable[[], Call]) -> Plan:
        """What calls of a shape become. key: the same for all of them, and never like the keys that `rows` makes; call: one of them."""
        plan = self._plans.get(key)
        if plan is None:
            one = call()
            return self._remember(key, self._plan(one, standard_columns(one, self._rules)))
        self._plans.move_to_end(key)
        return plan

    def _standard_values(self, call: Call) -> _Values:
        """The values of `rows.standard_columns`, without working out the name of the event's table."""
        if call.type == "track" and self._rules.naming == "segment":
            values: _Values = [call.message_id, call.anonymous_id, call.user_id, call.received_at, call.sent_at, call.timestamp]
            return [*values, call.original_timestamp, None, call.payload["event"]]
        return list(standard_columns(call, self._rules).values())

    def _rows_with_discards(self, call: Call, plan: Plan, values: _Values) -> list[ShapedRow]:
        rows: list[ShapedRow] = []
        tables = list(zip(plan.shapes, plan.pickers, strict=True))
        if call.type == "track":
            common = values.copy()
            for contest in plan.common_contests:
                _settle(contest, common)
            shape, pick = tables.pop(0)
            rows.append((shape, pick(common)))
        discards = [
            (column, values[place], "reserved_column")
            for place, column, standard in plan.reserved
            if values[place] is not None and not same(values[place], values[standard])
        ]
        for contest in plan.contests:
            discards += [(contest.column, value, "same_column") for value in _settle(contest, values)]
        rows += [(shape, pick(values)) for shape, pick in tables]
        table = main_table(call, self._rules)
        return rows + [self._shaped(discard_row(call, table, *discard)) for discard in (*discards, *unread_discards(call))]

    def _remember(self, key: tuple[Any, ...], plan: Plan) -> Plan:
        self._plans[key] = plan
        self._weight_bytes += plan.weight_bytes
        while len(self._plans) > self._limit or (self._weight_bytes > REMEMBERED_BYTES and len(self._plans) > 1):
            self._weight_bytes -= self._plans.popitem(last=False)[1].weight_bytes
        return plan

    def _plan(self, call: Call, standard: dict[str, Any]) -> Plan:
        places = {column: place for place, column in enumerate(standard)}
        data, context = [path for path, _ in data_leaves(call)], [path for path, _ in context_leaves(call)]
        first, last = len(standard), len(standard) + len(data)
        leaves = self._columns(call, enumerate([*data, *context], first))
        weight = sum(len(path) + 200 for path in (*data, *context)) + 2_000
        shared = SHARED_COLUMNS.get(call.type, ())
        reserved = [(place, column, places[column]) for place, column in leaves if column in places and column not in shared]
        free = [(place, column) for place, column in leaves if column not in places or column in shared]
        taken = _candidates(free)
        wide = len(taken) > self._rules.max_columns
        for column in taken.keys() & set(shared):
            taken[column].append(places[column])
        own = {column: [place] for column, place in places.items() if column not in taken}
        tables = [(main_table(call, self._rules), own | taken)]
        common: dict[str, list[int]] = {}
        if call.type == "track":
            common = _candidates((place, column) for place, column in free if place >= last)
            tables.insert(0, (CALL_TABLES["track"], own | common))
        elif call.type == "identify" and call.user_id is not None:
            users = {"user_id" if name == "id" else name: name for name in user_columns(call, standard, self._rules)}
            tables.append((USERS, {name: [places[source]] for source, name in users.items()} | taken))
        return Plan(
            tuple(self._shape(table, tuple(columns)) for table, columns in tables),
            tuple(_standing(columns) for _, columns in tables),
            tuple(_picker(_standing(columns)) for _, columns in tables),
            _contests(taken),
            _contests(common),
            tuple(reserved),
            wide,
            standard.get("event", ""),
            weight,
        )

    def _columns(self, call: Call, paths: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
        return [(place, column_of(path, call.type, self._rules.naming)) for place, path in paths]

    def _shape(self, table: str, columns: tuple[str, ...]) -> TableShape:
        return self._shapes.setdefault((table, columns), TableShape(table, columns))

    def _shaped(self, row: Row) -> ShapedRow:
        return self._shape(row.table, tuple(row.columns)), tuple(row.columns.values())


def walk(members: dict[str, Any], key: list[Any], values: _Values) -> None:
    """Append what tells this object's shape from others to `key`, and its leaves to `values`, in the order of `rows.leaves`."""
    key.extend(members)
    for place, value in enumerate(members.values()):
        kind = type(value)
        if kind is dict:
            key.append(place)
            walk(value, key, values)
            key.append(_CLOSE)
        elif kind is list:
            values.append(json_text(value) if value else None)
        else:
            values.append(None if value == "" else value)


def _standing(columns: dict[str, list[int]]) -> tuple[int, ...]:
    return tuple(candidates[-1] for candidates in columns.values())


def _candidates(columns: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, column in columns:
        found.setdefault(column, []).append(place)
    return found


def _contests(columns: dict[str, list[int]]) -> tuple[_Contest, ...]:
    return tuple(_Contest(column, tuple(places)) for column, places in columns.items() if len(places) > 1)


def _settle(contest: _Contest, values: _Values) -> list[Any]:
    """Write the value that stands to the last place; those that another one replaced come back."""
    stands: Any = None
    replaced = []
    for place in contest.places:
        value = values[place]
        if value is not None:
            if stands is not None and not same(stands, value):
                replaced.append(stands)
            stands = value
    values[contest.places[-1]] = stands
    return replaced


def _picker(places: Sequence[int]) -> Callable[[_Values], tuple[Any, ...]]:
    return itemgetter(*places) if len(places) > 1 else lambda values: tuple(values[place] for place in places)
