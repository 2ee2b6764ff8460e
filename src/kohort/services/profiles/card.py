"""One customer as seen through the parent segment: attributes, recent behaviors, segments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.foundation.instants import from_micros, to_micros
from kohort.membership.snapshots import SnapshotStore
from kohort.parent.catalog import Behavior, Field
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, TIMESTAMP, behavior_table, keys_table, profiles_table
from kohort.ports.definitions import DefinitionStore
from kohort.services.evaluation.evaluate import Engine
from kohort.sql import build
from kohort.sql.dialects import DUCKDB


@dataclass(frozen=True, slots=True)
class BehaviorRow:
    """One thing the customer did. `at` is in the parent segment's zone; `values` by column, without nulls."""

    behavior: str
    label: str
    at: datetime
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProfileCard:
    """A customer's card. `days`: newest first, each with its rows newest first. `segments`: as of the last evaluation."""

    key_column: str
    key: str
    customer_id: str
    attributes: tuple[tuple[Field, Any], ...]
    days: tuple[tuple[date, tuple[BehaviorRow, ...]], ...]
    behavior_counts: dict[str, int]
    segments: tuple[str, ...]
    segments_as_of: datetime | None
    as_of: datetime


def profile_card(
    engine: Engine, store: DefinitionStore, snapshots: SnapshotStore, key: str, *, recent: int = 10, as_of: datetime | None = None
) -> ProfileCard:
    """The card of the customer with that master key or cdp_customer_id. Raises UserError PROFILE_NOT_FOUND."""
    moment = as_of or engine.refresh.as_of
    ordinal, found_key = find_profile(engine, key)
    row = profile_row(engine, ordinal)
    rows: list[BehaviorRow] = []
    counts: dict[str, int] = {}
    for behavior in engine.catalog.behaviors:
        counts[behavior.name], found = _recent(engine, behavior, ordinal, moment, recent)
        rows.extend(found)
    evaluation = store.last_evaluation(engine.parent.id)
    segments = sorted(snapshots.segments_of(engine.parent.id, evaluation.id, ordinal)) if evaluation else []
    return ProfileCard(
        engine.key_column,
        found_key,
        row[CUSTOMER_ID],
        tuple((field, row[field.name]) for field in engine.catalog.attributes),
        _by_day(sorted(rows, key=lambda item: item.at, reverse=True)[:recent]),
        counts,
        tuple(segments),
        evaluation.as_of if evaluation else None,
        moment,
    )


def find_profile(engine: Engine, key: str) -> tuple[int, str]:
    """(ordinal, master key) of a customer who is in the last refresh. Raises UserError PROFILE_NOT_FOUND."""
    keys, profiles = keys_table(engine.parent.id), profiles_table(engine.parent.id, engine.refresh.number)
    all_keys, present = build.table(keys.database, keys.table), build.table(profiles.database, profiles.table)
    known = _first(engine, exp.select(build.column(ORDINAL)).from_(all_keys).where(_equals("key", key)))
    if known is not None and _first(engine, exp.select(build.column(ORDINAL)).from_(present).where(is_ordinal(known))) is not None:
        return int(known), key
    if re.fullmatch(r"[0-9a-f]{40}", key):
        found = _first(engine, exp.select(build.column(ORDINAL)).from_(present.copy()).where(_equals(CUSTOMER_ID, key)))
        if found is not None:
            named = _first(engine, exp.select(build.column("key")).from_(all_keys.copy()).where(is_ordinal(int(found))))
            return int(found), str(named)
    hint = f'give the value of "{engine.key_column}" or a {CUSTOMER_ID}'
    raise UserError("PROFILE_NOT_FOUND", f'nobody in "{engine.parent.name}" has the key "{key}"', hint=hint)


def _equals(column: str, text: str) -> exp.Expression:
    return exp.EQ(this=build.column(column), expression=build.text(text))


def _first(engine: Engine, query: exp.Select) -> Any:
    """The value in the first column and row; None: there is no row."""
    column = engine.warehouse.query(query.limit(1)).column(0)
    return column[0].as_py() if len(column) else None


def profile_row(engine: Engine, ordinal: int) -> dict[str, Any]:
    """The row of a customer in the last refresh."""
    table = profiles_table(engine.parent.id, engine.refresh.number)
    query = exp.select("*").from_(build.table(table.database, table.table)).where(is_ordinal(ordinal))
    return dict(engine.warehouse.query(query).to_pylist()[0])


def is_ordinal(ordinal: int) -> exp.Expression:
    """The condition that picks the rows of one customer."""
    return exp.EQ(this=build.column(ORDINAL), expression=build.integer(ordinal))


def _recent(engine: Engine, behavior: Behavior, ordinal: int, as_of: datetime, recent: int) -> tuple[int, list[BehaviorRow]]:
    """(rows up to as_of, the newest of them) of one behavior."""
    ref = behavior_table(engine.parent.id, engine.refresh.number, behavior.name)
    table = build.table(ref.database, ref.table)
    until = exp.LTE(this=build.column(TIMESTAMP), expression=build.timestamp(to_micros(as_of), DUCKDB))
    rows = exp.select("*").from_(table).where(is_ordinal(ordinal), until)
    newest = [exp.Ordered(this=build.column(name), desc=True) for name in (TIMESTAMP, ARRIVAL)]
    total = engine.warehouse.query(exp.select(exp.Count(this=exp.Star())).from_(table.copy()).where(is_ordinal(ordinal), until.copy()))
    zone = ZoneInfo(engine.catalog.timezone)
    found = []
    for row in engine.warehouse.query(rows.order_by(*newest).limit(recent)).to_pylist():
        at = from_micros(naive_micros(row[TIMESTAMP])).astimezone(zone)
        values = {field.name: row[field.name] for field in behavior.fields if row[field.name] is not None}
        found.append(BehaviorRow(behavior.name, behavior.label or behavior.name, at, values))
    return int(total.column(0)[0].as_py()), found


def naive_micros(naive: datetime) -> int:
    """Microseconds of a timestamp without zone, which is in UTC."""
    return to_micros(naive.replace(tzinfo=ZoneInfo("UTC")))


def _by_day(rows: list[BehaviorRow]) -> tuple[tuple[date, tuple[BehaviorRow, ...]], ...]:
    days: dict[date, list[BehaviorRow]] = {}
    for row in rows:
        days.setdefault(row.at.date(), []).append(row)
    return tuple((day, tuple(of_day)) for day, of_day in days.items())
