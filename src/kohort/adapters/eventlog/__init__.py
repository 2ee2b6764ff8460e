"""The embedded event log: SQLite files, one after the other, and the index of message ids beside them."""

from kohort.adapters.eventlog.dedup import MessageIndex
from kohort.adapters.eventlog.log import SQLiteEventLog

__all__ = ["MessageIndex", "SQLiteEventLog"]
