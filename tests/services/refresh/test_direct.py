"""An index that is built from the rows as they come, and tables that are written from it, are those that the warehouse would make."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kohort.foundation.errors import Interrupted, InvalidInput, UserError
from kohort.index.layout import kept_numbers
from kohort.index.open import open_index
from kohort.parent.definition import TableRef
from kohort.services.parents.index import refresh_and_index, verify
from kohort.services.refresh.index_files import IndexPlace
from tests.services.refresh.test_refresh_interrupted import StopAt
from tests.services.shop import BOOK, TABLES, Shop, open_shop

PARENT = """
name: Everything
master: { database: world, table: people, key_column: person }
attributes:
  - name: Facts
    source: { database: world, table: facts }
    join: { parent_key: person, child_key: who }
    all_columns: true
  - name: Homes
    source: { database: world, table: homes }
    join: { parent_key: household, child_key: household }
    columns: [{ column: city, name: home_city }, { column: rooms }]
behaviors:
  - name: Visit
    source: { database: world, table: visits }
    join: { parent_key: person, child_key: who }
    time_column: at
    all_columns: true
  - name: Delivery
    source: { database: world, table: deliveries }
    join: { parent_key: household, child_key: household }
    time_column: at
    all_columns: true
  - name: Letter
    source: { database: world, table: letters }
    join: { parent_key: person, child_key: who }
    time_column: at
    all_columns: true
"""


def world(seed: int, people: int, events: int) -> dict[str, pa.Table]:
    """Tables with everything that can go wrong: strangers, nulls, duplicates, values that are lost, equal instants."""
    rng = np.random.default_rng(seed)

    def some(values: list[Any], count: int, nulls: float = 0.1) -> pa.Array:
        chosen = [values[i] for i in rng.integers(0, len(values), count)]
        return pa.array([None if rng.random() < nulls else value for value in chosen], type=pa.array(values).type)

    keys = [f"p{n}" for n in range(people)]
    known = [*keys[: people * 3 // 4], "stranger", "nobody"]
    homes = list(range(people // 3))
    money = pa.array([None if rng.random() < 0.1 else int(n) for n in rng.integers(-500, 500, events)]).cast(pa.decimal128(38, 0))
    return {
        "people": pa.table(
            {
                "person": pa.array([*rng.permutation(keys[: people * 9 // 10]), None]),
                "household": some([*homes, 10**6], people * 9 // 10 + 1),
                "name": some(["Ann", "Bób", "", "日本"], people * 9 // 10 + 1),
                "born": some([1, 5, -3], people * 9 // 10 + 1).cast(pa.int32()).cast(pa.date32()),
            }
        ),
        "facts": pa.table(
            {
                "who": some([*known, *known[:5]], people),
                "score": some([1.5, float("nan"), -2.5, float("inf"), 1e300], people),
                "tags": some([["a", "b"], [], ["a", None]], people),
                "sizes": some([[1, 2], [], [None]], people),
                "is_member": some([True, False], people),
                "code": pa.array([f"code {n}" for n in range(people)]),
            }
        ),
        "homes": pa.table(
            {"household": some(homes, people // 2), "city": some(["A", "B"], people // 2), "rooms": some([1, 300, 70_000], people // 2)}
        ),
        "visits": pa.table(
            {
                "who": some(known, events),
                "at": some([*range(0, 10**6, 10**5), 10**15], events),
                "page": some(["/", "/a", "/b"], events),
                "session": pa.array([f"session {n}" for n in rng.permutation(events)]),
                "amount": money.cast(pa.decimal128(12, 2)),
                "weight": some([0.5, float("nan")], events),
                "seconds": some([1, 2**40, -7], events),
                "is_new": some([True, False], events),
                "items": some([["x"], ["y", "x"], []], events),
            }
        ),
        "deliveries": pa.table(
            {"household": some([*homes, -1], events), "at": some([1, 5, 5, 9], events), "kind": some(["s", "m"], events)}
        ),
        "letters": pa.table({"who": pa.array([], pa.string()), "at": pa.array([], pa.int64()), "text": pa.array([], pa.string())}),
    }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_shop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def place(tmp_path: Path) -> IndexPlace:
    return IndexPlace(tmp_path / "index", keep=5, batch_rows=64)


def load(shop: Shop, folder: Path, tables: dict[str, pa.Table], as_view: bool) -> None:
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path, row_group_size=50)
        shop.warehouse.import_files(TableRef("world", name), [str(path)], as_view=as_view)


def directly(shop: Shop, place: IndexPlace, record: Any) -> Any:
    steps = Said()
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock, progress=steps)
    assert not [name for name in steps.names if "SQL" in name], steps.names
    return done


class Said:
    """Remembers the steps."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def step(self, name: str, done: int, total: int) -> None:  # noqa: ARG002
        self.names.append(name)


def tables_of(shop: Shop, number: int) -> dict[str, tuple[Any, pa.Table]]:
    names = [name for (name,) in shop.rows(f"SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cdp_audience_1_r{number}'")]
    found = {}
    for name in names:
        info = shop.warehouse.table(TableRef(f"cdp_audience_1_r{number}", name))
        assert info is not None
        found[name] = (info.columns, shop.warehouse.query(f'SELECT * FROM cdp_audience_1_r{number}."{name}"'))
    return found


def assert_same(shop: Shop, one: Any, other: Any) -> None:
    """Refreshes, their tables, reports and indexes are the same."""
    first, second = one.record.report, other.record.report
    assert {**first, "master": {**first["master"], "new_customers": 0}} == {**second, "master": {**second["master"], "new_customers": 0}}
    tables, others = tables_of(shop, one.record.number), tables_of(shop, other.record.number)
    assert tables.keys() == others.keys()
    for name, (columns, rows) in tables.items():
        assert columns == others[name][0], name
        assert rows.to_pydict().__repr__() == others[name][1].to_pydict().__repr__(), name
    manifests = [asdict(found.index) for found in (one, other)]
    for key in ("size", "profiles", "attributes", "behaviors", "left_out"):
        assert manifests[0][key] == manifests[1][key], key
    assert manifests[0]["files"].keys() == manifests[1]["files"].keys()
    assert [name for name, facts in manifests[0]["files"].items() if facts != manifests[1]["files"][name]] == []


@pytest.mark.parametrize("as_view", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_tables_reports_and_index_are_those_that_the_warehouse_would_make(
    shop: Shop, place: IndexPlace, tmp_path: Path, seed: int, as_view: bool
) -> None:
    load(shop, tmp_path, world(seed, 60, 400), as_view)
    record = shop.push(PARENT)
    one = directly(shop, place, record)
    assert one.record.report["attributes"][0]["duplicate_keys"] > 0
    assert one.record.report["behaviors"][0]["unmatched_rows"] > 0
    assert not verify(shop.store, record, place.root)[1]
    assert_same(shop, one, refresh_and_index(shop.warehouse, shop.store, record, replace(place, gather_bytes=0), clock=shop.clock))


def test_customers_who_are_gone_own_nothing_any_more(shop: Shop, place: IndexPlace, tmp_path: Path) -> None:
    tables = world(3, 60, 400)
    load(shop, tmp_path, tables, as_view=False)
    record = shop.push(PARENT)
    directly(shop, place, record)
    load(shop, tmp_path, {**tables, "people": tables["people"].slice(10)}, as_view=False)
    one = directly(shop, place, record)
    assert one.index.profiles == 44
    assert one.index.size == 54
    assert not verify(shop.store, record, place.root)[1]
    assert_same(shop, one, refresh_and_index(shop.warehouse, shop.store, record, replace(place, gather_bytes=0), clock=shop.clock))


def test_what_no_column_can_hold_is_made_by_the_warehouse(shop: Shop, place: IndexPlace) -> None:
    shop.sql(TABLES, "ALTER TABLE events.purchases ALTER amount TYPE DECIMAL(30,2)")
    shop.sql("INSERT INTO events.purchases VALUES ('c3', 12345678901234567890.00, 'Toys', 1704050000)")
    shop.sql(
        "ALTER TABLE marketing.customers ADD COLUMN debt DECIMAL(30,2)", "UPDATE marketing.customers SET debt = 12345678901234567890.5"
    )
    record = shop.push()
    one = directly(shop, place, record)
    assert [(found.behavior, found.field) for found in one.index.left_out] == [("", "debt"), ("purchase", "amount")]
    assert_same(shop, one, refresh_and_index(shop.warehouse, shop.store, record, replace(place, gather_bytes=0), clock=shop.clock))


def test_more_rows_than_memory_may_hold_are_sorted_by_the_warehouse(shop: Shop, place: IndexPlace) -> None:
    shop.sql(TABLES)
    steps = Said()
    done = refresh_and_index(shop.warehouse, shop.store, shop.push(), replace(place, gather_bytes=30), clock=shop.clock, progress=steps)
    assert "Begin anew by SQL: 3 rows take more than 30 bytes" in steps.names
    assert done.index is not None
    assert done.index.profiles == 3


def test_duplicate_keys_give_no_ordinals(shop: Shop, place: IndexPlace) -> None:
    shop.sql(TABLES, "INSERT INTO marketing.customers VALUES ('c1', 'again', 'US'), ('c8', 'x', 'US'), ('c8', 'y', 'US')")
    with pytest.raises(InvalidInput) as raised:
        refresh_and_index(shop.warehouse, shop.store, shop.push(), place, clock=shop.clock)
    assert [issue.code for issue in raised.value.issues] == ["DUPLICATE_KEYS"]
    assert "c1, c8" in raised.value.issues.errors[0].message
    assert shop.rows("SELECT COUNT(*) FROM cdp_audience_1_keys.ordinals") == [(0,)]


def test_a_known_key_that_comes_twice_is_an_error(shop: Shop, place: IndexPlace) -> None:
    shop.sql(TABLES)
    record = shop.push()
    directly(shop, place, record)
    shop.sql("INSERT INTO marketing.customers VALUES ('c1', 'again', 'US')")
    with pytest.raises(InvalidInput, match="c1"):
        refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert kept_numbers(place.root, record.id) == (1,)


STEPS = 8


@pytest.mark.parametrize("step", range(STEPS + 1))
@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("DISK_FULL", "no space left")])
def test_whatever_stops_it_leaves_the_last_refresh_and_its_index(shop: Shop, place: IndexPlace, step: int, error: BaseException) -> None:
    shop.sql(TABLES)
    record = shop.push()
    directly(shop, place, record)
    shop.sql("INSERT INTO marketing.customers VALUES ('c4', 'd@example.com', 'US')")
    with pytest.raises((Interrupted, UserError)):
        refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock, progress=StopAt(step, error))
    assert shop.rows("SELECT COUNT(*) FROM cdp_audience_1.customers") == [(3,)]
    assert kept_numbers(place.root, record.id) == (1,)
    assert [path.name for path in (place.root / "1").iterdir()] == ["1"]
    assert "cdp_audience_1_r2" not in shop.databases()
    done = directly(shop, place, record)
    assert (done.record.number, done.index.profiles) == (3, 4)


KILLED = """
import os, signal, sys
from pathlib import Path
from kohort.services.parents.index import refresh_and_index
from kohort.services.refresh.index_files import IndexPlace
from tests.services.shop import BOOK, open_shop

shop, at = open_shop(Path(sys.argv[1])), int(sys.argv[2])

class Kill:
    def step(self, name, done, total):
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)

refresh_and_index(shop.warehouse, shop.store, shop.push(BOOK), IndexPlace(Path(sys.argv[1]) / "index"), clock=shop.clock, progress=Kill())
"""


@pytest.mark.parametrize("step", [3, 6, 7])
def test_a_killed_refresh_leaves_the_last_one_and_its_index(tmp_path: Path, step: int) -> None:
    place, before = IndexPlace(tmp_path / "index"), open_shop(tmp_path)
    before.sql(TABLES)
    record = before.push()
    directly(before, place, record)
    before.sql("INSERT INTO marketing.customers VALUES ('c4', 'd@example.com', 'US')")
    before.close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(step)], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -9
    after = open_shop(tmp_path)
    last = after.store.last_refresh(record.id)
    assert last is not None
    assert last.number == 1
    assert not verify(after.store, record, place.root)[1]
    done = directly(after, place, after.push(BOOK))
    assert (done.record.number, done.index.profiles) == (3, 4)
    assert kept_numbers(place.root, record.id) == (1, 3)
    assert open_index(place.root, record.id, 3) is not None
    assert not [path for path in (place.root / "1").iterdir() if path.name.startswith(".")]
    after.close()


def test_a_folder_that_cannot_be_written_costs_only_the_index(shop: Shop, place: IndexPlace) -> None:
    shop.sql(TABLES)
    record = shop.push()
    directly(shop, place, record)
    shutil.rmtree(place.root / "1")
    os.mkfifo(place.root / "1")
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert (done.record.status, done.index) == ("success", None)
    assert done.problem
