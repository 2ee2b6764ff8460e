"""Refreshes of parent segments, and evaluations with the populations they found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "refreshes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("population", sa.BigInteger, nullable=False),
        sa.Column("catalog", sa.JSON, nullable=False),
        sa.Column("report", sa.JSON, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("abandoned", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refreshes"),
        sa.ForeignKeyConstraint(["parent_id"], ["parent_segments.id"], name="fk_refreshes_parent_id", ondelete="CASCADE"),
        sa.UniqueConstraint("parent_id", "number", name="uq_refreshes_parent_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "evaluations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.Integer, nullable=False),
        sa.Column("refresh_number", sa.Integer, nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("evaluated_at", INSTANT, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
        sa.ForeignKeyConstraint(["parent_id"], ["parent_segments.id"], name="fk_evaluations_parent_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evaluations_parent_id_id", "evaluations", ["parent_id", "id"])
    op.create_table(
        "populations",
        sa.Column("evaluation_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("segment_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("share_of", sa.Text, nullable=False),
        sa.Column("base_count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", "position", name="pk_populations"),
        sa.ForeignKeyConstraint(["evaluation_id"], ["evaluations.id"], name="fk_populations_evaluation_id", ondelete="CASCADE"),
    )
