"""An index says exactly what the tables of its refresh say."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.index.build import build_index
from kohort.index.columns import ArrayColumn, BooleanColumn, Column, NumberColumn, ProfileIndex, TextColumn, TimeColumn, Words
from kohort.index.layout import LeftOut, Manifest, index_folder, kept_numbers
from kohort.index.open import open_index
from kohort.index.verify import verify_index
from kohort.testing.dataset import Dataset
from kohort.testing.dataset_tables import load_into
from kohort.testing.strategies import world_of

EVERY_KIND = Dataset.from_mapping(
    {
        "attributes": {
            "city": "text",
            "visits": "int64",
            "score": "float64",
            "cents": "decimal(2)",
            "vip": "boolean",
            "seen": "timestamp",
            "born": "date",
            "tags": "text_array",
            "sizes": "int64_array",
            "rates": "float64_array",
            "nothing": "text",
        },
        "profiles": {
            "zoe": {
                "city": "Ōsaka",
                "visits": -9223372036854775808,
                "score": -0.5,
                "cents": "-12.30",
                "vip": True,
                "seen": "1969-12-31T23:59:59.999999Z",
                "born": "1900-02-28",
                "tags": ["b", None, "a", "b"],
                "sizes": [],
                "rates": [1.5, None],
            },
            "amy": {"city": "", "vip": False, "cents": "9999999999999999.99", "tags": []},
            "bob": {},
            "eve": {"city": "Zürich", "visits": 9223372036854775807, "sizes": [None, 3]},
        },
        "behaviors": {
            "buy": {
                "columns": {"sku": "text", "amount": "decimal(3)", "gift": "boolean", "parts": "text_array"},
                "rows": [
                    ["eve", "2024-01-02T00:00:00Z", {"sku": "x", "amount": "1.125", "gift": True}],
                    ["amy", "2024-01-03T00:00:00Z", {"sku": None, "parts": ["p", "q"]}],
                    ["eve", "2024-01-01T00:00:00Z", {"sku": "y"}],
                    ["eve", "2024-01-01T00:00:00Z", {"sku": "x", "gift": False}],
                ],
            },
            "never": {"columns": {"what": "text", "many": "int64_array"}, "rows": []},
        },
    }
)


def bit(words: Words | None, place: int) -> bool:
    return words is None or bool(int(words[place // 64]) >> (place % 64) & 1)


def cell(column: Column, place: int) -> Any:
    """One value, as a dataset holds it."""
    match column:
        case TextColumn():
            return column.dictionary[column.codes[place]].as_py() if column.codes[place] >= 0 else None
        case BooleanColumn():
            return {1: True, 0: False, -1: None}[int(column.values[place])]
        case ArrayColumn():
            start, end = int(column.offsets[place]), int(column.offsets[place + 1])
            if not bit(column.valid, place):
                assert start == end
                return None
            return tuple(cell(column.elements, element) for element in range(start, end))
        case NumberColumn() | TimeColumn():
            if not bit(column.valid, place):
                assert column.values[place] == 0
                return None
            value = column.values[place].item()
            if column.storage == "decimal":
                return Decimal(value).scaleb(-column.scale)  # type: ignore[union-attr]
            return date(1970, 1, 1) + timedelta(days=value) if column.storage == "date" else value


def assert_same(index: ProfileIndex, dataset: Dataset) -> None:
    """Every value, row, place and hole of the index is the dataset's."""
    places = dataset.ordinals
    assert index.size == (max(places.values()) + 1 if places else 0)
    assert {ordinal for ordinal in range(index.size) if bit(index.live, ordinal)} == set(places.values())
    order = sorted(places)
    assert [int(rank) for rank in index.id_rank] == [
        next((order.index(name) for name, at in places.items() if at == ordinal), -1) for ordinal in range(index.size)
    ]
    for profile in dataset.profiles:
        for field in dataset.catalog.attributes:
            assert cell(index.attributes[field.name], places[profile.id]) == profile.attributes.get(field.name), (profile.id, field)
        for behavior in dataset.catalog.behaviors:
            rows = sorted(profile.rows.get(behavior.name, ()), key=lambda row: (row.time, row.arrival))
            found = index.behaviors[behavior.name]
            start, end = (int(found.offsets[places[profile.id] + more]) for more in (0, 1))
            assert [int(time) for time in found.time[start:end]] == [row.time for row in rows]
            for field in behavior.fields:
                values = [cell(found.columns[field.name], place) for place in range(start, end)]
                assert values == [row.values.get(field.name) for row in rows], (profile.id, behavior.name, field)
    for behavior in dataset.catalog.behaviors:
        total = sum(len(profile.rows.get(behavior.name, ())) for profile in dataset.profiles)
        assert len(index.behaviors[behavior.name].time) == index.behaviors[behavior.name].offsets[-1] == total


def built(warehouse: DuckDBWarehouse, dataset: Dataset, root: Path, number: int = 1, batch_rows: int = 2) -> Manifest:
    load_into(warehouse, dataset, 7, number)
    return build_index(lambda sql: warehouse.stream(sql, batch_rows), dataset.catalog, root, 7, number)


@pytest.fixture
def warehouse() -> Any:
    with DuckDBWarehouse(None, threads=1) as opened:
        yield opened


@pytest.mark.parametrize("batch_rows", [1, 3, 100_000])
def test_every_kind_of_column_comes_back(tmp_path: Path, warehouse: DuckDBWarehouse, batch_rows: int) -> None:
    manifest = built(warehouse, EVERY_KIND, tmp_path, batch_rows=batch_rows)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert_same(index, EVERY_KIND)
    assert manifest.left_out == ()
    assert index.attributes["city"].dictionary.to_pylist() == ["", "Zürich", "Ōsaka"]  # type: ignore[union-attr]
    assert index.behaviors["buy"].columns["gift"].values.tolist() == [-1, -1, 0, 1]  # type: ignore[union-attr]
    assert index.attributes["born"].values.dtype == np.int16  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(4))
def test_made_up_worlds_come_back(tmp_path: Path, warehouse: DuckDBWarehouse, seed: int) -> None:
    dataset = world_of(seed, profiles=40).dataset
    built(warehouse, dataset, tmp_path, batch_rows=7)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert_same(index, dataset)


def test_nobody_at_all(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    dataset = Dataset(EVERY_KIND.catalog, ())
    built(warehouse, dataset, tmp_path)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert_same(index, dataset)


def test_rows_that_lie_in_another_order_are_sorted(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    load_into(warehouse, EVERY_KIND, 7, 1)
    for table in ("profiles", "behavior_buy"):
        warehouse.execute(f"CREATE OR REPLACE TABLE cdp_audience_7_r1.{table} AS SELECT * FROM cdp_audience_7_r1.{table} ORDER BY ALL DESC")
    build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path, 7, 1)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert_same(index, EVERY_KIND)


def test_a_decimal_too_wide_for_18_digits_is_left_out(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    dataset = Dataset.from_mapping(
        {
            "attributes": {"debt": "decimal(2)", "city": "text"},
            "profiles": {"a": {"debt": "10000000000000000.00", "city": "x"}, "b": {"debt": "1.00"}},
            "behaviors": {"buy": {"columns": {"n": "decimal(0)"}, "rows": [["a", "2024-01-01T00:00:00Z", {"n": "-1000000000000000000"}]]}},
        }
    )
    manifest = built(warehouse, dataset, tmp_path)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert list(index.attributes) == ["city"]
    assert list(index.behaviors["buy"].columns) == []
    assert manifest.left_out == (
        LeftOut("", "debt", "a value has more than 18 digits"),
        LeftOut("buy", "n", "a value has more than 18 digits"),
    )
    assert not [name for name in manifest.files if name.startswith(("a0.", "b0.c0."))]


def test_a_wide_hole_between_profiles(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    load_into(warehouse, EVERY_KIND, 7, 1)
    warehouse.execute("UPDATE cdp_audience_7_r1.profiles SET ordinal = 700001 WHERE ordinal = 6")
    warehouse.execute("UPDATE cdp_audience_7_r1.behavior_buy SET ordinal = 700001 WHERE ordinal = 6")
    build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path, 7, 1)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert (index.size, int(np.bitwise_count(index.live).sum()), int((index.id_rank >= 0).sum())) == (700_002, 4, 4)
    assert cell(index.attributes["city"], 700_001) == "Zürich"
    assert cell(index.attributes["tags"], 2) == ()
    assert (index.attributes["city"].codes[6:700_001] == -1).all()  # type: ignore[union-attr]
    assert (index.behaviors["buy"].offsets[3:700_002] == 1).all()
    assert index.behaviors["buy"].offsets[700_002] == 4


def test_texts_of_many_batches_merge_into_one_dictionary(
    tmp_path: Path, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kohort.index.writers._PENDING_BYTES", 40)
    monkeypatch.setattr("kohort.index.writers._REMAP_ROWS", 3)
    load_into(warehouse, Dataset.from_mapping({"attributes": {"t": "text"}, "profiles": {"a": {}}}), 7, 1)
    warehouse.execute(
        "CREATE OR REPLACE TABLE cdp_audience_7_r1.profiles AS SELECT range::INTEGER AS ordinal, 'id' || range AS cdp_customer_id, "
        "CASE WHEN range % 5 <> 0 THEN 'v' || (range * 7919 % 37) END AS t FROM range(1000)"
    )
    build_index(
        lambda sql: warehouse.stream(sql, 50), Dataset.from_mapping({"attributes": {"t": "text"}, "profiles": {}}).catalog, tmp_path, 7, 1
    )
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    column = index.attributes["t"]
    assert isinstance(column, TextColumn)
    assert column.dictionary.to_pylist() == sorted({f"v{n}" for n in range(37)})
    assert [cell(column, place) for place in range(1000)] == [f"v{n * 7919 % 37}" if n % 5 else None for n in range(1000)]


@pytest.mark.parametrize("order", ["ordinal, 3", "hash(ordinal)"])
def test_texts_that_are_nearly_all_different(
    tmp_path: Path, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """Whether the tables lie in order or not: attributes and behavior columns sorted by the warehouse stand in the right rows."""
    monkeypatch.setattr("kohort.index.writers._PENDING_BYTES", 40)
    monkeypatch.setattr("kohort.index.writers._WIDE_TEXTS", 20)
    shape = {"attributes": {"mail": "text"}, "profiles": {"a": {}}, "behaviors": {"b": {"columns": {"rowid": "text", "few": "text"}}}}
    dataset = Dataset.from_mapping(shape)
    load_into(warehouse, dataset, 7, 1)
    warehouse.execute(
        "CREATE OR REPLACE TABLE cdp_audience_7_r1.profiles AS SELECT (range * 2)::INTEGER AS ordinal, 'id' || range AS cdp_customer_id, "
        f"CASE WHEN range % 5 <> 0 THEN 'm' || (range * 7919 % 701) END AS mail FROM range(900) ORDER BY {order.replace('3', '2')}"
    )
    warehouse.execute(
        "CREATE OR REPLACE TABLE cdp_audience_7_r1.behavior_b AS SELECT (range // 3 * 2)::INTEGER AS ordinal, "
        "CASE WHEN range % 4 <> 0 THEN 'é' || (range * 7919 % 2003) END AS rowid, 'x' || (range % 7) AS few, "
        f"TIMESTAMP '2024-01-01' AS \"timestamp\", range AS arrival FROM range(2500) ORDER BY {order.replace('3', 'arrival')}"
    )
    build_index(lambda sql: warehouse.stream(sql, 50), dataset.catalog, tmp_path, 7, 1)
    index = open_index(tmp_path, 7, 1)
    assert index is not None
    assert not verify_index(tmp_path, 7, 1)
    mail, unique, few = index.attributes["mail"], index.behaviors["b"].columns["rowid"], index.behaviors["b"].columns["few"]
    assert [cell(mail, 2 * n) for n in range(900)] == [f"m{n * 7919 % 701}" if n % 5 else None for n in range(900)]
    assert [cell(mail, 2 * n + 1) for n in range(899)] == [None] * 899
    assert [cell(unique, n) for n in range(2500)] == [f"é{n * 7919 % 2003}" if n % 4 else None for n in range(2500)]
    assert [cell(few, n) for n in range(2500)] == [f"x{n % 7}" for n in range(2500)]


def test_the_newest_are_kept_and_an_open_one_stays_readable(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    built(warehouse, EVERY_KIND, tmp_path, 1)
    first = open_index(tmp_path, 7, 1)
    assert first is not None
    for number in (2, 3):
        built(warehouse, EVERY_KIND, tmp_path, number)
    assert kept_numbers(tmp_path, 7) == (2, 3)
    assert not index_folder(tmp_path, 7, 1).exists()
    assert open_index(tmp_path, 7, 1) is None
    assert_same(first, EVERY_KIND)
    built(warehouse, EVERY_KIND, tmp_path, 3)
    assert kept_numbers(tmp_path, 7) == (2, 3)
    assert sorted(entry.name for entry in (tmp_path / "7").iterdir()) == ["2", "3"]
