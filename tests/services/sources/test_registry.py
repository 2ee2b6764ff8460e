"""Sources as definitions: names of schemas, keys, switches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kohort.adapters.sqlalchemy import SQLAlchemyStore
from kohort.foundation.clock import FixedClock
from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.sources import NewSource
from kohort.services.sources import registry as sources

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
CLOCK = FixedClock(NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DefinitionStore]:
    store = SQLAlchemyStore(tmp_path / "kohort.db")
    yield store
    store.close()


def add(store: DefinitionStore, name: str, databases: tuple[str, ...] = (), slug: str = "", **more: object) -> sources.IssuedKey:
    key = str(more.pop("write_key", ""))
    return sources.add_source(store, NewSource(name, slug, **more), databases, by="ann", clock=CLOCK, write_key=key)  # type: ignore[arg-type]


def refused(store: DefinitionStore, name: str, databases: tuple[str, ...] = (), slug: str = "", **more: object) -> UserError:
    before = list(store.sources())
    with pytest.raises(UserError) as caught:
        add(store, name, databases, slug, **more)
    assert list(store.sources()) == before
    return caught.value


def test_a_key_is_shown_once_and_kept_as_a_hash(store: DefinitionStore, tmp_path: Path) -> None:
    issued = add(store, "Web Shop")
    assert re.fullmatch(r"[A-Za-z0-9]{32}", issued.write_key)
    assert issued.write_key != add(store, "App").write_key
    [kept] = store.write_keys(issued.source.id)
    assert kept.key_hash == hashlib.sha256(issued.write_key.encode()).hexdigest()
    assert sources.masked_key(kept.last_four) == "****" + issued.write_key[-4:]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert issued.write_key.encode() not in stored
    assert sources.source_of_key(store, issued.write_key, CLOCK) == issued.source
    assert sources.source_of_key(store, issued.write_key + "x", CLOCK) is None
    assert sources.source_of_key(store, "\ud800", CLOCK) is None


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Web", "web"),
        ("  Web  Shop ", "web_shop"),
        ("Web-Shop (EU)", "web_shop_eu"),
        ("web_shop", "web_shop"),
        ("iOS App", "ios_app"),
        ("Ünïcode Café", "unicode_cafe"),
        ("2nd shop", "_2nd_shop"),
        ("ＷＥＢ", "web"),
    ],
)
def test_the_schema_is_the_name_in_lower_case_and_underscores(store: DefinitionStore, name: str, slug: str) -> None:
    record = add(store, name).source
    assert (record.slug, record.name) == (slug, name.strip())
    assert sources.require_source(store, name.strip()) == sources.require_source(store, slug) == record


@pytest.mark.parametrize(
    ("name", "slug", "code"),
    [
        ("日本", "", "NAME_INVALID"),
        ("", "", "NAME_INVALID"),
        ("Web\nShop", "", "NAME_INVALID"),
        ("Web", "Web Shop", "NAME_INVALID"),
        ("Web", "1web", "NAME_INVALID"),
        ("Web", 'x"; drop', "NAME_INVALID"),
        ("w" * 64, "", "NAME_TOO_LONG"),
        ("Main", "", "NAME_RESERVED"),
        ("information schema", "", "NAME_RESERVED"),
        ("kohort events", "", "NAME_RESERVED"),
        ("Kohort", "", "NAME_RESERVED"),
        ("cdp audience 7", "", "NAME_RESERVED"),
        ("cdp_audience_7_new", "", "NAME_RESERVED"),
    ],
)
def test_names_that_cannot_be_a_schema(store: DefinitionStore, name: str, slug: str, code: str) -> None:
    error = refused(store, name, slug=slug)
    assert (error.code, bool(error.hint)) == (code, True)


def test_a_name_without_latin_letters_takes_a_schema_of_its_own(store: DefinitionStore) -> None:
    assert add(store, "日本", slug="japan").source.slug == "japan"


def test_a_schema_that_holds_other_tables_is_refused(store: DefinitionStore) -> None:
    error = refused(store, "Shop", ("main", "SHOP"))
    assert (error.code, error.message) == ("SCHEMA_TAKEN", "the warehouse already has a database shop, which holds other tables")
    document = {
        "name": "Customers",
        "master": {"database": "crm", "table": "people", "key_column": "id"},
        "behaviors": [
            {"name": "B", "source": {"database": "Web", "table": "b"}, "join": {"parent_key": "id", "child_key": "id"}, "all_columns": True}
        ],
    }
    store.save_parent("Customers", "customers", document, by="ann", at=NOW)
    for name in ("CRM", "Web"):
        error = refused(store, name)
        assert error.code == "SCHEMA_TAKEN"
        assert 'parent segment "Customers"' in error.message
    assert add(store, "Shop").source.slug == "shop"
    assert refused(store, "SHOP", ("shop",)).code == "NAME_TAKEN", "its own schema is no stranger"


def test_a_key_of_elsewhere_can_be_kept(store: DefinitionStore) -> None:
    issued = add(store, "Web", write_key="abcdefghijklmnopqrstuvwxyz012345")
    assert issued.write_key == "abcdefghijklmnopqrstuvwxyz012345"
    assert sources.source_of_key(store, issued.write_key, CLOCK) == issued.source
    assert refused(store, "App", write_key=issued.write_key).code == "KEY_TAKEN"
    for key in ("short", "x" * 15, "with many a blank in it", "with:colons:in:it:too", "ünïcödé-key-of-letters", "x" * 201):
        error = refused(store, "App", write_key=key)
        assert error.code == "KEY_INVALID"
        assert key not in error.message


def test_rotating(store: DefinitionStore) -> None:
    first = add(store, "Web")
    second = sources.rotate_key(store, "web", by="bob", clock=CLOCK)
    assert second.old_until is None
    assert sources.source_of_key(store, first.write_key, CLOCK) is None
    assert sources.source_of_key(store, second.write_key, CLOCK) == first.source
    third = sources.rotate_key(store, "Web", grace=timedelta(hours=24), by="bob", clock=CLOCK)
    assert third.old_until == NOW + timedelta(hours=24)
    for key, hours, known in [(second, 23, True), (second, 24, False), (third, 24, True), (first, 1, False)]:
        at = FixedClock(NOW + timedelta(hours=hours))
        assert (sources.source_of_key(store, key.write_key, at) is not None) is known
    assert [key.last_four for key in sources.valid_keys(store, first.source, NOW)] == [third.write_key[-4:], second.write_key[-4:]]


def test_disabling_keeps_the_key_and_the_name(store: DefinitionStore) -> None:
    issued = add(store, "Web")
    off = sources.set_status(store, "Web", "disabled", by="bob", clock=CLOCK)
    assert (off.status, off.updated_by) == ("disabled", "bob")
    assert sources.source_of_key(store, issued.write_key, CLOCK) == off
    assert sources.set_status(store, "Web", "enabled", by="bob", clock=CLOCK).status == "enabled"


def test_switches(store: DefinitionStore) -> None:
    add(store, "Web", rate_limit=50, accept_unknown_keys=True)
    record = sources.change_source(store, "Web", rate_limit=20, by="bob", clock=CLOCK)
    assert (record.rate_limit, record.accept_unknown_keys) == (20, True)
    record = sources.change_source(store, "Web", rate_limit=0, accept_unknown_keys=False, by="bob", clock=CLOCK)
    assert (record.rate_limit, record.accept_unknown_keys) == (None, False)
    assert sources.change_source(store, "Web", by="bob", clock=CLOCK) == record
    for limit in (-1, 1_000_001):
        with pytest.raises(UserError) as caught:
            sources.change_source(store, "Web", rate_limit=limit, by="bob", clock=CLOCK)
        assert caught.value.code == "RATE_LIMIT_INVALID"
    assert refused(store, "App", rate_limit=0).code == "RATE_LIMIT_INVALID"


def test_an_unknown_source_names_the_nearest(store: DefinitionStore) -> None:
    with pytest.raises(UserError) as caught:
        sources.require_source(store, "Web")
    assert (caught.value.code, caught.value.hint) == ("SOURCE_NOT_FOUND", 'add one with: kohort source add "NAME"')
    add(store, "Web Shop")
    with pytest.raises(UserError) as caught:
        sources.require_source(store, "Web Shp")
    assert caught.value.hint == 'did you mean "Web Shop"?'


@pytest.mark.parametrize(
    ("text", "length"),
    [("24h", timedelta(days=1)), ("90m", timedelta(minutes=90)), ("7d", timedelta(days=7)), ("30 s", timedelta(seconds=30)), ("0", None)],
)
def test_lengths_of_a_grace(text: str, length: timedelta | None) -> None:
    assert sources.parse_grace(text) == (length or timedelta(0))


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1y", "91d", "999999d", "1.5h"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(UserError) as caught:
        sources.parse_grace(text)
    assert caught.value.code == "DURATION_INVALID"
