"""What every store must do with refreshes and evaluations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore, ParentRecord, PopulationRecord
from kohort.testing.store_contract import T0, T1, T2, OpenStore, StoreContract, save


class RunContract(StoreContract):
    """Run on every adapter."""

    def test_a_refresh_runs_and_succeeds(self, store: DefinitionStore, parent: ParentRecord) -> None:
        started = store.start_refresh(parent.id, as_of=T0, at=T1)
        assert (started.number, started.status, started.as_of, started.started_at) == (1, "running", T0, T1)
        assert (started.finished_at, started.catalog, started.report, started.population) == (None, {}, {}, 0)
        assert store.last_refresh(parent.id) is None
        done = store.finish_refresh(started.id, "success", at=T2, population=2**33, catalog={"c": 1}, report={"r": []}, message="fine")
        assert done == replace(
            started, status="success", finished_at=T2, population=2**33, catalog={"c": 1}, report={"r": []}, message="fine"
        )
        assert store.last_refresh(parent.id) == done
        assert list(store.refreshes(parent.id)) == [done]

    def test_a_failed_refresh_leaves_the_last_good_one(self, store: DefinitionStore, parent: ParentRecord) -> None:
        good = store.finish_refresh(store.start_refresh(parent.id, as_of=T0, at=T0).id, "success", at=T1)
        for status in ("error", "canceled"):
            store.finish_refresh(store.start_refresh(parent.id, as_of=T0, at=T0).id, status, at=T1, message="no")
        assert store.last_refresh(parent.id) == good
        assert [(r.number, r.status) for r in store.refreshes(parent.id)] == [(3, "canceled"), (2, "error"), (1, "success")]
        assert [r.number for r in store.refreshes(parent.id, limit=1)] == [3]

    def test_the_first_close_of_a_refresh_stands(self, store: DefinitionStore, parent: ParentRecord) -> None:
        started = store.start_refresh(parent.id, as_of=T0, at=T0)
        done = store.finish_refresh(started.id, "success", at=T1)
        assert store.finish_refresh(started.id, "canceled", at=T2) == done
        with pytest.raises(UserError) as caught:
            store.finish_refresh(999, "success", at=T2)
        assert caught.value.code == "REFRESH_NOT_FOUND"

    def test_numbers_count_per_parent(self, store: DefinitionStore, parent: ParentRecord) -> None:
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        assert [store.start_refresh(p.id, as_of=T0, at=T0).number for p in (parent, parent, other)] == [1, 2, 1]
        with pytest.raises(UserError) as caught:
            store.start_refresh(99, as_of=T0, at=T0)
        assert caught.value.code == "PARENT_NOT_FOUND"

    def test_a_refresh_of_a_living_process_goes_on(self, store: DefinitionStore, open_store: OpenStore, parent: ParentRecord) -> None:
        first = store.start_refresh(parent.id, as_of=T0, at=T0)
        other = open_store()
        other.start_refresh(parent.id, as_of=T0, at=T0 + timedelta(days=3))
        assert [r.status for r in store.refreshes(parent.id)] == ["running", "running"]
        other.close()
        assert store.finish_refresh(first.id, "success", at=T1).status == "success"

    # --- evaluations ---

    def test_an_evaluation_comes_back_in_its_order(self, store: DefinitionStore, parent: ParentRecord) -> None:
        segment = save(store, parent, "", "VIP", "f")
        populations = [PopulationRecord(f"P{n}", segment.id, n, n * 2**32, "Shop", 2**40) for n in (3, 1, 2)]
        first = store.save_evaluation(parent.id, 4, as_of=T0, at=T1, total=2**40, populations=populations)
        assert first.populations == tuple(populations)
        assert (first.parent_id, first.refresh_number, first.as_of, first.evaluated_at, first.total) == (parent.id, 4, T0, T1, 2**40)
        assert store.last_evaluation(parent.id) == first
        second = store.save_evaluation(parent.id, 5, as_of=T0, at=T0, total=0, populations=[])
        assert store.last_evaluation(parent.id) == second
        store.delete_segment(segment.id)
        assert store.last_evaluation(parent.id) == second

    def test_evaluations_are_listed_newest_first(self, store: DefinitionStore, parent: ParentRecord) -> None:
        population = PopulationRecord("VIP", 1, 1, 3, "Shop", 9)
        made = [store.save_evaluation(parent.id, n, as_of=T0, at=T1, total=n, populations=[population]) for n in (4, 5, 6)]
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        store.save_evaluation(other.id, 1, as_of=T0, at=T1, total=1, populations=[])
        listed = store.evaluations(parent.id)
        assert [(e.id, e.parent_id, e.refresh_number, e.as_of, e.evaluated_at, e.total) for e in listed] == [
            (e.id, e.parent_id, e.refresh_number, e.as_of, e.evaluated_at, e.total) for e in reversed(made)
        ]
        assert store.evaluations(parent.id, 2) == listed[:2]
        assert store.evaluation(made[1].id) == made[1]
        assert store.evaluation(10**9) is None

    def test_the_evaluations_of_a_segment_outlive_it(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first, second = save(store, parent, "", "VIP", "f"), save(store, parent, "", "Other", "g")
        vip, variant = PopulationRecord("VIP", first.id, 1, 3, "Shop", 9), PopulationRecord("VIP/A-VIP", first.id, 1, 1, "VIP", 3)
        other = PopulationRecord("Other", second.id, 1, 2, "Shop", 9)
        made = [
            store.save_evaluation(parent.id, 1, as_of=T0, at=T1, total=9, populations=p) for p in ([other, vip, variant], [other], [vip])
        ]
        store.delete_segment(first.id)
        found = store.segment_evaluations(first.id)
        assert found == [replace(made[0], populations=(vip, variant)), made[2]]
        assert list(store.segment_evaluations(10**9)) == []
