"""A parent segment written from the tables of a source, for a person to go on from: users or profiles as master, events as behaviors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from kohort.events.columns import CALL_TABLES, COMMON_COLUMNS, OVERFLOW, SOURCE_TABLES, USERS
from kohort.events.identity import PROFILE_ID, WITH_PROFILE
from kohort.foundation.errors import UserError
from kohort.parent.casting import cast_column, natural_type
from kohort.parent.definition import TableRef, slug
from kohort.parent.table_entries import BEHAVIOR_RESERVED
from kohort.ports.sources import SourceRecord
from kohort.ports.warehouse import ColumnInfo, TableInfo, Warehouse
from kohort.sql.build import column, table

MasterKind = Literal["users", "profiles"]


@dataclass(frozen=True, slots=True)
class ScaffoldWays:
    """How who reads the YAML goes on. then: what to do with it; check: what counts what does not fit; visitors: how all are had."""

    then: str
    check: str
    visitors: str


COMMANDS = ScaffoldWays(
    "kohort ps validate FILE, kohort ps push FILE, kohort ps run NAME", "ps validate", "kohort ps scaffold --master profiles"
)

_NOT_FIELDS = frozenset({*COMMON_COLUMNS, "event", "event_text", "uuid", "uuid_ts", "loaded_at", PROFILE_ID, "canonical_id"})
_CALLS = ("pages", "screens", "groups", "tracks", "identifies", "aliases")
_ACTIVE_CALLS = ("pages", "screens", "groups")
_TITLES = {"pages": "Page", "screens": "Screen", "groups": "Group", "tracks": "Any event", "identifies": "Identify", "aliases": "Alias"}
_PERSONAL = frozenset({"address", "birthday", "email", "external_ids", "first_name", "full_name", "ip", "last_name", "phone", "username"})
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_NO_TEXT = ("true", "false", "null")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How customers are told apart: the master's table and key, the tables of calls and their key, and remarks for a person."""

    table: str
    key: str
    suffix: str
    child_key: str
    who: str
    remark: str
    left_out: str


_KINDS: dict[MasterKind, _Kind] = {
    "users": _Kind(
        USERS,
        "id",
        "",
        "user_id",
        "Everybody whom the calls of {} name by a user id",
        "one row a user, each trait at its newest value; every column becomes an attribute",
        "Calls without a user id belong to nobody here; {check} counts them. All visitors: {visitors}.",
    ),
    "profiles": _Kind(
        "profiles",
        "canonical_id",
        WITH_PROFILE,
        "canonical_id",
        "Everybody who sent calls of {}, known or not; who shares an id is one person",
        "one row a person; every column becomes an attribute",
        "When two profiles turn out to be one person, the next refresh shows one profile under the id of the older one.",
    ),
}


@dataclass(frozen=True, slots=True)
class _Behavior:
    """One table as a behavior. shown: whether it takes part as written, or only as a comment."""

    name: str
    table: TableInfo
    shown: bool = True
    remark: str = ""


def scaffold(
    warehouse: Warehouse, source: SourceRecord, name: str = "", master: MasterKind = "users", ways: ScaffoldWays = COMMANDS
) -> str:
    """YAML of a parent segment over the tables of a source, valid as it is. name: of the parent segment (default: the source's).
    ways: how its reader goes on.

    Raises UserError SOURCE_EMPTY when nothing was loaded yet, or nobody is known by a user id.
    """
    tables = {info.ref.table: info for info in warehouse.tables() if info.ref.database == source.slug}
    kind = _KINDS[master]
    if kind.table not in tables:
        what = "has no tables yet" if not tables else "knows nobody by a user id yet"
        hint = "send it an identify call with a userId, and let kohort serve load it"
        raise UserError("SOURCE_EMPTY", f'the source "{source.name}" {what}', hint=hint)
    behaviors = list(_behaviors(warehouse, tables, kind.suffix))
    return "\n".join([*_head(source, name or source.name, tables[kind.table], kind, ways), *_behavior_lines(behaviors, kind, ways)]) + "\n"


def _head(source: SourceRecord, name: str, people: TableInfo, kind: _Kind, ways: ScaffoldWays) -> Iterator[str]:
    yield f"# Written from the tables of the source {json.dumps(source.name, ensure_ascii=False)}. Read the remarks, change what you want,"
    yield f"# then: {ways.then}"
    yield f"name: {json.dumps(name, ensure_ascii=False)}"
    yield f"description: {json.dumps(kind.who.format(source.name), ensure_ascii=False)}"
    yield "timezone: UTC  # where a day begins, for rules such as today or this week: choose yours, e.g. America/New_York"
    yield "master:"
    yield f"  database: {source.slug}"
    yield f"  table: {kind.table}  # {kind.remark}"
    yield f"  key_column: {kind.key}"
    personal = [c.name for c in people.columns if (_is_personal(c.name) or c.name == "name") and c.name != kind.key]
    if personal:
        yield "  columns:  # shown to engineers and admins only; name others that are personal, too"
        yield from (f"    - {{ column: {_scalar(name)}, visibility: pii }}" for name in personal)
    yield "schedule: { type: none }  # choose when it should refresh, e.g. { type: hourly }"
    aside = {kind.key} if kind.suffix else _NOT_FIELDS
    known = [c.name for c in people.columns if c.name not in aside and not c.name.startswith("context_")]
    if known:
        yield f"# Attributes by themselves: {', '.join(known)}"


def _behaviors(warehouse: Warehouse, tables: dict[str, TableInfo], suffix: str) -> Iterator[_Behavior]:
    """The tables of events by name, then those of other calls. suffix: of the views that are to be read in their place."""
    taken = {slug(title, "_") for title in _TITLES.values()}
    for name in sorted(tables.keys() - SOURCE_TABLES):
        info = tables[name]
        if not _is_calls(info, "event_text") or name + suffix not in tables:
            continue
        names = _event_names(warehouse, info.ref)
        title = next((text for text in (*names[:1], name) if _is_name(text) and slug(text, "_") not in taken), f"event {name}")
        taken.add(slug(title, "_"))
        also = ", ".join(json.dumps(text, ensure_ascii=False) for text in names if text != title)
        yield _Behavior(title, tables[name + suffix], remark=f"also sent as {also}" if also else "")
    for name in _CALLS:
        if name in tables and _is_calls(tables[name]) and name + suffix in tables:
            yield _Behavior(_TITLES[name], tables[name + suffix], name in _ACTIVE_CALLS)


def _is_calls(info: TableInfo, *more: str) -> bool:
    names = {c.name for c in info.columns}
    return info.kind == "table" and {"user_id", "timestamp", *more} <= names


def _is_name(text: str) -> bool:
    return bool(re.search(r"[^\W_]", text)) and text.isprintable() and len(text) <= 100


def _event_names(warehouse: Warehouse, ref: TableRef) -> list[str]:
    """As what an event was sent, the most frequent name first; at most four."""
    name = column("event_text")
    frequent = (
        exp.select(name)
        .from_(table(ref.database, ref.table))
        .where(exp.Not(this=exp.Is(this=name.copy(), expression=exp.Null())))
        .group_by(name.copy())
        .order_by(exp.Ordered(this=exp.Count(this=exp.Star()), desc=True), name.copy())
        .limit(4)
    )
    return [str(text) for text in warehouse.query(frequent).column(0).to_pylist()]


def _behavior_lines(behaviors: Sequence[_Behavior], kind: _Kind, ways: ScaffoldWays) -> Iterator[str]:
    active, others = [b for b in behaviors if b.shown], [b for b in behaviors if not b.shown]
    if not active:
        yield "behaviors: []"
    else:
        yield "# timestamp is when a call happened by the sender's clock, corrected for its error; received_at is when it arrived."
        yield f"# {kind.left_out.format(check=ways.check, visitors=ways.visitors)}"
        yield "# visibility: pii is for columns whose values engineers and admins alone may see; it stands where a name suggests it."
        yield "behaviors:"
    for behavior in active:
        yield from _entry(behavior, kind)
    if others:
        yield "# Not taken. Remove the # of those that rules should see:"
        for behavior in others:
            yield from (f"# {line}" for line in _entry(behavior, kind))


def _entry(behavior: _Behavior, kind: _Kind) -> Iterator[str]:
    ref = behavior.table.ref
    yield f"  - name: {json.dumps(behavior.name, ensure_ascii=False)}{f'  # {behavior.remark}' if behavior.remark else ''}"
    yield f"    source: {{ database: {ref.database}, table: {_scalar(ref.table)} }}"
    yield f"    join: {{ parent_key: {kind.key}, child_key: {kind.child_key} }}"
    yield "    timestamp_column: timestamp"
    yield "    columns:"
    keep = ("event", "event_text") if ref.table == CALL_TABLES["track"] + kind.suffix else ()
    columns = [c for c in behavior.table.columns if c.name not in _NOT_FIELDS or c.name in keep]
    names = {c.name.lower() for c in columns}
    own = [c for c in columns if not _is_aside(c)]
    yield from (f"      - {_pick(c, names)}" for c in own)
    if not own:
        yield "      - { column: id, type: string }  # of the call: a behavior needs a column"
    yield from (f"      # - {_pick(c, names)}" for c in columns if _is_aside(c))


def _is_aside(info: ColumnInfo) -> bool:
    """Columns that few rules need, or that no field can hold."""
    return info.name.startswith("context_") or info.name == OVERFLOW or cast_column("x", info.type, None, "UTC") is None


def _pick(info: ColumnInfo, names: set[str]) -> str:
    name = info.name
    while name.lower() in BEHAVIOR_RESERVED or (name != info.name and name in names):
        name += "_sent"
    renamed = f", name: {name}" if name != info.name else ""
    seen = ", visibility: pii" if _is_personal(info.name) else ""
    return f"{{ column: {_scalar(info.name)}{renamed}, type: {natural_type(info.type)}{seen} }}"


def _is_personal(column: str) -> bool:
    """Whether a column is named like a trait that tells who somebody is.

    >>> _is_personal("email"), _is_personal("context_traits_phone"), _is_personal("address_city"), _is_personal("plan")
    (True, True, True, False)
    """
    name = column.removeprefix("context_").removeprefix("traits_")
    return name in _PERSONAL or name.startswith("address_")


def _scalar(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in _NO_TEXT else json.dumps(name)
