"""What the index says of a profile is what a query of the refresh's table says, value for value and type for type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.indexed.cache import LeafCache
from kohort.parent.layout import CUSTOMER_ID
from kohort.ports.definitions import ParentRecord
from kohort.rules.ast import EVERYBODY
from kohort.services.evaluation.evaluate import Engine, IndexUse, open_engine
from kohort.services.parents.index import refresh_and_index
from kohort.services.preview.rows import sample_rows
from kohort.services.profiles.values import index_values
from kohort.services.refresh.index_files import IndexPlace
from tests.services.shop import Shop, open_shop

VALUES = """
CREATE TABLE s.c AS SELECT * FROM (VALUES
  ({k1}, 'é', 7::SMALLINT, 1.5::DOUBLE, 12.30::DECIMAL(9,2), true, DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59.999999',
   ['b', 'a'], [3, 1], 1e14::DECIMAL(18,3), TIMESTAMPTZ '2024-01-01 01:00:00+02', 9223372036854775807),
  ({k2}, '', -7, -0.0, -0.05, false, DATE '9999-12-31', TIMESTAMP '9999-12-31 00:00:00', ['x', NULL], [], 0, NULL, 0),
  ({k3}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ({k4}, 'line
break', 0, 1e300, 0.00, true, DATE '0001-01-01', TIMESTAMP '0001-01-01 00:00:00', [], NULL, -0.001, now(), -1)
) AS t(id, words, small, floating, money, yes, day, moment, tags, numbers, precise, zoned, big)
"""
PARENT = "name: All\nmaster: {database: s, table: c, key_column: id}\n"
KEYS = {
    "text": ("'k1'", "'K2'", "'ключ'", "' '"),
    "whole": ("1::BIGINT", "-2", "300", "40"),
    "uuid": tuple(f"'00000000-0000-0000-0000-00000000000{n}'::UUID" for n in range(4)),
    "date": tuple(f"DATE '2024-01-0{n}'" for n in range(1, 5)),
    "fraction": ("1.50::DECIMAL(9,2)", "2.00", "0.05", "-3.00"),
    "floating": ("1.5::DOUBLE", "2.0", "1e20", "-3"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_shop(tmp_path)
    made.sql("CREATE SCHEMA s")
    yield made
    made.close()


def refreshed(shop: Shop, keys: tuple[str, ...]) -> ParentRecord:
    shop.warehouse.execute(VALUES.format(**{f"k{n + 1}": key for n, key in enumerate(keys)}))
    record = shop.push(PARENT)
    place = IndexPlace(shop.folder / "index")
    assert refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock).problem == ""
    return record


def engine(shop: Shop, record: ParentRecord, *, indexed: bool = True) -> Engine:
    use = IndexUse(shop.folder / "index", LeafCache()) if indexed else None
    return open_engine(shop.warehouse, shop.store, record, 1_000, use)


def typed(rows: Any) -> Any:
    return [[(type(value), value if not isinstance(value, float) else value.hex()) for value in row] for row in rows]


@pytest.mark.parametrize("kind", KEYS)
def test_values_and_their_types_are_those_of_a_query(shop: Shop, kind: str) -> None:
    record = refreshed(shop, KEYS[kind])
    fast, slow = engine(shop, record), engine(shop, record, indexed=False)
    names = [field.name for field in fast.catalog.attributes]
    everybody = Bitmap.of(range(4), 4)
    by_index = sample_rows(fast, everybody, EVERYBODY, names, 10)
    assert typed(by_index.rows) == typed(sample_rows(slow, everybody, EVERYBODY, names, 10).rows)
    told = index_values(fast, (CUSTOMER_ID, *names), [0, 1, 2, 3])
    assert (told is not None) == (kind in ("text", "whole", "uuid"))
    assert told is None or [row[0] for row in told] == [row[0] for row in by_index.rows]
    assert index_values(fast, names, [2, 0]) is not None
    assert index_values(slow, names, [0]) is None
    assert index_values(fast, ("unknown",), [0]) is None


def test_a_key_that_is_another_one_since_the_refresh_is_not_told(shop: Shop) -> None:
    record = refreshed(shop, KEYS["text"])
    known = engine(shop, record)
    assert known.key_text is not None
    assert known.key_text(0) in {"k1", "K2", "ключ", " "}
    other = replace(known, key_column="words")
    assert other.key_text is None
    assert replace(known, parent=replace(record, updated_at=known.refresh.started_at + timedelta(seconds=1))).key_text is None
