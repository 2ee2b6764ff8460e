"""Values of fields over a small table, with numbers worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kohort.evaluation.indexed.cache import LeafCache
from kohort.foundation.errors import UserError
from kohort.services.evaluation.evaluate import Engine, IndexUse, open_engine
from kohort.services.parents.field_statistics import ValueCount, bin_edges
from kohort.services.parents.index import build_index
from kohort.services.parents.suggestions import all_statistics, field_names, field_statistics, measure_fields, suggest_values
from kohort.services.refresh.index_files import IndexPlace
from tests.services.shop import Shop, open_shop

PARENT = """\
name: People
master: {database: crm, table: people, key_column: id}
attributes:
  - name: More
    source: {database: crm, table: more}
    join: {parent_key: id, child_key: id}
    columns:
      - {column: email, type: string, visibility: pii}
      - {column: secret, type: string, visibility: blocked}
      - {column: tags, type: string_array}
behaviors:
  - name: Buy
    source: {database: crm, table: buys}
    join: {parent_key: id, child_key: id}
    time_column: bought_at
    columns: [{column: amount, type: number}]
"""
TABLES = """
CREATE SCHEMA crm;
CREATE TABLE crm.people AS SELECT i AS id, CASE WHEN i % 10 = 0 THEN NULL WHEN i % 2 = 0 THEN 'Gold' ELSE 'Güldn' END AS tier,
  i * 10 AS points, DATE '2024-01-01' + CAST(i AS INTEGER) AS joined, 'P' || i AS code FROM range(1, 401) AS r(i);
CREATE TABLE crm.more AS SELECT i AS id, 'e' || i AS email, 's' AS secret, CASE WHEN i = 1 THEN ['a', 'b'] WHEN i = 2 THEN ['a'] END AS tags
  FROM range(1, 401) AS r(i);
CREATE TABLE crm.buys AS SELECT i AS id, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS bought_at, i % 3 AS amount FROM range(1, 101) AS r(i)
"""
AS_OF = datetime(2024, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = open_shop(tmp_path_factory.mktemp("suggestions"))
    shop.sql(TABLES)
    shop.refresh(shop.push(PARENT), as_of=AS_OF)
    yield shop
    shop.close()


@pytest.fixture
def engine(shop: Shop) -> Engine:
    return open_engine(shop.warehouse, shop.store, shop.store.parents()[0], 250_000)


def test_the_most_frequent_values_and_what_is_missing(engine: Engine, tmp_path: Path) -> None:
    found = field_statistics(engine, tmp_path, "tier")
    assert (found.rows, found.nulls, found.null_share, found.distinct, found.is_complete) == (400, 40, 0.1, 2, True)
    assert found.top == (ValueCount("Güldn", 200, 200 / 360), ValueCount("Gold", 160, 160 / 360))
    assert found.histogram is None


def test_numbers_and_dates_are_spread_in_round_bins(engine: Engine, tmp_path: Path) -> None:
    points = field_statistics(engine, tmp_path, "points").histogram
    assert points is not None
    assert (points.edges[:3], points.edges[-1], sum(points.counts)) == ((10, 200, 400), 4000, 400)
    assert points.counts[:2] == (19, 20)
    joined = field_statistics(engine, tmp_path, "joined").histogram
    assert joined is not None
    assert (joined.edges[0], joined.edges[-1], sum(joined.counts)) == ("2024-01-02", "2025-02-04", 400)


def test_events_after_the_refreshs_instant_do_not_exist(engine: Engine, tmp_path: Path) -> None:
    found = field_statistics(engine, tmp_path, "buy.amount")
    assert (found.kind, found.rows, found.distinct) == ("behavior", 48, 3)
    assert [(value.value, value.count) for value in found.top] == [(0, 16), (1, 16), (2, 16)]
    times = field_statistics(engine, tmp_path, "behavior_buy.timestamp")
    assert (times.field, times.top[0].value) == ("buy.timestamp", "2024-01-01T01:00:00Z")


def test_arrays_are_counted_by_element(engine: Engine, tmp_path: Path) -> None:
    found = field_statistics(engine, tmp_path, "tags")
    assert (found.rows, found.nulls, found.distinct) == (400, 398, 2)
    assert found.top == (ValueCount("a", 2, 1.0), ValueCount("b", 1, 0.5))


def test_personal_data_is_counted_and_not_shown(engine: Engine, tmp_path: Path) -> None:
    found = field_statistics(engine, tmp_path, "email")
    assert (found.distinct, found.top, found.histogram) == (400, (), None)
    assert suggest_values(engine, tmp_path, "email", "e1") == ()
    assert "secret" not in list(field_names(engine))
    with pytest.raises(UserError, match="blocked"):
        field_statistics(engine, tmp_path, "secret")
    with pytest.raises(UserError) as error:
        field_statistics(engine, tmp_path, "buy.amont")
    assert (error.value.code, error.value.hint) == ("UNKNOWN_FIELD", 'did you mean "buy.amount"?')


def test_values_are_suggested_by_how_they_begin(engine: Engine, tmp_path: Path) -> None:
    assert [value.value for value in suggest_values(engine, tmp_path, "tier", "gü")] == ["Güldn"]
    assert [value.value for value in suggest_values(engine, tmp_path, "code", "p39")] == ["P39", *(f"P39{n}" for n in range(10))]
    assert len(suggest_values(engine, tmp_path, "code", limit=5)) == 5
    assert suggest_values(engine, tmp_path, "code", "it's") == ()


def test_what_was_measured_is_kept_until_the_refresh_after_the_next(shop: Shop, engine: Engine, tmp_path: Path) -> None:
    first = field_statistics(engine, tmp_path, "points")
    [file] = (tmp_path / "1" / "1").iterdir()
    document = json.loads(file.read_text())
    document["fields"][0]["rows"] = 7
    file.write_text(json.dumps(document))
    assert field_statistics(engine, tmp_path, "points").rows == 7
    for damaged in ("{", "[]", json.dumps({**document, "format": 1}), json.dumps({**document, "refresh": "2020-01-01T00:00:00+00:00"})):
        file.write_text(damaged)
        assert field_statistics(engine, tmp_path, "points") == first
    (tmp_path / "1" / "0").mkdir()
    shop.refresh(shop.store.parents()[0], as_of=AS_OF)
    later = open_engine(shop.warehouse, shop.store, shop.store.parents()[0], 250_000)
    field_statistics(later, tmp_path, "points")
    assert sorted(entry.name for entry in (tmp_path / "1").iterdir()) == ["1", "2"]
    assert [found.field for found in all_statistics(later, tmp_path)] == list(field_names(later))


def test_bins_of_one_value_and_of_long_tails() -> None:
    assert bin_edges(5, 5, 5, 5) == [5, 5]
    assert bin_edges(1, 4, 1, 4, 1) == [1, 2, 3, 4]
    assert bin_edges(0, 1_000_000, 0, 100)[-2:] == [100.0, 1_000_000]
    day = 86_400_000_000
    edges = bin_edges(0, 40 * day, 0, 40 * day, day)
    assert edges[:3] == [0, 2 * day, 4 * day]
    assert edges[-1] == 40 * day


@pytest.fixture
def indexed(shop: Shop, engine: Engine, tmp_path: Path) -> Engine:
    """The same refresh with a profile index."""
    place = IndexPlace(tmp_path / "index")
    build_index(shop.warehouse, engine.refresh, place)
    return replace(engine, indexes=IndexUse(place.root, LeafCache(1 << 20)))


def test_an_index_says_the_same_as_the_tables(engine: Engine, indexed: Engine, tmp_path: Path) -> None:
    by_sql = {found.field: found for found in all_statistics(engine, tmp_path / "sql")}
    by_index = {found.field: found for found in all_statistics(indexed, tmp_path / "by_index")}
    assert list(by_sql) == list(by_index) == list(field_names(engine))
    for name, found in by_index.items():
        assert replace(found, histogram=None) == replace(by_sql[name], histogram=None), name
        spread, other = found.histogram, by_sql[name].histogram
        assert (spread is None) == (other is None), name
        if spread and other:
            assert (spread.edges[0], spread.edges[-1], sum(spread.counts)) == (other.edges[0], other.edges[-1], sum(other.counts)), name


def test_every_field_is_measured_at_refresh_and_answers_at_once(shop: Shop, indexed: Engine, tmp_path: Path) -> None:
    index = indexed.index
    assert index is not None
    fields = tmp_path / "fields"
    assert measure_fields(indexed.refresh, index, fields, clock=shop.clock) == len(list(field_names(indexed)))
    assert [file.name for file in (fields / "1" / str(indexed.refresh.number)).iterdir()] == ["%all.json"]
    nothing = replace(indexed, warehouse=Unusable(), indexes=None)  # type: ignore[arg-type]
    assert [found.field for found in all_statistics(nothing, fields)] == list(field_names(indexed))
    assert [value.value for value in suggest_values(nothing, fields, "tier")] == ["Güldn", "Gold"]


def test_what_there_is_no_time_for_is_measured_when_asked_for(shop: Shop, indexed: Engine, tmp_path: Path) -> None:
    index = indexed.index
    assert index is not None
    assert measure_fields(indexed.refresh, index, tmp_path / "fields", clock=shop.clock, seconds=0) == 0
    assert field_statistics(indexed, tmp_path / "fields", "tier").distinct == 2


class Unusable:
    """A warehouse that must not be asked."""
