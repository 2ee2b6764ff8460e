"""Calls of one flush become rows by table and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kohort.events.columns import DISCARDS, REJECTS, USERS
from kohort.events.masking import mask_write_keys
from kohort.events.model import Call, Received, Rejected, SourceRules
from kohort.events.plan import Planner, TableShape
from kohort.ports.event_tables import TableRows


@dataclass(slots=True)
class _Group:
    """Rows of one shape, and the number of the call of each."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


class SourceRows:
    """What one source sent since the last flush. The planner, and what it has worked out, stays from flush to flush."""

    def __init__(self, rules: SourceRules) -> None:
        self.rules = rules
        self._planner = Planner(rules)
        self.calls: list[Call] = []
        self._groups: dict[TableShape, _Group] = {}
        self._users: dict[str, dict[str, Any]] = {}
        self._rejects: list[tuple[Any, ...]] = []
        self.last_received_at = 0

    def add(self, call: Call) -> None:
        """Work out the rows of a call."""
        number = len(self.calls)
        planned = list(self._planner.rows(call))
        self.calls.append(call)
        for shape, values in planned:
            if shape.table == USERS:
                self._add_user(shape, values)
                continue
            group = self._groups.get(shape)
            if group is None:
                group = self._groups[shape] = _Group()
            group.rows.append(values)
            group.numbers.append(number)

    def reject(self, rejected: Rejected, received: Received) -> None:
        """Keep why a call is in no table; its sample without the write key."""
        self._rejects.append(
            (
                rejected.code,
                rejected.message,
                rejected.call_type,
                rejected.message_id,
                mask_write_keys(rejected.sample),
                received.received_at,
            )
        )

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.calls or self._rejects)

    @property
    def rejects(self) -> int:
        return len(self._rejects)

    def tables(self) -> list[TableRows]:
        """All rows but those of users, in the order of the calls."""
        by_table: dict[str, list[tuple[TableShape, _Group]]] = {}
        for shape, group in self._groups.items():
            by_table.setdefault(shape.table, []).append((shape, group))
        tables = [_joined(table, groups) for table, groups in by_table.items()]
        if self._rejects:
            columns = dict(zip(_REJECT_COLUMNS, zip(*self._rejects, strict=True), strict=True))
            tables.append(TableRows(REJECTS, columns, len(self._rejects)))
        return tables

    def users(self) -> TableRows | None:
        """One row a user: of each column the newest value that is not null."""
        if not self._users:
            return None
        users = list(self._users.values())
        names = dict.fromkeys(name for user in users for name in user)
        return TableRows(USERS, {name: [user.get(name) for user in users] for name in names}, len(users))

    def clear(self) -> None:
        """Begin the next flush."""
        self.calls = []
        self._groups = {}
        self._users = {}
        self._rejects = []

    def _add_user(self, shape: TableShape, values: tuple[Any, ...]) -> None:
        said = {name: value for name, value in zip(shape.columns, values, strict=True) if value is not None}
        known = self._users.get(said["id"])
        if known is None:
            self._users[said["id"]] = said
        else:
            known.update(said)


_REJECT_COLUMNS = ("code", "message", "type", "message_id", "sample", "received_at")


def _joined(table: str, groups: Sequence[tuple[TableShape, _Group]]) -> TableRows:
    """Rows of several shapes in the order of their calls."""
    if len(groups) == 1:
        shape, group = groups[0]
        columns: dict[str, Sequence[Any]] = dict(zip(shape.columns, zip(*group.rows, strict=True), strict=True))
        return TableRows(table, columns, len(group.rows), None if table == DISCARDS else group.numbers)
    numbers = [number for _, group in groups for number in group.numbers]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    places = [0] * len(order)
    for place, index in enumerate(order):
        places[index] = place
    joined: dict[str, list[Any]] = {}
    begin = 0
    for shape, group in groups:
        targets = places[begin : begin + len(group.rows)]
        begin += len(group.rows)
        for name, values in zip(shape.columns, zip(*group.rows, strict=True), strict=True):
            column = joined.get(name)
            if column is None:
                column = joined[name] = [None] * len(order)
            for target, value in zip(targets, values, strict=True):
                column[target] = value
    return TableRows(table, joined, len(order), None if table == DISCARDS else [numbers[index] for index in order])
