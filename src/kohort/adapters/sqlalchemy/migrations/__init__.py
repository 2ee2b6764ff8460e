"""Alembic migrations of the definition store."""
