"""Brings the schema of a store to the revision this program was written for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from kohort.adapters.sqlalchemy.engine import WRITES, switch_to_wal, take_turn
from kohort.foundation.errors import UserError

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""All revisions, oldest first: the names of the files in migrations/versions."""

HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"


def open_schema(engine: Engine, wait_seconds: float) -> None:
    """Create or upgrade the schema in one transaction; several programs may do so at once.

    Raises UserError STORE_TOO_NEW when a newer program made it.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            _refuse_newer(stored_revision(connection))
            connection.rollback()
            switch_to_wal(driver, wait_seconds)
        if stored_revision(connection) == HEAD:
            return
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        take_turn(connection)
        revision = stored_revision(connection)
        _refuse_newer(revision)
        if revision != HEAD:
            migrate(connection, HEAD)


def stored_revision(connection: Connection) -> str | None:
    """The revision of the stored schema, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return str(found) if found is not None else None


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in REVISIONS:
        raise UserError(
            "STORE_TOO_NEW",
            f"the definition store has schema {revision}, this program knows up to {HEAD}",
            hint="upgrade Kohort, or open another store",
        )


def migrate(connection: Connection, revision: str) -> None:
    """Run the migrations up to `revision` inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
