"""Customers by their ordinals and by what a person calls them, those who are not in the last refresh included.

The key map holds every customer there ever was, so members of any evaluation can be named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.parent.layout import CUSTOMER_ID, ORDINAL, keys_table
from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.ports.warehouse import Queries
from kohort.services.definitions.stored import last_refresh
from kohort.sql import build

_KEY = "key"


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody of a parent segment, now or once."""

    ordinal: int
    key: str
    customer_id: str


def _select(parent_id: int) -> exp.Select:
    keys = keys_table(parent_id)
    columns = [build.column(ORDINAL), build.column(_KEY), build.named(_customer_id(), CUSTOMER_ID)]
    return exp.select(*columns).from_(build.table(keys.database, keys.table))


def _customer_id() -> exp.Expression:
    digest = build.call("SHA256", build.column(_KEY))
    return exp.Substring(this=digest, start=build.integer(1), length=build.integer(40))


def find_customer(warehouse: Queries, store: DefinitionStore, parent: ParentRecord, key: str) -> Customer:
    """The customer with that master key or cdp_customer_id. Raises UserError PROFILE_NOT_FOUND, NOT_REFRESHED."""
    last_refresh(store, parent)
    wanted: list[exp.Expression] = [build.column(_KEY)]
    if re.fullmatch(r"[0-9a-f]{40}", key):
        wanted.append(_customer_id())
    for column in wanted:
        found = _customers(warehouse.query(_select(parent.id).where(exp.EQ(this=column, expression=build.text(key)))))
        if found:
            return found[0]
    raise UserError("PROFILE_NOT_FOUND", f'nobody was ever in "{parent.name}" with the key "{key}"', hint=f"give a key or a {CUSTOMER_ID}")


def customers_of(warehouse: Queries, parent: ParentRecord, ordinals: Sequence[int]) -> list[Customer]:
    """The customers of some ordinals, by ordinal."""
    if not ordinals:
        return []
    chosen = exp.In(this=build.column(ORDINAL), expressions=[build.integer(ordinal) for ordinal in ordinals])
    return _customers(warehouse.query(_select(parent.id).where(chosen).order_by(build.column(ORDINAL))))


def stream_customers(warehouse: Queries, parent: ParentRecord) -> pa.RecordBatchReader:
    """Batches (ordinal, key, cdp_customer_id) of everybody there ever was, by ordinal."""
    return warehouse.stream(_select(parent.id).order_by(build.column(ORDINAL)))


def _customers(table: pa.Table) -> list[Customer]:
    return [Customer(int(row[ORDINAL]), str(row[_KEY]), str(row[CUSTOMER_ID])) for row in table.to_pylist()]
