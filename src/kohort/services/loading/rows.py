"""Calls of one flush become rows by table and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from kohort.events.columns import COMMON_COLUMNS, DISCARDS, REJECTS, USERS
from kohort.events.identity import DEFAULT_IDENTITY, REMEMBERED_VALUES, IdentityRules, IdReader
from kohort.events.masking import mask_write_keys
from kohort.events.model import Call, Received, Rejected, SourceRules
from kohort.events.plain import Context, PlainCall, PlainReader
from kohort.events.plan import Plan, Planner, TableShape
from kohort.ports.event_tables import TableRows
from kohort.services.loading.identity import Seen

Columns = Mapping[str, Sequence[Any]]
_EVENT: Final = len(COMMON_COLUMNS)


@dataclass(slots=True)
class _Group:
    """Rows of one shape, and the number of the call of each."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _PlainGroup:
    """Calls of one shape in three parts: standard values, those of data, and the context; and their numbers."""

    plan: Plan
    pick_user: Callable[[list[Any]], tuple[Any, ...]] | None
    standard: list[tuple[Any, ...]] = field(default_factory=list)
    data: list[tuple[Any, ...]] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def columns(self) -> list[Sequence[Any]]:
        """All values by place."""
        columns: list[Sequence[Any]] = list(zip(*self.standard, strict=True))
        if self.plan.event:
            columns[_EVENT] = (self.plan.event,) * len(self.standard)
        columns += zip(*self.data, strict=True)
        if len(set(map(id, self.contexts))) == 1:
            columns += [(value,) * len(self.contexts) for value in self.contexts[0].values]
        else:
            columns += zip(*[context.values for context in self.contexts], strict=True)
        return columns


class SourceRows:
    """What one source sent since the last flush. Reader and planner, and what they have worked out, stay from flush to flush."""

    def __init__(self, rules: SourceRules, identity: IdentityRules = DEFAULT_IDENTITY) -> None:
        self.rules = rules
        self.identity = identity
        self.reader = PlainReader(rules)
        self._ids = IdReader(identity)
        self._planner = Planner(rules)
        self.seen: list[Seen] = []
        self._plain: dict[tuple[Any, ...], _PlainGroup] = {}
        self._groups: dict[TableShape, _Group] = {}
        self._users: dict[str, dict[str, Any]] = {}
        self._rejects: list[tuple[Any, ...]] = []
        self.last_received_at = 0

    def share(self, sources: int) -> None:
        """So many sources have to make do with what may be remembered in all."""
        self._ids.remembered_values = REMEMBERED_VALUES // sources

    def add_plain(self, call: PlainCall) -> None:
        """Take a call as `PlainReader` reads it."""
        fields, kind, context = call.fields, call.type, call.context
        key = (kind, fields.event if kind == "track" else None, fields.userId is None, call.keys, context.shape)
        group = self._plain.get(key)
        if group is None:
            group = self._plain_group(key, call)
        if not group.plan.is_simple:
            return self.add(call.whole())
        user_id, anonymous_id = fields.userId, fields.anonymousId
        common = (call.message_id, anonymous_id, user_id, call.received_at, call.sent_at, call.timestamp, call.original_timestamp)
        standard = common + _OWN[kind](fields)
        if context.has_ids or kind == "group" or not self._ids.is_usual:
            ids = self._ids.of(call.whole())
        else:
            ids = self._ids.usual(user_id, fields.traits if kind == "identify" else None, anonymous_id)
        if group.pick_user is not None:
            self._add_user(group.plan.shapes[-1], group.pick_user([*standard, *call.values, *context.values]))
        group.numbers.append(len(self.seen))
        group.standard.append(standard)
        group.data.append(call.values)
        group.contexts.append(context)
        self.seen.append((ids, kind, call.message_id, call.timestamp, call.received_at))

    def _plain_group(self, key: tuple[Any, ...], call: PlainCall) -> _PlainGroup:
        plan = self._planner.plan(key, call.whole)
        is_user = plan.shapes[-1].table == USERS
        group = self._plain[key] = _PlainGroup(plan, plan.pickers[-1] if is_user else None)
        return group

    def add(self, call: Call) -> None:
        """Work out the rows of any call."""
        number = len(self.seen)
        planned = list(self._planner.rows(call))
        self.seen.append((self._ids.of(call), call.type, call.message_id, call.timestamp, call.received_at))
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
        return bool(self.seen or self._rejects)

    @property
    def rejects(self) -> int:
        return len(self._rejects)

    def tables(self) -> list[TableRows]:
        """All rows but those of users, in the order of the calls."""
        by_table: dict[str, list[tuple[Columns, list[int]]]] = {}
        for plain in self._plain.values():
            if plain.numbers:
                columns = plain.columns()
                for shape, places in zip(plain.plan.shapes, plain.plan.places, strict=True):
                    if shape.table != USERS:
                        named = {name: columns[place] for name, place in zip(shape.columns, places, strict=True)}
                        by_table.setdefault(shape.table, []).append((named, plain.numbers))
        for shape, group in self._groups.items():
            named = dict(zip(shape.columns, zip(*group.rows, strict=True), strict=True))
            by_table.setdefault(shape.table, []).append((named, group.numbers))
        tables = [_joined(table, groups) for table, groups in by_table.items()]
        if self._rejects:
            columns_of_rejects = dict(zip(_REJECT_COLUMNS, zip(*self._rejects, strict=True), strict=True))
            tables.append(TableRows(REJECTS, columns_of_rejects, len(self._rejects)))
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
        self.seen = []
        self._plain = {}
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
_OWN: Final[Mapping[str, Callable[[Any], tuple[Any, ...]]]] = {
    "identify": lambda _: (),
    "track": lambda fields: (None, fields.event),
    "page": lambda fields: (fields.name, fields.category or None),
    "screen": lambda fields: (fields.name, fields.category or None),
    "group": lambda fields: (fields.groupId,),
    "alias": lambda fields: (fields.previousId,),
}
"""The values of the columns that a type of call has beside the common ones."""


def _joined(table: str, groups: Sequence[tuple[Columns, list[int]]]) -> TableRows:
    """Rows of several shapes in the order of their calls."""
    if len(groups) == 1:
        columns, numbers = groups[0]
        return TableRows(table, columns, len(numbers), None if table == DISCARDS else numbers)
    numbers = [number for _, of_group in groups for number in of_group]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    in_order = itemgetter(*order)
    joined: dict[str, Sequence[Any]] = {}
    for name in dict.fromkeys(name for columns, _ in groups for name in columns):
        values: list[Any] = []
        for columns, of_group in groups:
            values += columns.get(name) or (None,) * len(of_group)
        joined[name] = in_order(values)
    return TableRows(table, joined, len(order), None if table == DISCARDS else list(in_order(numbers)))
