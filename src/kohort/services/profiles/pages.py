"""Profiles in pages: the members of a segment, or those whose key begins with a text, in the order in which they came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap, Ordinals
from kohort.parent.layout import CUSTOMER_ID, ORDINAL, keys_table, profiles_table
from kohort.rules.core import EVERYBODY, Expr
from kohort.services.evaluation.evaluate import Engine, members_of, resolve_path
from kohort.services.profiles.values import index_values
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
    """Profiles by ordinal. has_more: there are later ones; total: of all pages, None when it was not counted.

    earlier: how many stand on the pages before this one; previous: the `after` of the page before, None on the first page.
    """

    rows: tuple[ProfileRow, ...]
    has_more: bool
    total: int | None
    as_of: datetime
    earlier: int = 0
    previous: int | None = None


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


def profile_page(
    engine: Engine,
    target: str | None,
    *,
    search: str = "",
    by_key: bool = True,
    after: int = -1,
    limit: int = 50,
    columns: Sequence[str] | None = None,
    as_of: datetime | None = None,
) -> ProfilePage:
    """Members of a saved segment or variant (None: everybody), counted, with the way back to the page before.

    search: how the key begins (by_key False: only whole keys, for those who may not see keys), or a cdp_customer_id.
    columns: the attributes that are wanted (None: all). Raises UserError SEGMENT_NOT_FOUND, InvalidInput.
    """
    expr: Expr = EVERYBODY if target is None else engine.bound()[resolve_path(engine, target)]
    members, _, moment = members_of(engine, expr, as_of)
    if search:
        members = members & _named(engine, search, by_key, members.size)
    ordinals = ordinals_after(members, after, limit + 1)
    names = [field.name for field in engine.catalog.attributes if columns is None or field.name in columns]
    rows = _rows_at(engine, ordinals[:limit], names) if ordinals else ()
    before = ordinals_until(members, after)
    previous = None if not len(before) else int(before[-limit - 1]) if len(before) > limit else -1
    return ProfilePage(rows, len(ordinals) > limit, members.count(), moment, len(before), previous)


def _rows_at(engine: Engine, ordinals: Sequence[int], names: Sequence[str]) -> tuple[ProfileRow, ...]:
    """The rows of some profiles: from the index where it holds what is wanted, else from the warehouse."""
    key_text = engine.key_text
    found = index_values(engine, [CUSTOMER_ID, *names], ordinals) if key_text is not None else None
    if key_text is None or found is None:
        return _rows(
            engine, exp.In(this=build.column(ORDINAL, "p"), expressions=[build.integer(o) for o in ordinals]), len(ordinals), names
        )
    return tuple(
        ProfileRow(ordinal, key_text(ordinal), str(row[0]), dict(zip(names, row[1:], strict=True)))
        for ordinal, row in zip(ordinals, found, strict=True)
    )


def _named(engine: Engine, text: str, by_key: bool, size: int) -> Bitmap:
    """Everybody whose key begins with (or is) a text, or whose cdp_customer_id it is."""
    keys, profiles = keys_table(engine.parent.id), profiles_table(engine.parent.id, engine.refresh.number)
    key, wanted = build.column("key"), build.text(text)
    named: exp.Expression = build.call("STARTS_WITH", key, wanted) if by_key else exp.EQ(this=key, expression=wanted)
    queries = [exp.select(build.column(ORDINAL)).from_(build.table(keys.database, keys.table)).where(named)]
    if re.fullmatch(r"[0-9a-f]{40}", text):
        same = exp.EQ(this=build.column(CUSTOMER_ID), expression=build.text(text))
        queries.append(exp.select(build.column(ORDINAL)).from_(build.table(profiles.database, profiles.table)).where(same))
    found = [engine.warehouse.query(query).column(0).to_numpy().astype(np.int64) for query in queries]
    ordinals = np.concatenate(found)
    return Bitmap.of(ordinals[ordinals < size], size)


def ordinals_until(members: Bitmap, last: int) -> Ordinals:
    """The ordinals of a set up to and including `last`."""
    words = members.words[: (last + 64) // 64]
    ordinals = Bitmap(words, min(len(words) * 64, members.size)).ordinals()
    return ordinals[ordinals <= last]


def search_profiles(engine: Engine, text: str = "", *, by_key: bool = True, after: int = -1, limit: int = 50) -> ProfilePage:
    """Profiles whose key begins with a text (by_key False: is the text), or whose cdp_customer_id it is; "": all."""
    later: Any = exp.GT(this=build.column(ORDINAL, "p"), expression=build.integer(after))
    if text:
        key, wanted = build.column("key", "k"), build.text(text)
        begins: Any = build.call("STARTS_WITH", key, wanted) if by_key else exp.EQ(this=key, expression=wanted)
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


def _rows(engine: Engine, where: exp.Expression, limit: int, wanted: Sequence[str] | None = None) -> tuple[ProfileRow, ...]:
    profiles, keys = profiles_table(engine.parent.id, engine.refresh.number), keys_table(engine.parent.id)
    same = exp.EQ(this=build.column(ORDINAL, "p"), expression=build.column(ORDINAL, "k"))
    names = [field.name for field in engine.catalog.attributes] if wanted is None else list(wanted)
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
