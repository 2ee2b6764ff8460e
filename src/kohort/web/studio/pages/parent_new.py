"""A new parent segment: YAML beside the tables there are, from an example or from what a source has sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.parent.layout import is_built
from kohort.ports.sources import SourceRecord
from kohort.services.parents.scaffold import MasterKind, ScaffoldWays, scaffold
from kohort.services.sources.registry import require_source
from kohort.web.api.desk import AtDesk, Desk
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
_WAYS = ScaffoldWays("check it against the tables, add it, refresh it", "the check", "choose them above, and write it again")


@routes.page("/audiences/new-parent", "parents.add")
def new_parent_page(
    request: Request, desk: AtDesk, source: Annotated[str, Query(max_length=300)] = "", master: MasterKind = "users"
) -> Response:
    """The editor with a definition to begin with. source: write it over the tables of that source; master: who is a customer then."""
    sources = list(desk.kohort.store.sources())
    text, problem, begun = STARTER, None, ""
    if source:
        try:
            chosen = require_source(desk.kohort.store, source)
            begun, text = chosen.slug, _from(desk, chosen, master)
        except UserError as error:
            problem = error
    return render(request, "parents/new.html", desk, text=text, sources=sources, begun=begun, master=master, problem=problem)


def _from(desk: Desk, source: SourceRecord, master: MasterKind) -> str:
    with desk.kohort.shared_warehouse.use() as warehouse:
        return scaffold(warehouse, source, master=master, ways=_WAYS)


@routes.page("/audiences/new-parent/tables", "parents.add")
def tables_part(request: Request, desk: AtDesk) -> Response:
    """The tables of the warehouse with their columns."""
    with desk.kohort.shared_warehouse.use() as warehouse:
        tables = [info for info in warehouse.structure() if not is_built(info.ref.database)]
    return render(request, "parents/tables_part.html", desk, tables=tables)
