"""A refresh leaves an index behind; without one everything still answers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from kohort.foundation.errors import Interrupted, UserError
from kohort.index.columns import TextColumn
from kohort.index.layout import index_folder
from kohort.index.open import open_index
from kohort.services.parents.index import build_index, index_state, refresh_and_index, verify
from kohort.services.refresh.index_files import IndexPlace, refresh_index
from tests.services.refresh.test_refresh_interrupted import StopAt
from tests.services.shop import TABLES, Shop, open_shop


@pytest.fixture
def place(tmp_path: Path) -> IndexPlace:
    return IndexPlace(tmp_path / "index", keep=2)


def emails(shop: Shop, place: IndexPlace, number: int) -> dict[int, str | None]:
    """Ordinal -> e-mail of the live profiles, from the index."""
    index = open_index(place.root, shop.store.parents()[0].id, number)
    assert index is not None
    column = index.attributes["email"]
    assert isinstance(column, TextColumn)
    live = np.unpackbits(index.live.view(np.uint8), count=index.size, bitorder="little")
    texts = [column.dictionary[code].as_py() if code >= 0 else None for code in column.codes.tolist()]
    return {int(ordinal): texts[ordinal] for ordinal in np.flatnonzero(live)}


def test_ordinals_are_for_life_and_deleted_customers_leave_holes(shop: Shop, place: IndexPlace) -> None:
    record = shop.push()
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert done.problem == ""
    assert done.index is not None
    assert (done.index.refresh_number, done.index.profiles, done.record.population) == (1, 3, 3)
    assert emails(shop, place, 1) == {0: "a@example.com", 1: "b@example.com", 2: "c@example.com"}
    shop.sql(
        "DELETE FROM marketing.customers WHERE customer_id = 'c2'", "INSERT INTO marketing.customers VALUES ('b0', 'z@example.com', 'US')"
    )
    refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert emails(shop, place, 2) == {0: "a@example.com", 2: "c@example.com", 3: "z@example.com"}
    index = open_index(place.root, record.id, 2)
    assert index is not None
    ids = shop.rows("SELECT ordinal FROM cdp_audience_1_r2.profiles ORDER BY cdp_customer_id")
    assert [int(index.id_rank[ordinal]) for (ordinal,) in ids] == [0, 1, 2]
    assert index.id_rank[1] == -1
    assert index.behaviors["purchase"].offsets.tolist() == [0, 3, 3, 3, 3]
    assert emails(shop, place, 1)[1] == "b@example.com"


def test_a_build_that_fails_does_not_fail_the_refresh(shop: Shop, place: IndexPlace) -> None:
    record = shop.push()
    place.root.write_text("a file where the folder should be")
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert done.record.status == "success"
    assert done.index is None
    assert done.problem == f"Not a directory ({place.root / str(record.id)})"
    assert open_index(place.root, record.id, 1) is None


def test_ctrl_c_in_a_build_after_the_refresh_keeps_it(shop: Shop, place: IndexPlace) -> None:
    record, place = shop.push(), replace(place, gather_bytes=0)

    with pytest.raises(Interrupted, match="kohort index build"):
        refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock, progress=StopIn("Index behavior purchase"))
    last = shop.store.last_refresh(record.id)
    assert last is not None
    assert (last.number, last.status) == (1, "success")
    assert index_state(shop.store, record, place.root).manifest is None
    assert [issue.code for issue in verify(shop.store, record, place.root)[1]] == ["INDEX_MISSING"]
    build_index(shop.warehouse, last, place)
    state = index_state(shop.store, record, place.root)
    assert state.manifest is not None
    assert (state.manifest.profiles, state.kept) == (3, (1,))
    assert not verify(shop.store, record, place.root)[1]


def test_values_of_fields_are_measured_after_the_build_and_never_fail_the_refresh(shop: Shop, place: IndexPlace, tmp_path: Path) -> None:
    record = shop.push()
    place = replace(place, fields=tmp_path / "fields")
    steps = Steps()
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock, progress=steps)
    assert (done.problem, done.unmeasured) == ("", "")
    assert steps.names[-1] == "Measure fields"
    assert [file.name for file in (tmp_path / "fields" / "1" / "1").iterdir()] == ["%all.json"]
    shutil.rmtree(tmp_path / "fields")
    (tmp_path / "fields").write_text("a file where the folder should be")
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert done.index is not None
    assert done.problem == ""
    assert done.unmeasured != ""
    shop.clock.move_to(datetime(2024, 3, 1, tzinfo=UTC))
    place, stop = replace(place, fields=tmp_path / "f"), StopIn("Measure fields")
    with pytest.raises(Interrupted, match="values of fields"):
        refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock, progress=stop)
    assert index_state(shop.store, record, place.root).manifest is not None


class Steps:
    """Remembers the names of steps."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def step(self, name: str, done: int, total: int) -> None:  # noqa: ARG002
        if name and name not in self.names:
            self.names.append(name)


class StopIn:
    """Stops before one step."""

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self, name: str, done: int, total: int) -> None:  # noqa: ARG002
        if name == self.name:
            raise KeyboardInterrupt


def test_a_refresh_that_fails_builds_nothing(shop: Shop, place: IndexPlace) -> None:
    record = shop.push()
    with pytest.raises(UserError):
        refresh_and_index(
            shop.warehouse, shop.store, record, place, clock=shop.clock, progress=StopAt(4, UserError("DISK_FULL", "no space left"))
        )
    assert not place.root.exists()
    with pytest.raises(UserError, match="not been refreshed"):
        index_state(shop.store, record, place.root)


def test_an_index_of_an_earlier_life_is_not_used(shop: Shop, place: IndexPlace, tmp_path: Path) -> None:
    """The definitions were lost and made anew: refresh 1 is another one now, the folder of the old one is still there."""
    record = shop.push()
    refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    for file in tmp_path.glob("kohort.db*"):
        file.unlink()
    shop.warehouse.close()
    shop.store.close()
    (tmp_path / "warehouse.duckdb").unlink()
    again = open_shop(tmp_path)
    again.sql(TABLES, "DELETE FROM marketing.customers WHERE customer_id = 'c1'")
    again.clock.move_to(datetime(2024, 2, 1, tzinfo=UTC))
    done = again.refresh(again.push())
    assert (done.parent_id, done.number) == (record.id, 1)
    assert open_index(place.root, record.id, 1) is not None
    assert refresh_index(place.root, done) is None
    assert [issue.code for issue in verify(again.store, record, place.root)[1]] == ["INDEX_OF_ANOTHER_REFRESH"]
    build_index(again.warehouse, done, place)
    assert refresh_index(place.root, done) is not None
    assert not verify(again.store, record, place.root)[1]
    again.close()


def test_indexes_of_an_earlier_life_with_higher_numbers_go_first(shop: Shop, place: IndexPlace) -> None:
    record = shop.push()
    refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    folder = index_folder(place.root, record.id, 1).parent
    for number in ("8", "9"):
        shutil.copytree(folder / "1", folder / number)
    done = refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    assert refresh_index(place.root, done.record) is not None
    assert index_state(shop.store, record, place.root).kept == (1, 2)
    build_index(shop.warehouse, done.record, place)
    assert index_state(shop.store, record, place.root).kept == (1, 2)


def test_a_truncated_file_means_no_index(shop: Shop, place: IndexPlace) -> None:
    record = shop.push()
    refresh_and_index(shop.warehouse, shop.store, record, place, clock=shop.clock)
    with (index_folder(place.root, record.id, 1) / "b0.time").open("r+b") as file:
        file.truncate(8)
    assert open_index(place.root, record.id, 1) is None
    assert index_state(shop.store, record, place.root).manifest is None
    assert [issue.code for issue in verify(shop.store, record, place.root)[1]] == ["INDEX_DAMAGED"]
