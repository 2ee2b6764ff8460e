"""Some members of a rule to look at, with the attributes that the rule is about first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap, Ordinals
from kohort.foundation.issues import Issues, did_you_mean
from kohort.parent.layout import CUSTOMER_ID, ORDINAL, profiles_table
from kohort.rules.ast import AttributeCondition, Condition, Group
from kohort.services.evaluation.evaluate import Engine
from kohort.services.profiles.values import index_values
from kohort.sql import build

_MOST_COLUMNS = 8
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class SampleRows:
    """Rows of members: cdp_customer_id, then the columns asked for. Values as the warehouse gives them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def sample_rows(engine: Engine, members: Bitmap | None, rule: Condition, columns: Sequence[str], limit: int) -> SampleRows:
    """The first `limit` members in the order in which profiles came, always the same ones. Raises InvalidInput UNKNOWN_ATTRIBUTE."""
    names = (CUSTOMER_ID, *(_checked(engine, columns) if columns else _usual(engine, rule)))
    ordinals = first_ordinals(members, limit) if members is not None else []
    if not ordinals:
        return SampleRows(names, ())
    values = index_values(engine, names, ordinals)
    if values is not None:
        return SampleRows(names, tuple(values))
    known = engine.rows_seen.get(names, {})
    missing = [ordinal for ordinal in ordinals if ordinal not in known]
    found = {**known, **_read_rows(engine, names, missing)} if missing else known
    engine.rows_seen[names] = found if len(found) <= _MOST_KEPT else {}
    return SampleRows(names, tuple(found[ordinal] for ordinal in ordinals))


def _read_rows(engine: Engine, names: Sequence[str], ordinals: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """Ordinal -> row."""
    table = profiles_table(engine.parent.id, engine.refresh.number)
    query = (
        exp.select(build.column(ORDINAL), *(build.column(name) for name in names))
        .from_(build.table(table.database, table.table))
        .where(exp.In(this=build.column(ORDINAL), expressions=[build.integer(ordinal) for ordinal in ordinals]))
    )
    found = engine.warehouse.query(query)
    return {row[0]: row[1:] for row in zip(*(column.to_pylist() for column in found.columns), strict=True)}


def first_ordinals(members: Bitmap, limit: int) -> list[int]:
    """The lowest `limit` ordinals of a set."""
    words = _first_words(members, limit)
    return [int(word) * 64 + bit for word in words for bit in range(64) if int(members.words[word]) >> bit & 1][:limit]


def _first_words(members: Bitmap, limit: int) -> Ordinals:
    """The lowest `limit` places of words that hold somebody; most often they are among the first."""
    size = 1024
    while size < len(members.words):
        found = np.flatnonzero(members.words[:size])
        if len(found) >= limit:
            return found[:limit]
        size *= 8
    return np.flatnonzero(members.words)[:limit]


def _checked(engine: Engine, columns: Sequence[str]) -> tuple[str, ...]:
    known = [CUSTOMER_ID, *_visible(engine)]
    issues = Issues()
    for name in columns:
        if name not in known:
            issues.error("UNKNOWN_ATTRIBUTE", f'there is no attribute "{name}"', hint=did_you_mean(name, known))
    issues.raise_if_errors()
    return tuple(name for name in dict.fromkeys(columns) if name != CUSTOMER_ID)


def _usual(engine: Engine, rule: Condition) -> tuple[str, ...]:
    """The attributes of the rule, then others."""
    visible = _visible(engine)
    used = [name for name in _attributes(rule) if name in visible]
    return tuple(dict.fromkeys([*used, *visible]))[: max(_MOST_COLUMNS, len(set(used)))]


def _visible(engine: Engine) -> list[str]:
    return [field.name for field in engine.catalog.attributes if field.visibility != "blocked"]


def _attributes(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Group):
        for part in condition.conditions:
            yield from _attributes(part)
    elif isinstance(condition, AttributeCondition):
        yield condition.attribute
