"""Every refresh and evaluation as a run: who asked for it, its steps, what came out. What was run before is taken over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    runs = op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("as_of", INSTANT),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("asked_by", "way", "message")),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("counts", "log", "problem")),
        sa.Column("process", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["parent_id"], ["parent_segments.id"], name="fk_runs_parent_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_parent_id_id", "runs", ["parent_id", "id"])
    taken_over = sorted([*_refreshes(), *_evaluations()], key=lambda run: str(run["started_at"]))
    if taken_over:
        op.bulk_insert(runs, taken_over)


_UNKNOWN: dict[str, Any] = {"asked_by": "", "way": "", "log": [], "problem": {}}


def _refreshes() -> list[dict[str, Any]]:
    table = sa.table(
        "refreshes",
        *(sa.column(name) for name in ("id", "parent_id", "number", "status", "message", "population", "process")),
        *(sa.column(name, INSTANT) for name in ("started_at", "finished_at", "as_of")),
    )
    return [
        {
            **_UNKNOWN,
            **{name: getattr(row, name) for name in ("parent_id", "number", "status", "started_at", "finished_at", "as_of", "message")},
            "kind": "refresh",
            "counts": {"profiles": row.population} if row.status == "success" else {},
            "process": row.process,
        }
        for row in op.get_bind().execute(sa.select(table).order_by(table.c.id))
    ]


def _evaluations() -> list[dict[str, Any]]:
    names = ("id", "parent_id", "total")
    table = sa.table("evaluations", *(sa.column(name) for name in names), *(sa.column(name, INSTANT) for name in ("as_of", "evaluated_at")))
    populations = sa.table("populations", sa.column("evaluation_id"))
    count = sa.select(sa.func.count()).where(populations.c.evaluation_id == table.c.id).scalar_subquery()
    return [
        {
            **_UNKNOWN,
            "parent_id": row.parent_id,
            "kind": "evaluation",
            "number": row.id,
            "status": "success",
            "started_at": row.evaluated_at,
            "finished_at": row.evaluated_at,
            "as_of": row.as_of,
            "message": "",
            "counts": {"profiles": row.total, "segments": row.segments},
            "process": "",
        }
        for row in op.get_bind().execute(sa.select(table, count.label("segments")).order_by(table.c.id))
    ]
