"""What every definition store must do. A subclass provides the fixture `open_store`, which opens one and the same database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore, ParentRecord, PopulationRecord, SegmentRecord
from kohort.ports.sources import NewSource, SourceRecord

OpenStore = Callable[[], DefinitionStore]

T0 = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
T1 = T0 + timedelta(microseconds=1)
T2 = datetime(2024, 7, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=9)))


class StoreContract:
    """Run on every adapter."""

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[DefinitionStore]:
        store = open_store()
        yield store
        store.close()

    @pytest.fixture
    def parent(self, store: DefinitionStore) -> ParentRecord:
        return store.save_parent("Shop", "shop", {"name": "Shop"}, by="ann", at=T0)

    # --- parent segments ---

    def test_a_new_store_is_empty(self, store: DefinitionStore) -> None:
        assert list(store.parents()) == []
        assert store.parent("Shop") is None
        assert list(store.segments(1)) == []
        assert store.last_refresh(1) is None
        assert store.last_evaluation(1) is None

    def test_a_parent_is_created_and_found_by_name_slug_and_id(self, store: DefinitionStore) -> None:
        made = store.save_parent("Über Shop", "über-shop", {"name": "Über Shop", "n": [1, 1.5, True, None]}, by="ann", at=T0)
        assert (made.version, made.created_at, made.created_by, made.updated_at, made.updated_by) == (1, T0, "ann", T0, "ann")
        assert store.parent("Über Shop") == store.parent("über-shop") == store.parent(str(made.id)) == made
        assert store.parent("über shop") is None
        assert store.parent("1" * 40) is None

    def test_a_name_wins_over_a_slug_and_a_slug_over_an_id(self, store: DefinitionStore, parent: ParentRecord) -> None:
        named_like_id = store.save_parent(str(parent.id), f"s{parent.id}", {}, by="ann", at=T0)
        named_like_slug = store.save_parent("shop", "other", {}, by="ann", at=T0)
        assert store.parent(str(parent.id)) == named_like_id
        assert store.parent("shop") == named_like_slug

    def test_saving_a_parent_unchanged_changes_nothing(self, store: DefinitionStore, parent: ParentRecord) -> None:
        assert store.save_parent("Shop", "shop", {"name": "Shop"}, by="bob", at=T1) == parent

    def test_a_changed_parent_gets_the_next_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        changed = store.save_parent("SHOP", "shop", {"name": "SHOP"}, by="bob", at=T1)
        assert changed == replace(parent, name="SHOP", document={"name": "SHOP"}, version=2, updated_at=T1, updated_by="bob")
        assert store.parents() == [changed]

    def test_a_change_of_type_is_a_change(self, store: DefinitionStore) -> None:
        for version, value in enumerate([1, 1.0, True, "1"], start=1):
            assert store.save_parent("Shop", "shop", {"value": value}, by="ann", at=T0).version == version

    def test_parents_come_by_name(self, store: DefinitionStore) -> None:
        for name in ("b", "a", "C"):
            store.save_parent(name, f"slug-{name}", {}, by="ann", at=T0)
        assert [record.name for record in store.parents()] == ["C", "a", "b"]

    # --- documents and instants ---

    def test_documents_come_back_exactly_with_their_keys_in_order(self, store: DefinitionStore, parent: ParentRecord) -> None:
        document = {"z": 1, "a": {"y": [1, 1.0, -0.0, 1e300, 2**70], "b": "ünï\u2028\x00💡"}, "n": None, "e": {}, "l": []}
        saved = store.save_segment(parent.id, "", "S", "batch", document, "f1", by="ann", at=T0)
        assert repr(saved.document) == repr(document)
        assert repr(store.segments(parent.id)[0].document) == repr(document)
        assert repr(store.versions(saved.id)[0].document) == repr(document)

    def test_instants_come_back_to_the_microsecond_in_utc(self, store: DefinitionStore, open_store: OpenStore) -> None:
        low, high = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        for number, instant in enumerate((T0, T1, T2, low, high)):
            store.save_parent(f"P{number}", f"p{number}", {}, by="ann", at=instant)
        again = open_store()
        kept = [record.created_at for record in again.parents()]
        again.close()
        assert kept == [T0, T1, T2, low, high]
        assert all(instant.utcoffset() == timedelta(0) for instant in kept)

    def test_values_that_are_no_json_are_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        with pytest.raises(UserError) as caught:
            store.save_segment(parent.id, "", "S", "batch", {"value": float("nan")}, "f", by="ann", at=T0)
        assert caught.value.code == "STORE_VALUE"
        assert list(store.segments(parent.id)) == []

    # --- segments ---

    def test_a_segment_is_created_with_its_first_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = _save(store, parent, "A/B", "VIP", "f1")
        assert (made.path, made.version, made.kind, made.fingerprint) == ("A/B/VIP", 1, "batch", "f1")
        assert (made.created_at, made.created_by, made.updated_at, made.updated_by) == (T0, "ann", T0, "ann")
        assert list(store.segments(parent.id)) == [made]
        [version] = store.versions(made.id)
        assert (version.number, version.document, version.fingerprint) == (1, made.document, "f1")
        assert (version.created_at, version.created_by, version.note) == (T0, "ann", "")

    def test_a_new_fingerprint_adds_a_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = _save(store, parent, "", "VIP", "f1")
        second = store.save_segment(parent.id, "", "VIP", "realtime", {"n": 2}, "f2", by="bob", at=T1, note="why")
        assert second == replace(first, kind="realtime", document={"n": 2}, fingerprint="f2", version=2, updated_at=T1, updated_by="bob")
        versions = store.versions(first.id)
        assert [(v.number, v.fingerprint, v.created_by, v.note) for v in versions] == [(1, "f1", "ann", ""), (2, "f2", "bob", "why")]
        assert versions[0].document == first.document

    def test_the_same_fingerprint_with_another_document_stays_the_same_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = _save(store, parent, "", "VIP", "f1")
        second = store.save_segment(parent.id, "", "VIP", "batch", {"description": "new"}, "f1", by="bob", at=T1)
        assert (second.version, second.document, second.updated_at, second.updated_by) == (1, {"description": "new"}, T1, "bob")
        [version] = store.versions(first.id)
        assert (version.document, version.created_by, version.created_at) == ({"description": "new"}, "ann", T0)

    def test_saving_a_segment_unchanged_changes_nothing(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = _save(store, parent, "", "VIP", "f1")
        assert store.save_segment(parent.id, "", "VIP", "batch", first.document, "f1", by="bob", at=T1) == first
        assert len(store.versions(first.id)) == 1

    def test_names_are_per_folder_and_parent_and_case_counts(self, store: DefinitionStore, parent: ParentRecord) -> None:
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        made = [_save(store, parent, folder, name, "f") for folder, name in [("", "VIP"), ("A", "VIP"), ("A", "vip"), ("a", "VIP")]]
        elsewhere = _save(store, other, "A", "VIP", "f")
        assert len({record.id for record in [*made, elsewhere]}) == 5
        assert [(r.folder, r.name) for r in store.segments(parent.id)] == [("", "VIP"), ("A", "VIP"), ("A", "vip"), ("a", "VIP")]
        assert list(store.segments(other.id)) == [elsewhere]

    def test_a_segment_needs_its_parent(self, store: DefinitionStore) -> None:
        with pytest.raises(UserError) as caught:
            store.save_segment(99, "", "VIP", "batch", {}, "f", by="ann", at=T0)
        assert caught.value.code == "PARENT_NOT_FOUND"

    def test_names_that_are_too_long_are_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        _save(store, parent, "💡" * 400, "💡" * 200, "f")
        for folder, name in (("", "n" * 201), ("f" * 401, "n")):
            with pytest.raises(UserError) as caught:
                _save(store, parent, folder, name, "f")
            assert caught.value.code == "NAME_TOO_LONG"

    def test_broken_characters_are_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        with pytest.raises(UserError) as caught:
            _save(store, parent, "", "\ud800", "f")
        assert caught.value.code == "STORE_VALUE"
        assert list(store.segments(parent.id)) == []

    def test_moving_changes_the_place_alone(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = _save(store, parent, "", "VIP", "f1")
        moved = store.move_segment(made.id, "A/B", "Very", by="bob", at=T1)
        assert moved == replace(made, folder="A/B", name="Very", updated_at=T1, updated_by="bob")
        assert len(store.versions(made.id)) == 1
        assert store.move_segment(made.id, "A/B", "Very", by="cid", at=T2) == moved

    def test_moving_to_an_occupied_place_is_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made, other = _save(store, parent, "", "VIP", "f1"), _save(store, parent, "A", "VIP", "f2")
        with pytest.raises(UserError) as caught:
            store.move_segment(made.id, "A", "VIP", by="bob", at=T1)
        assert caught.value.code == "NAME_TAKEN"
        assert list(store.segments(parent.id)) == [made, other]

    def test_rewriting_replaces_documents_of_versions_in_place(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = _save(store, parent, "", "VIP", "f1")
        _save(store, parent, "", "VIP", "f2")
        _save(store, parent, "", "VIP", "f3")
        kept = store.rewrite_segment(made.id, {1: ({"w": 1}, "g1")}, by="bob", at=T1)
        assert (kept.document, kept.fingerprint, kept.updated_by, kept.version) == ({"of": "f3"}, "f3", "ann", 3)
        newest = store.rewrite_segment(made.id, {3: ({"w": 3}, "g3")}, by="bob", at=T1)
        assert (newest.document, newest.fingerprint, newest.updated_by, newest.version) == ({"w": 3}, "g3", "bob", 3)
        assert [(v.document, v.fingerprint, v.created_by) for v in store.versions(made.id)] == [
            ({"w": 1}, "g1", "ann"),
            ({"of": "f2"}, "f2", "ann"),
            ({"w": 3}, "g3", "ann"),
        ]

    def test_deleting_removes_the_versions_and_frees_the_name_but_not_the_id(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = _save(store, parent, "", "VIP", "f1")
        store.delete_segment(made.id)
        assert list(store.segments(parent.id)) == []
        assert list(store.versions(made.id)) == []
        again = _save(store, parent, "", "VIP", "f1")
        assert again.id != made.id
        assert again.version == 1

    def test_the_mark_of_the_definitions_is_another_one_after_every_change(self, store: DefinitionStore, parent: ParentRecord) -> None:
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        of_other = store.definitions_mark(other.id)
        marks = [store.definitions_mark(parent.id)]

        def changed() -> bool:
            marks.append(store.definitions_mark(parent.id))
            return marks[-1] == store.definitions_mark(parent.id) and marks[-1] not in marks[:-1]

        segment = _save(store, parent, "A", "VIP", "f1")
        assert changed()
        _save(store, parent, "A", "VIP", "f2")
        assert changed()
        store.save_segment(parent.id, "A", "VIP", "batch", {"description": "words"}, "f2", by="ann", at=T0)
        assert changed()
        store.move_segment(segment.id, "B", "VIP", by="ann", at=T0)
        assert changed()
        store.save_parent("Shop", "shop", {"name": "Shop", "more": 1}, by="ann", at=T0)
        assert changed()
        refresh = store.start_refresh(parent.id, as_of=T0, at=T0)
        assert not changed()
        store.finish_refresh(refresh.id, "success", at=T1)
        assert store.definitions_mark(parent.id) not in marks
        store.delete_segment(segment.id)
        assert changed()
        assert store.definitions_mark(other.id) == of_other

    def test_unknown_segments_are_refused(self, store: DefinitionStore) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.delete_segment(7),
            lambda: store.move_segment(7, "", "x", by="ann", at=T0),
            lambda: store.rewrite_segment(7, {}, by="ann", at=T0),
        ]
        for call in calls:
            with pytest.raises(UserError) as caught:
                call()
            assert caught.value.code == "SEGMENT_NOT_FOUND"

    # --- transactions ---

    def test_a_transaction_keeps_all_or_nothing(self, store: DefinitionStore, open_store: OpenStore, parent: ParentRecord) -> None:
        other = open_store()
        with store.transaction():
            first = _save(store, parent, "", "one", "f")
            with store.transaction():
                second = _save(store, parent, "", "two", "f")
            assert list(other.segments(parent.id)) == []
            assert list(store.segments(parent.id)) == [first, second]
        assert list(other.segments(parent.id)) == [first, second]

        def fail_halfway() -> None:
            with store.transaction():
                _save(store, parent, "", "three", "f")
                store.delete_segment(first.id)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_halfway()
        assert list(store.segments(parent.id)) == [first, second]
        other.close()

    def test_two_who_save_the_same_name_at_once_make_one_segment(self, open_store: OpenStore, parent: ParentRecord) -> None:
        stores = [open_store() for _ in range(4)]
        barrier = threading.Barrier(len(stores))
        failures: list[BaseException] = []

        def work(number: int, store: DefinitionStore) -> None:
            try:
                barrier.wait(30)
                for round_number in range(5):
                    _save(store, parent, "F", f"S{round_number}", f"f{number}")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        records = stores[0].segments(parent.id)
        assert [(r.name, r.version) for r in records] == [(f"S{n}", 4) for n in range(5)]
        assert all([v.number for v in stores[0].versions(r.id)] == [1, 2, 3, 4] for r in records)
        for store in stores:
            store.close()

    def test_threads_share_a_store(self, store: DefinitionStore, parent: ParentRecord) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with store.transaction():
                    _save(store, parent, "", f"a{number}", "f")
                    _save(store, parent, "", f"b{number}", "f")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(store.segments(parent.id)) == 8

    def test_first_openings_at_once_agree(self, open_store: OpenStore) -> None:
        opened: list[DefinitionStore] = []
        failures: list[BaseException] = []
        barrier = threading.Barrier(4)

        def work() -> None:
            try:
                barrier.wait(30)
                store = open_store()
                opened.append(store)
                store.save_parent("Shop", "shop", {}, by="ann", at=T0)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [record.version for record in opened[0].parents()] == [1]
        for store in opened:
            store.close()

    # --- refreshes ---

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
        segment = _save(store, parent, "", "VIP", "f")
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
        first, second = _save(store, parent, "", "VIP", "f"), _save(store, parent, "", "Other", "g")
        vip, variant = PopulationRecord("VIP", first.id, 1, 3, "Shop", 9), PopulationRecord("VIP/A-VIP", first.id, 1, 1, "VIP", 3)
        other = PopulationRecord("Other", second.id, 1, 2, "Shop", 9)
        made = [
            store.save_evaluation(parent.id, 1, as_of=T0, at=T1, total=9, populations=p) for p in ([other, vip, variant], [other], [vip])
        ]
        store.delete_segment(first.id)
        found = store.segment_evaluations(first.id)
        assert found == [replace(made[0], populations=(vip, variant)), made[2]]
        assert list(store.segment_evaluations(10**9)) == []

    # --- sources ---

    def test_a_source_is_added_with_its_first_key(self, store: DefinitionStore) -> None:
        assert list(store.sources()) == []
        assert list(store.write_keys()) == []
        made = store.add_source(NewSource("Web Shop", "web_shop", "rudderstack", True, 250), "h1", "abcd", by="ann", at=T0)
        assert (made.name, made.slug, made.naming, made.status) == ("Web Shop", "web_shop", "rudderstack", "enabled")
        assert (made.accept_unknown_keys, made.rate_limit) == (True, 250)
        assert (made.created_at, made.created_by, made.updated_at, made.updated_by) == (T0, "ann", T0, "ann")
        assert store.source("Web Shop") == store.source("web_shop") == made
        assert store.source("web shop") is None
        assert list(store.sources()) == [made]
        [key] = store.write_keys(made.id)
        assert (key.source_id, key.key_hash, key.last_four, key.created_at, key.created_by, key.expires_at) == (
            made.id, "h1", "abcd", T0, "ann", None,
        )  # fmt: skip

    def test_names_and_schemas_of_sources_are_taken_once(self, store: DefinitionStore) -> None:
        _source(store, "Web", "web")
        for number, (name, slug) in enumerate([("Web", "other"), ("Other", "web")]):
            with pytest.raises(UserError) as caught:
                store.add_source(NewSource(name, slug), f"x{number}", "abcd", by="ann", at=T0)
            assert caught.value.code == "NAME_TAKEN"
        with pytest.raises(UserError) as caught:
            store.add_source(NewSource("n" * 201, "n"), "x", "abcd", by="ann", at=T0)
        assert caught.value.code == "NAME_TOO_LONG"
        assert [record.slug for record in store.sources()] == ["web"]
        assert len(store.write_keys()) == 1

    def test_sources_come_by_name(self, store: DefinitionStore) -> None:
        for name in ("b", "a", "C"):
            _source(store, name, name.lower())
        assert [record.name for record in store.sources()] == ["C", "a", "b"]

    def test_a_source_changes_but_for_its_schema(self, store: DefinitionStore) -> None:
        made = _source(store, "Web", "web")
        assert store.update_source(made, by="bob", at=T1) == made
        wanted = replace(
            made, name="Else", slug="else", status="disabled", rate_limit=5, accept_unknown_keys=True, identity='{"limits": {}}'
        )
        changed = store.update_source(wanted, by="bob", at=T1)
        assert changed == replace(wanted, slug="web", updated_at=T1, updated_by="bob")
        assert list(store.sources()) == [changed]
        _source(store, "App", "app")
        with pytest.raises(UserError) as taken:
            store.update_source(replace(changed, name="App"), by="bob", at=T1)
        assert taken.value.code == "NAME_TAKEN"
        with pytest.raises(UserError) as caught:
            store.update_source(replace(made, id=99), by="bob", at=T1)
        assert caught.value.code == "SOURCE_NOT_FOUND"

    def test_a_source_is_removed_with_its_keys(self, store: DefinitionStore) -> None:
        made, other = _source(store, "Web", "web"), _source(store, "App", "app")
        store.remove_source(made.id)
        assert list(store.sources()) == [other]
        assert {key.source_id for key in store.write_keys()} == {other.id}
        with pytest.raises(UserError) as caught:
            store.remove_source(made.id)
        assert caught.value.code == "SOURCE_NOT_FOUND"

    def test_unknown_keys_go_to_one_source_at_most(self, store: DefinitionStore) -> None:
        first = store.add_source(NewSource("One", "one", accept_unknown_keys=True), "h1", "abcd", by="ann", at=T0)
        second = _source(store, "Two", "two")
        calls: list[Callable[[], object]] = [
            lambda: store.add_source(NewSource("Three", "three", accept_unknown_keys=True), "h3", "abcd", by="ann", at=T0),
            lambda: store.update_source(replace(second, accept_unknown_keys=True), by="ann", at=T0),
        ]
        for call in calls:
            with pytest.raises(UserError) as caught:
                call()
            assert caught.value.code == "UNKNOWN_KEYS_TAKEN"
        assert [record.name for record in store.sources()] == ["One", "Two"]
        store.update_source(replace(first, accept_unknown_keys=False), by="ann", at=T0)
        assert store.update_source(replace(second, accept_unknown_keys=True), by="ann", at=T0).accept_unknown_keys

    def test_a_key_leads_to_its_source_until_it_is_rotated(self, store: DefinitionStore, open_store: OpenStore) -> None:
        web, app = _source(store, "Web", "web"), _source(store, "App", "app")
        assert store.source_of_key("key of web", T0) == web
        assert store.source_of_key("key of app", T0) == app
        assert store.source_of_key("nothing", T0) is None
        new = store.rotate_key(web.id, "second", "wxyz", by="bob", at=T1)
        assert (new.source_id, new.key_hash, new.last_four, new.created_at, new.created_by, new.expires_at) == (
            web.id, "second", "wxyz", T1, "bob", None,
        )  # fmt: skip
        other = open_store()
        assert other.source_of_key("key of web", T0) == web
        assert other.source_of_key("key of web", T1) is None
        assert other.source_of_key("second", T1) == web
        assert [key.key_hash for key in other.write_keys(web.id)] == ["second", "key of web"]
        assert [key.key_hash for key in other.write_keys()] == ["second", "key of app", "key of web"]
        assert [key.valid_at(T1) for key in other.write_keys(web.id)] == [True, False]
        other.close()

    def test_an_old_key_may_stay_for_a_while(self, store: DefinitionStore) -> None:
        web, later = _source(store, "Web", "web"), T0 + timedelta(hours=24)
        store.rotate_key(web.id, "second", "wxyz", by="ann", at=T0, old_until=later)
        assert store.source_of_key("key of web", later - timedelta(microseconds=1)) == web
        assert store.source_of_key("key of web", later) is None
        store.rotate_key(web.id, "third", "wxyz", by="ann", at=T0, old_until=later + timedelta(hours=1))
        assert [key.expires_at for key in store.write_keys(web.id)] == [None, later + timedelta(hours=1), later]
        store.rotate_key(web.id, "fourth", "wxyz", by="ann", at=T1)
        assert [key.expires_at for key in store.write_keys(web.id)] == [None, T1, T1, T1]

    def test_one_key_ends(self, store: DefinitionStore) -> None:
        web, app, later = _source(store, "Web", "web"), _source(store, "App", "app"), T0 + timedelta(hours=24)
        store.rotate_key(web.id, "second", "wxyz", by="ann", at=T0, old_until=later)
        assert store.end_key(web.id, "key of web", at=T1).expires_at == T1
        assert store.end_key(web.id, "key of web", at=T2).expires_at == T1
        assert store.source_of_key("key of web", T1) is None
        assert store.source_of_key("second", T1) == web
        with pytest.raises(UserError) as caught:
            store.end_key(app.id, "second", at=T1)
        assert caught.value.code == "KEY_NOT_FOUND"
        assert store.source_of_key("second", T1) == web

    def test_a_key_is_used_once(self, store: DefinitionStore) -> None:
        web = _source(store, "Web", "web")
        calls: list[Callable[[], object]] = [
            lambda: store.add_source(NewSource("App", "app"), "key of web", "abcd", by="ann", at=T0),
            lambda: store.rotate_key(web.id, "key of web", "abcd", by="ann", at=T1),
        ]
        for call in calls:
            with pytest.raises(UserError) as caught:
                call()
            assert caught.value.code == "KEY_TAKEN"
        with pytest.raises(UserError) as caught:
            store.rotate_key(99, "x", "abcd", by="ann", at=T1)
        assert caught.value.code == "SOURCE_NOT_FOUND"
        assert list(store.sources()) == [web]
        assert store.source_of_key("key of web", T2) == web


def _source(store: DefinitionStore, name: str, slug: str) -> SourceRecord:
    return store.add_source(NewSource(name, slug), f"key of {slug}", "abcd", by="ann", at=T0)


def _save(store: DefinitionStore, parent: ParentRecord, folder: str, name: str, fingerprint: str) -> SegmentRecord:
    return store.save_segment(parent.id, folder, name, "batch", {"of": fingerprint}, fingerprint, by="ann", at=T0)
