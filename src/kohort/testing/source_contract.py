"""What every store must do with sources and their keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.sources import NewSource, SourceRecord
from kohort.testing.store_contract import T0, T1, T2, OpenStore, StoreContract


class SourceContract(StoreContract):
    """Run on every adapter."""

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
