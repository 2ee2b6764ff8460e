"""From a URL to a database that is ready: right driver, right pragmas, UTC, and the schema at its newest revision."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from kohort.foundation.errors import UserError

WRITES = "kohort_writes"
"""Execution option of a connection whose transaction will write."""

_WRITER_LOCK = 7_303_014_826  # one number that every Kohort uses, so that writers on one server take turns
_EXAMPLES = "write sqlite:///folder/kohort.db or postgresql://user:password@host/database"


def parse_url(text: str | Path) -> URL:
    """The URL with the driver we use; a Path is a SQLite file. Raises UserError STORE_URL; a password is never repeated."""
    if isinstance(text, Path):
        return URL.create("sqlite", database=str(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UserError("STORE_URL", "the store's URL cannot be read", hint=_EXAMPLES) from None
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
                raise UserError("STORE_URL", "the store needs a file", hint=_EXAMPLES)
            return url.set(drivername="sqlite")
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise UserError("STORE_URL", f'there is no store of the kind "{other}"', hint=_EXAMPLES)


def create_store_engine(url: URL, wait_seconds: float) -> Engine:
    """An engine whose writing transactions take turns. A missing folder of a SQLite file is made (its parent must exist).

    Raises UserError STORE_DRIVER_MISSING, STORE_UNREACHABLE.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, wait_seconds)
    return _postgres_engine(url, wait_seconds)


def _sqlite_engine(url: URL, wait_seconds: float) -> Engine:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        hint = "check the path in the store's URL"
        raise UserError("STORE_UNREACHABLE", f"the folder {folder} cannot be made: {error.strerror}", hint=hint) from error
    engine = create_engine(url, json_serializer=_json_text, connect_args={"timeout": wait_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def switch_to_wal(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Readers go on while somebody writes. The switch is made once per file and may collide with another first opening."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _postgres_engine(url: URL, wait_seconds: float) -> Engine:
    milliseconds = int(wait_seconds * 1000)
    arguments: dict[str, Any] = {"application_name": "kohort", "connect_timeout": 10}
    arguments = {key: value for key, value in arguments.items() if key not in url.query}
    options = url.query.get("options", "")
    given = options if isinstance(options, str) else " ".join(options)
    arguments["options"] = f"{given} -c timezone=UTC -c lock_timeout={milliseconds}".strip()
    try:
        return create_engine(
            url, json_serializer=_json_text, connect_args=arguments, pool_pre_ping=True, isolation_level="READ COMMITTED"
        )  # whoever waited for its turn reads what the one before committed, whatever the server's default is
    except ModuleNotFoundError as error:
        hint = 'install it: pip install "kohort[postgres]"'
        raise UserError("STORE_DRIVER_MISSING", "the driver for PostgreSQL is not installed", hint=hint) from error


def take_turn(connection: Connection) -> None:
    """Wait until no other writer is at work (SQLite has seen to it at BEGIN IMMEDIATE)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


def _json_text(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        hint = "write null or a number"
        raise UserError("STORE_VALUE", "a definition holds NaN or infinity, which cannot be stored", hint=hint) from error
