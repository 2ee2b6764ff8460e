"""A new parent segment, written as YAML beside the tables there are."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.web.api.desk import AtDesk
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()

STARTER = """\
name: All Customers
description: Everybody who ever signed up
timezone: UTC
master:
  database: shop
  table: customers
  key_column: customer_id
attributes:
  - name: Profile
    source: { database: shop, table: profiles }
    join: { parent_key: customer_id, child_key: customer_id }
    columns:
      - { column: loyalty_tier, type: string }
      - { column: lifetime_value, type: number }
      - { column: email, type: string, visibility: pii }
behaviors:
  - name: Purchase
    source: { database: shop, table: purchases }
    join: { parent_key: customer_id, child_key: customer_id }
    time_column: purchased_at
    columns:
      - { column: amount, type: number }
      - { column: category, type: string }
"""


@routes.page("/audiences/new-parent", "parents.add")
def new_parent_page(request: Request, desk: AtDesk) -> Response:
    """The editor with a definition to begin with."""
    return render(request, "parents/new.html", desk, text=STARTER)


@routes.page("/audiences/new-parent/tables", "parents.add")
def tables_part(request: Request, desk: AtDesk) -> Response:
    """The tables of the warehouse with their columns."""
    with desk.kohort.shared_warehouse.use() as warehouse:
        tables = [info for info in warehouse.tables() if not info.ref.database.startswith("cdp_audience_")]
    return render(request, "parents/tables_part.html", desk, tables=tables)
