"""The identity graph of a source as tables that only grow, and the views that show it as it is now.

Whatever was merged later, the views are right: rows of calls keep the profile they were first of, and views look up what it is by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

import msgspec
import pyarrow as pa

from kohort.adapters.duckdb.event_tables_batch import BATCH, profile_sql, run_over
from kohort.adapters.duckdb.event_tables_schema import OURS, Catalog, Connection, TableState
from kohort.adapters.duckdb.importing import quote, text
from kohort.events.columns import COMMON_COLUMNS, OVERFLOW
from kohort.events.identity import (
    PROFILE_ID,
    WITH_PROFILE,
    Change,
    Demotion,
    GraphUpdate,
    NewId,
    Profile,
)

GRAPH: Final = "id_graph_updates"
NEW_IDS: Final = "external_id_mapping_updates"
DEMOTIONS: Final = "identity_demotions"
MERGES: Final = "profile_merges"

_TRIGGER: Final = {
    "triggering_event_type": "VARCHAR",
    "triggering_event_id": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "received_at": "TIMESTAMP",
    "seq": "BIGINT",
}
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    GRAPH: {
        "segment_id": "VARCHAR",
        "canonical_segment_id": "VARCHAR",
        "reason": "VARCHAR",
        "external_ids": "VARCHAR",
        "segment_number": "BIGINT",
        "canonical_number": "BIGINT",
        **_TRIGGER,
    },
    NEW_IDS: {
        "segment_id": "VARCHAR",
        "external_id_type": "VARCHAR",
        "external_id_value": "VARCHAR",
        "external_id_hash": "UBIGINT",
        "external_id_check": "UBIGINT",
        "segment_number": "BIGINT",
        **_TRIGGER,
    },
    DEMOTIONS: {"segment_id": "VARCHAR", "external_id_type": "VARCHAR", "external_id_value": "VARCHAR", "reason": "VARCHAR", **_TRIGGER},
}
COMMENTS: Final = {
    GRAPH: "profiles that were made and merged, and by which call",
    NEW_IDS: "when an external id was first seen, and on a call of which profile",
    DEMOTIONS: "ids of calls that were not believed, and why",
}
_ARROW: Final = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "UBIGINT": pa.uint64(), "TIMESTAMP": pa.timestamp("us")}
_NAMED: Final = frozenset({"segment_id", "canonical_segment_id"})
_NOT_TRAITS: Final = frozenset({*COMMON_COLUMNS, OVERFLOW, PROFILE_ID})
_PROFILE_COLUMNS: Final = ("canonical_id", "user_id", "external_ids", "first_seen_at")
_UPDATE_COLUMNS: Final = ("segment_id", "triggering_event_id")


def write_changes(connection: Connection, catalog: Catalog, schema: str, changes: Sequence[Change], next_seq: int) -> int:
    """Append what changed, numbered in order; returns the next free number."""
    batches: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
    for seq, change in enumerate(changes, next_seq):
        trigger = change.trigger
        cells = (trigger.type, trigger.message_id, trigger.timestamp, trigger.received_at, seq)
        match change:
            case NewId():
                batches[NEW_IDS].append((change.number, *change.external_id, *change.hashed, change.number, *cells))
            case GraphUpdate():
                canonical = change.canonical
                batches[GRAPH].append((change.number, canonical, change.reason, _ids_text(change.ids), change.number, canonical, *cells))
            case Demotion():
                batches[DEMOTIONS].append((change.number, *change.external_id, change.obstacle, *cells))
            case _:
                assert_never(change)
    for table, rows in batches.items():
        state = catalog.ensure(connection, schema, table, COLUMNS[table], COMMENTS[table])
        if rows:
            _append(connection, state, COLUMNS[table], rows)
    return next_seq + len(changes)


def _append(connection: Connection, state: TableState, types: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows with a cell for each column; profiles are numbers here."""
    columns = zip(zip(*rows, strict=True), types.items(), strict=True)
    arrays = [pa.array(values, pa.int64() if name in _NAMED else _ARROW[sql_type]) for values, (name, sql_type) in columns]
    shown = ", ".join(profile_sql(name) if name in _NAMED else quote(name) for name in types)
    names = ", ".join(map(quote, types))
    run_over(connection, f"INSERT INTO {state.sql} ({names}) SELECT {shown} FROM {BATCH}", pa.table(arrays, names=list(types)))


def exists(connection: Connection, schema: str) -> bool:
    """Whether the graph of a source is there, as far as this connection sees."""
    query = f"SELECT 1 FROM duckdb_tables() WHERE {OURS} AND schema_name = $1 AND table_name = '{NEW_IDS}'"
    return bool(connection.execute(query, [schema]).fetchall())


def counters(connection: Connection, schema: str) -> tuple[int, int]:
    """(number of the next profile, next sequence number) of a source whose graph tables exist."""
    (found,) = connection.execute(f"SELECT max(segment_number), max(seq) FROM {_table(schema, GRAPH)}").fetchall()
    others = [connection.execute(f"SELECT max(seq) FROM {_table(schema, name)}").fetchall()[0] for name in (NEW_IDS, DEMOTIONS)]
    return (found[0] or 0) + 1, max(found[1] or 0, *(row[0] or 0 for row in others)) + 1


def profiles_of(connection: Connection, schema: str, hashes: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Hashes of external ids -> number of the profile they are of by now. One pass over two columns of numbers."""
    wanted = pa.table({"h": pa.array([each[0] for each in hashes], pa.uint64()), "c": pa.array([each[1] for each in hashes], pa.uint64())})
    query = (
        f"SELECT external_id_hash, external_id_check, segment_number FROM {_table(schema, NEW_IDS)} "
        f"WHERE external_id_hash IN (SELECT h FROM {BATCH})"
    )
    found = run_over(connection, query, wanted)
    numbers = {(row[0], row[1]): row[2] for row in found}
    onwards = _canonical(connection, schema, set(numbers.values()))
    return {each: onwards.get(numbers[each], numbers[each]) for each in hashes if each in numbers}


def profiles(connection: Connection, schema: str, numbers: Sequence[int]) -> list[Profile]:
    """Profiles with the times of their ids and those that were merged into them."""
    loaded = {number: Profile(number) for number in numbers}
    for member, canonical in _members(connection, schema, numbers):
        loaded[canonical].members.append(member)
    owner = {member: profile for profile in loaded.values() for member in (profile.number, *profile.members)}
    query = (
        f"SELECT segment_number, external_id_type, epoch_us(timestamp) FROM {_table(schema, NEW_IDS)} "
        f"WHERE segment_number IN (SELECT n FROM {BATCH}) ORDER BY seq"
    )
    for number, kind, at in run_over(connection, query, _numbered(owner)):
        owner[number].ids.setdefault(kind, []).append(at)
    return list(loaded.values())


def put_graph_views(connection: Connection, catalog: Catalog, schema: str) -> None:
    """`profile_merges`, `id_graph`, `external_id_mapping` and `user_identifiers`."""
    graph, ids, merges = _table(schema, GRAPH), _table(schema, NEW_IDS), _table(schema, MERGES)
    latest = ", ".join(f"arg_max({name}, seq) AS {name}" for name in ("canonical_segment_id", *_TRIGGER) if name != "seq")
    first = ", ".join(f"arg_min({name}, seq) AS {name}" for name in ("reason", "external_ids"))
    merge_query = f"""SELECT segment_id, {latest}, {first}, max(seq) AS seq
FROM {graph} WHERE reason <> 'created' GROUP BY segment_id"""
    graph_query = f"""SELECT segment_id, arg_max(canonical_segment_id, seq) AS canonical_segment_id, arg_max(timestamp, seq) AS timestamp
FROM {graph} GROUP BY segment_id"""
    ids_query = f"""SELECT coalesce(m.canonical_segment_id, i.segment_id) AS canonical_segment_id,
  i.external_id_type, i.external_id_value, i.timestamp
FROM {ids} AS i LEFT JOIN {merges} AS m ON m.segment_id = i.segment_id"""
    catalog.put_view(connection, schema, MERGES, merge_query, "which profiles became part of which, and why")
    catalog.put_view(connection, schema, "id_graph", graph_query, "which profile every profile is by now")
    if catalog.put_view(connection, schema, "external_id_mapping", ids_query, "which profile every external id is of by now"):
        names = "canonical_segment_id, external_id_type AS type, external_id_value AS value, timestamp"
        query = f"SELECT {names} FROM {_table(schema, 'external_id_mapping')}"
        catalog.put_view(connection, schema, "user_identifiers", query, "the ids of every person")


def put_profile_view(connection: Connection, catalog: Catalog, schema: str) -> None:
    """`profiles`: one row a canonical profile with its ids and the newest value of each trait."""
    ids, merges = _table(schema, NEW_IDS), _table(schema, MERGES)
    known = f"""SELECT coalesce(m.canonical_segment_id, i.segment_id) AS canonical_id,
  arg_max(i.external_id_value, i.seq) FILTER (i.external_id_type = 'user_id') AS user_id,
  list(i.external_id_type || ':' || i.external_id_value ORDER BY i.seq) AS external_ids, min(i.timestamp) AS first_seen_at
FROM {ids} AS i LEFT JOIN {merges} AS m ON m.segment_id = i.segment_id GROUP BY ALL"""
    identifies = catalog.find(schema, "identifies")
    traits = _traits(identifies)
    if identifies is None or not traits:
        query = f"SELECT {', '.join(_PROFILE_COLUMNS)} FROM ({known})"
    else:
        newest = ", ".join(f"arg_max(c.{quote(name)}, c.rowid) AS {quote(shown)}" for name, shown in traits.items())
        query = f"""SELECT {", ".join(f"k.{name}" for name in _PROFILE_COLUMNS)}, t.* EXCLUDE (canonical_id)
FROM ({known}) AS k LEFT JOIN (
  SELECT coalesce(m.canonical_segment_id, c.{PROFILE_ID}) AS canonical_id, {newest}
  FROM {identifies.sql} AS c LEFT JOIN {merges} AS m ON m.segment_id = c.{PROFILE_ID} WHERE c.{PROFILE_ID} IS NOT NULL GROUP BY ALL
) AS t ON t.canonical_id = k.canonical_id"""
    is_ours = catalog.put_view(connection, schema, "profiles", query, "one row a person: ids and the newest value of each trait")
    if identifies is not None and traits:
        _put_trait_updates(connection, catalog, identifies, traits)
        if is_ours:
            _put_user_traits(connection, catalog, schema, traits)


def _put_trait_updates(connection: Connection, catalog: Catalog, identifies: TableState, traits: Mapping[str, str]) -> None:
    """`profile_traits_updates`: the traits of each identify call. traits: see `_traits`."""
    shown = {name: f"_{name}" if name in _UPDATE_COLUMNS else name for name in traits}
    given = ", ".join(f"{quote(name)} AS {quote(alias)}" for name, alias in shown.items())
    updates = f"""SELECT {PROFILE_ID} AS segment_id, id AS triggering_event_id, timestamp, received_at, {given}
FROM {identifies.sql} WHERE {PROFILE_ID} IS NOT NULL"""
    catalog.put_view(
        connection, identifies.schema, "profile_traits_updates", updates, "the traits of each identify call and the profile it was of"
    )


def _put_user_traits(connection: Connection, catalog: Catalog, schema: str, traits: Mapping[str, str]) -> None:
    """`user_traits`: one row a person and trait. traits: see `_traits`."""
    pairs = ", ".join(f"{{'name': {text(name)}, 'value': CAST(p.{quote(alias)} AS VARCHAR)}}" for name, alias in traits.items())
    newest = f"""SELECT canonical_segment_id, trait.name AS name, trait.value AS value
FROM (SELECT p.canonical_id AS canonical_segment_id, unnest([{pairs}]) AS trait FROM {_table(schema, "profiles")} AS p)
WHERE trait.value IS NOT NULL"""
    catalog.put_view(connection, schema, "user_traits", newest, "one row a person and trait: its newest value as text")


def put_call_view(connection: Connection, catalog: Catalog, state: TableState) -> None:
    """`<table>_with_profile`: the calls of a table with the profile they are of by now."""
    columns = [name for name in state.columns if name != PROFILE_ID]
    shown = ", ".join(f"c.{quote(name)}" + (" AS _canonical_id" if name == "canonical_id" else "") for name in columns)
    query = f"""SELECT coalesce(m.canonical_segment_id, c.{PROFILE_ID}) AS canonical_id, {shown}
FROM {state.sql} AS c LEFT JOIN {_table(state.schema, MERGES)} AS m ON m.segment_id = c.{PROFILE_ID}"""
    catalog.put_view(connection, state.schema, state.name + WITH_PROFILE, query, f"{state.name} with the profile of each call")


def _canonical(connection: Connection, schema: str, numbers: set[int]) -> dict[int, int]:
    """Number -> what it is by now, of those that were merged."""
    query = (
        f"SELECT segment_number, arg_max(canonical_number, seq) FROM {_table(schema, GRAPH)} "
        f"WHERE segment_number IN (SELECT n FROM {BATCH}) AND canonical_number <> segment_number GROUP BY 1"
    )
    return dict(run_over(connection, query, _numbered(numbers)))


def _members(connection: Connection, schema: str, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """(number, canonical) of the profiles that were merged into these, in the order of their merging."""
    query = (
        f"SELECT segment_number, canonical_number FROM {_table(schema, GRAPH)} "
        f"WHERE canonical_number IN (SELECT n FROM {BATCH}) AND canonical_number <> segment_number ORDER BY seq"
    )
    return run_over(connection, query, _numbered(numbers))


def _numbered(numbers: Iterable[int]) -> pa.Table:
    return pa.table({"n": pa.array(list(numbers), pa.int64())})


def _traits(identifies: TableState | None) -> dict[str, str]:
    """Column of `identifies` -> column of `profiles`."""
    if identifies is None or not identifies.ours:
        return {}
    names = [name for name in identifies.columns if name not in _NOT_TRAITS and not name.startswith("context_")]
    return {name: f"_{name}" if name in _PROFILE_COLUMNS else name for name in names}


def _ids_text(ids: Sequence[tuple[str, str]]) -> str | None:
    return msgspec.json.encode([f"{kind}:{value}" for kind, value in ids]).decode() if ids else None


def _table(schema: str, name: str) -> str:
    return f"{quote(schema)}.{quote(name)}"
