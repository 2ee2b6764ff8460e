"""Users, grants, sessions, API tokens, failed attempts, set-up links and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        *_texts("name", "name_key", "role"),
        sa.Column("disabled", sa.Boolean, nullable=False),
        *_texts("password_hash"),
        sa.Column("created_at", INSTANT, nullable=False),
        *_texts("created_by"),
        sa.Column("updated_at", INSTANT, nullable=False),
        *_texts("updated_by"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name_key", name="uq_users_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "grants",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.Integer, nullable=False),
        *_texts("folder", "role"),
        sa.PrimaryKeyConstraint("user_id", "parent_id", "folder", name="pk_grants"),
        _of_user("grants"),
        sa.ForeignKeyConstraint(["parent_id"], ["parent_segments.id"], name="fk_grants_parent_id", ondelete="CASCADE"),
    )
    op.create_table(
        "sessions",
        *_texts("token_hash"),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        *_texts("address"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        _of_user("sessions"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        *_texts("name", "token_hash", "last_four", "role"),
        sa.Column("created_at", INSTANT, nullable=False),
        *_texts("created_by"),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
        _of_user("api_tokens"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "failed_attempts",
        *_texts("key"),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_failed_attempts"),
    )
    op.create_table(
        "setup_links",
        *_texts("token_hash"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_setup_links"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        *_texts("who", "way", "action", "kind", "object", "before", "after", "address", "detail"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sqlite_autoincrement=True,
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE")
