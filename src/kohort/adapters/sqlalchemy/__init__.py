"""The definition store on SQLite or PostgreSQL."""

from __future__ import annotations

from kohort.adapters.sqlalchemy.store import SQLAlchemyStore

__all__ = ["SQLAlchemyStore"]
