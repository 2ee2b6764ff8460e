"""Sources and the hashes of their write keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("naming", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("accept_unknown_keys", sa.Boolean, nullable=False),
        sa.Column("rate_limit", sa.Integer),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
        sa.UniqueConstraint("slug", name="uq_sources_slug"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "write_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("source_id", sa.Integer, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False),
        sa.Column("last_four", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_write_keys"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_write_keys_source_id", ondelete="CASCADE"),
        sa.UniqueConstraint("key_hash", name="uq_write_keys_key_hash"),
        sqlite_autoincrement=True,
    )
