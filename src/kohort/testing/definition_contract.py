"""What every store must do with parent segments and segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.testing.store_contract import T0, T1, T2, OpenStore, StoreContract, save


class DefinitionContract(StoreContract):
    """Run on every adapter."""

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
        made = save(store, parent, "A/B", "VIP", "f1")
        assert (made.path, made.version, made.kind, made.fingerprint) == ("A/B/VIP", 1, "batch", "f1")
        assert (made.created_at, made.created_by, made.updated_at, made.updated_by) == (T0, "ann", T0, "ann")
        assert list(store.segments(parent.id)) == [made]
        [version] = store.versions(made.id)
        assert (version.number, version.document, version.fingerprint) == (1, made.document, "f1")
        assert (version.created_at, version.created_by, version.note) == (T0, "ann", "")

    def test_a_new_fingerprint_adds_a_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = save(store, parent, "", "VIP", "f1")
        second = store.save_segment(parent.id, "", "VIP", "realtime", {"n": 2}, "f2", by="bob", at=T1, note="why")
        assert second == replace(first, kind="realtime", document={"n": 2}, fingerprint="f2", version=2, updated_at=T1, updated_by="bob")
        versions = store.versions(first.id)
        assert [(v.number, v.fingerprint, v.created_by, v.note) for v in versions] == [(1, "f1", "ann", ""), (2, "f2", "bob", "why")]
        assert versions[0].document == first.document

    def test_the_same_fingerprint_with_another_document_stays_the_same_version(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = save(store, parent, "", "VIP", "f1")
        second = store.save_segment(parent.id, "", "VIP", "batch", {"description": "new"}, "f1", by="bob", at=T1)
        assert (second.version, second.document, second.updated_at, second.updated_by) == (1, {"description": "new"}, T1, "bob")
        [version] = store.versions(first.id)
        assert (version.document, version.created_by, version.created_at) == ({"description": "new"}, "ann", T0)

    def test_saving_a_segment_unchanged_changes_nothing(self, store: DefinitionStore, parent: ParentRecord) -> None:
        first = save(store, parent, "", "VIP", "f1")
        assert store.save_segment(parent.id, "", "VIP", "batch", first.document, "f1", by="bob", at=T1) == first
        assert len(store.versions(first.id)) == 1

    def test_names_are_per_folder_and_parent_and_case_counts(self, store: DefinitionStore, parent: ParentRecord) -> None:
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        made = [save(store, parent, folder, name, "f") for folder, name in [("", "VIP"), ("A", "VIP"), ("A", "vip"), ("a", "VIP")]]
        elsewhere = save(store, other, "A", "VIP", "f")
        assert len({record.id for record in [*made, elsewhere]}) == 5
        assert [(r.folder, r.name) for r in store.segments(parent.id)] == [("", "VIP"), ("A", "VIP"), ("A", "vip"), ("a", "VIP")]
        assert list(store.segments(other.id)) == [elsewhere]

    def test_a_segment_needs_its_parent(self, store: DefinitionStore) -> None:
        with pytest.raises(UserError) as caught:
            store.save_segment(99, "", "VIP", "batch", {}, "f", by="ann", at=T0)
        assert caught.value.code == "PARENT_NOT_FOUND"

    def test_names_that_are_too_long_are_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        save(store, parent, "💡" * 400, "💡" * 200, "f")
        for folder, name in (("", "n" * 201), ("f" * 401, "n")):
            with pytest.raises(UserError) as caught:
                save(store, parent, folder, name, "f")
            assert caught.value.code == "NAME_TOO_LONG"

    def test_broken_characters_are_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        with pytest.raises(UserError) as caught:
            save(store, parent, "", "\ud800", "f")
        assert caught.value.code == "STORE_VALUE"
        assert list(store.segments(parent.id)) == []

    def test_moving_changes_the_place_alone(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = save(store, parent, "", "VIP", "f1")
        moved = store.move_segment(made.id, "A/B", "Very", by="bob", at=T1)
        assert moved == replace(made, folder="A/B", name="Very", updated_at=T1, updated_by="bob")
        assert len(store.versions(made.id)) == 1
        assert store.move_segment(made.id, "A/B", "Very", by="cid", at=T2) == moved

    def test_moving_to_an_occupied_place_is_refused(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made, other = save(store, parent, "", "VIP", "f1"), save(store, parent, "A", "VIP", "f2")
        with pytest.raises(UserError) as caught:
            store.move_segment(made.id, "A", "VIP", by="bob", at=T1)
        assert caught.value.code == "NAME_TAKEN"
        assert list(store.segments(parent.id)) == [made, other]

    def test_rewriting_replaces_documents_of_versions_in_place(self, store: DefinitionStore, parent: ParentRecord) -> None:
        made = save(store, parent, "", "VIP", "f1")
        save(store, parent, "", "VIP", "f2")
        save(store, parent, "", "VIP", "f3")
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
        made = save(store, parent, "", "VIP", "f1")
        store.delete_segment(made.id)
        assert list(store.segments(parent.id)) == []
        assert list(store.versions(made.id)) == []
        again = save(store, parent, "", "VIP", "f1")
        assert again.id != made.id
        assert again.version == 1

    def test_the_mark_of_the_definitions_is_another_one_after_every_change(self, store: DefinitionStore, parent: ParentRecord) -> None:
        other = store.save_parent("Other", "other", {}, by="ann", at=T0)
        of_other = store.definitions_mark(other.id)
        marks = [store.definitions_mark(parent.id)]

        def changed() -> bool:
            marks.append(store.definitions_mark(parent.id))
            return marks[-1] == store.definitions_mark(parent.id) and marks[-1] not in marks[:-1]

        segment = save(store, parent, "A", "VIP", "f1")
        assert changed()
        save(store, parent, "A", "VIP", "f2")
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
