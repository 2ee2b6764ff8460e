"""The views of sources: renewed with the tables they show, and all at once when an older program made them."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import duckdb

from kohort.adapters.duckdb import event_tables_identity as graph
from kohort.adapters.duckdb.event_tables_schema import OURS, Catalog, Connection
from kohort.events.identity import PROFILE_ID

VERSION: Final = 1
"""Goes up with every change of what views there are or what they show; views that another version made are made anew."""
MADE: Final = "views_made"
_COLUMNS: Final = {"version": "BIGINT"}


def put_views(connection: Connection, catalog: Catalog) -> None:
    """Renew the views of everything that changed."""
    changed = list(catalog.changed.values())
    for schema in dict.fromkeys(state.schema for state in changed if state.name in graph.COLUMNS):
        graph.put_graph_views(connection, catalog, schema)
        graph.put_profile_view(connection, catalog, schema)
    for state in changed:
        if PROFILE_ID in state.columns:
            graph.put_call_view(connection, catalog, state)
        if state.name == "identifies":
            graph.put_profile_view(connection, catalog, state.schema)


def are_of_this_version(connection: Connection, catalog: Catalog, state_schema: str) -> bool:
    """Whether nothing is to be renewed. The catalog has looked at the schema of the state."""
    made = catalog.find(state_schema, MADE)
    if made is None or not made.ours:
        return False
    return connection.execute(f"SELECT version FROM {made.sql}").fetchall() == [(VERSION,)]


def renew(connection: Connection, catalog: Catalog, state_schema: str) -> None:
    """Make the views of all sources anew, each source in a transaction of its own; then note the version.

    A source whose tables somebody changed so that views do not fit keeps those it has, and the version is not noted: it is tried again.
    """
    found = f"SELECT DISTINCT schema_name FROM duckdb_tables() WHERE {OURS} AND table_name = '{graph.NEW_IDS}' ORDER BY 1"
    sources = [schema for (schema,) in connection.execute(found).fetchall()]
    renewed = [_renew_source(connection, catalog, source) for source in sources]
    if all(renewed):
        _note(connection, catalog, state_schema)


def _renew_source(connection: Connection, catalog: Catalog, source: str) -> bool:
    connection.execute("BEGIN TRANSACTION")
    try:
        catalog.look(connection, [source])
        for state in catalog.of(source):
            if state.ours and not state.is_view:
                catalog.changed[source, state.name] = state
        put_views(connection, catalog)
        catalog.settle(connection, [source])
        connection.execute("COMMIT")
    except (duckdb.BinderException, duckdb.CatalogException):
        catalog.forget()
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        return False
    return True


def _note(connection: Connection, catalog: Catalog, state_schema: str) -> None:
    there = catalog.find(state_schema, MADE)
    if there is not None and not there.ours:
        return
    connection.execute("BEGIN TRANSACTION")
    state = catalog.ensure(connection, state_schema, MADE, _COLUMNS, "which version of the views of sources there is")
    connection.execute(f"DELETE FROM {state.sql}")
    connection.execute(f"INSERT INTO {state.sql} VALUES ({VERSION})")
    catalog.settle(connection, [state_schema])
    connection.execute("COMMIT")
