"""How ids of a source's calls become profiles: rules of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("identity", sa.Text, nullable=False, server_default=""))
