"""On a server: one row that every transaction counts up before it changes anything, whoever it is of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = (
    *("parent_segments", "segments", "segment_versions", "refreshes", "evaluations", "populations", "runs", "sources", "write_keys"),
    *("users", "grants", "sessions", "api_tokens", "failed_attempts", "setup_links", "audit_log"),
)

COUNT_UP = """
CREATE FUNCTION kohort_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'UPDATE ' || quote_ident(TG_TABLE_SCHEMA) || '.changes SET number = number + 1'
        || ' WHERE CAST(xmin AS text) <> CAST(txid_current() & 4294967295 AS text)';
    RETURN NULL;
END
$$
"""
"""Once a transaction; the row is found whatever the search path of whoever changes something."""

TRIGGER = """
CREATE TRIGGER kohort_count_change BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE PROCEDURE kohort_count_change()
"""


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    changes = op.create_table("changes", sa.Column("number", sa.BigInteger, nullable=False))
    op.bulk_insert(changes, [{"number": 1}])
    op.get_bind().exec_driver_sql(COUNT_UP)
    for table in TABLES:
        op.get_bind().exec_driver_sql(TRIGGER.format(table=table))
