"""The definition store on SQLite or PostgreSQL."""

from __future__ import annotations

from kohort.adapters.sqlalchemy.definitions import Definitions
from kohort.adapters.sqlalchemy.run_log import RunLog
from kohort.adapters.sqlalchemy.runs import Runs
from kohort.adapters.sqlalchemy.sources import Sources
from kohort.adapters.sqlalchemy.users import Users


class SQLAlchemyStore(Definitions, Runs, RunLog, Sources, Users):
    """Keeps definitions, versions, sources, users and the record of runs in one database, given by its URL or file.

    A path, `sqlite:///folder/kohort.db` or `postgresql://user:password@host/database`. The schema is made or upgraded when the
    store is opened. Raises UserError STORE_URL, STORE_UNREACHABLE, STORE_DRIVER_MISSING, STORE_TOO_NEW, STORE_DAMAGED,
    STORE_LOCKED, STORE_READ_ONLY, DISK_FULL. Threads may share one store; each has its own transaction.
    """
