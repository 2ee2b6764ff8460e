"""Profiles in pages: the members of a segment, or those whose key begins with a text, in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap
from kohort.parent.layout import CUSTOMER_ID, ORDINAL, keys_table, profiles_table
from kohort.services.evaluate import Engine, members_of, resolve_path
from kohort.sql import build


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One profile. ordinal: its place among all, for life."""

    ordinal: int
    key: str
    customer_id: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """Profiles by ordinal. has_more: there are later ones; total: of all pages, None when it was not counted."""

    rows: tuple[ProfileRow, ...]
    has_more: bool
    total: int | None
    as_of: datetime


def member_page(engine: Engine, target: str, *, after: int = -1, limit: int = 50, as_of: datetime | None = None) -> ProfilePage:
    """Members of a saved segment with ordinals above `after`. Raises UserError SEGMENT_NOT_FOUND, InvalidInput."""
    members, _, moment = members_of(engine, engine.bound()[resolve_path(engine, target)], as_of)
    ordinals = ordinals_after(members, after, limit + 1)
    rows = (
        _rows(engine, exp.In(this=build.column(ORDINAL, "p"), expressions=[build.integer(o) for o in ordinals[:limit]]), limit)
        if ordinals
        else ()
    )
    return ProfilePage(rows, len(ordinals) > limit, members.count(), moment)


def search_profiles(engine: Engine, text: str = "", *, after: int = -1, limit: int = 50) -> ProfilePage:
    """Profiles whose key begins with a text, or whose cdp_customer_id it is; "": all."""
    later: Any = exp.GT(this=build.column(ORDINAL, "p"), expression=build.integer(after))
    if text:
        begins = build.call("STARTS_WITH", build.column("key", "k"), build.text(text))
        same = exp.EQ(this=build.column(CUSTOMER_ID, "p"), expression=build.text(text))
        later = exp.and_(later, exp.or_(begins, same))
    rows = _rows(engine, later, limit + 1)
    return ProfilePage(rows[:limit], len(rows) > limit, None, engine.refresh.as_of)


def ordinals_after(members: Bitmap, after: int, limit: int) -> list[int]:
    """The lowest `limit` ordinals of a set that are above `after`."""
    start = (after + 1) // 64
    places = np.flatnonzero(members.words[start:])[: limit + 1] + start
    found = (int(place) * 64 + bit for place in places for bit in range(64) if int(members.words[place]) >> bit & 1)
    return [ordinal for ordinal in found if ordinal > after][:limit]


def _rows(engine: Engine, where: exp.Expression, limit: int) -> tuple[ProfileRow, ...]:
    profiles, keys = profiles_table(engine.parent.id, engine.refresh.number), keys_table(engine.parent.id)
    same = exp.EQ(this=build.column(ORDINAL, "p"), expression=build.column(ORDINAL, "k"))
    names = [field.name for field in engine.catalog.attributes]
    columns = [build.column(ORDINAL, "p"), build.column("key", "k"), build.column(CUSTOMER_ID, "p"), *(build.column(n, "p") for n in names)]
    query = (
        exp.select(*columns)
        .from_(build.table(profiles.database, profiles.table, "p"))
        .join(build.table(keys.database, keys.table, "k"), on=same)
        .where(where)
        .order_by(build.column(ORDINAL, "p"))
        .limit(limit)
    )
    table = engine.warehouse.query(query)
    found: Sequence[tuple[Any, ...]] = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return tuple(ProfileRow(int(row[0]), str(row[1]), str(row[2]), dict(zip(names, row[3:], strict=True))) for row in found)
