"""`kohort tables drop`: what nobody needs goes, what somebody needs stays and says why."""

from __future__ import annotations

import pytest

from kohort.bootstrap import open_kohort
from kohort.testing.server import running_server
from tests.cli.workspaces import Desk

SPARE = ("tables", "create", "shop.spare", "--as", "SELECT 1 AS one")


def test_a_table_that_nobody_needs_is_dropped_when_somebody_says_yes(desk: Desk) -> None:
    desk.ok(*SPARE)
    assert "add -y" in desk.refused("tables", "drop", "shop.spare")
    assert [row["table"] for row in desk.json("tables", "list", "spare")] == ["spare"]
    assert desk.ok("tables", "drop", "Shop.SPARE", "--yes") == "dropped table shop.spare with 1 row\n"
    assert desk.json("tables", "list", "spare") == []
    kohort = open_kohort(desk.folder)
    entry = kohort.store.audit(limit=1)[0].entry
    kohort.close()
    assert (entry.action, entry.object, entry.detail) == ("table.drop", "shop.spare", "table")


def test_a_view_is_dropped_and_its_table_stays(desk: Desk) -> None:
    desk.ok("tables", "create", "shop.seen", "--as", "SELECT * FROM shop.customers", "--view")
    assert desk.json("tables", "drop", "shop.seen", "-y") == {"table": "shop.seen", "kind": "view", "rows": None}
    assert desk.json("tables", "show", "shop.customers")["rows"] == 60


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ("shop.customers", "TABLE_IN_USE", 'shop.customers is needed by the master table of the parent segment "All Customers"'),
        ("shop.metrics", "TABLE_IN_USE", 'the attribute "Metrics" of the parent segment "All Customers"'),
        ("WEB.Page_Views", "TABLE_IN_USE", 'the behavior "Page View" of the parent segment "All Customers"'),
        ("cdp_audience_1.customers", "NAME_RESERVED", "cdp_audience_1 holds what refreshes build"),
        ("shop.custmers", "TABLE_NOT_FOUND", 'did you mean "shop.customers"?'),
        ("customers", "NAME_INVALID", "is not <database>.<table>"),
    ],
)
def test_what_is_needed_stays(shop: Desk, table: str, code: str, words: str) -> None:
    told = shop.refused("tables", "drop", table, "-y")
    assert f"[{code}]" in told
    assert words in told


def test_what_a_view_reads_stays_until_the_view_is_gone(desk: Desk) -> None:
    desk.ok(*SPARE)
    desk.ok("tables", "create", "made.seen", "--as", "SELECT count(*) AS n FROM (SELECT * FROM shop.spare)", "--view")
    assert "shop.spare is needed by the view made.seen" in desk.refused("tables", "drop", "shop.spare", "-y")
    desk.ok("tables", "drop", "made.seen", "-y")
    desk.ok("tables", "drop", "shop.spare", "-y")


def _make_source_with_tables(desk: Desk) -> None:
    """A source with one table of its calls, and a table that somebody else put beside it."""
    desk.ok("source", "add", "Site")
    kohort = open_kohort(desk.folder)
    kohort.warehouse.execute("CREATE SCHEMA site")
    kohort.warehouse.execute("CREATE TABLE site.pages AS SELECT 1 AS one")
    kohort.warehouse.execute("COMMENT ON TABLE site.pages IS 'written by Kohort'")
    kohort.warehouse.execute("CREATE TABLE site.theirs AS SELECT 1 AS one")
    kohort.close()


def test_tables_of_calls_stay_with_their_source_but_not_what_others_put_there(desk: Desk) -> None:
    _make_source_with_tables(desk)
    told = desk.refused("tables", "drop", "site.pages", "-y")
    assert '[TABLE_IN_USE] calls of the source "Site" are written to site.pages' in told
    assert 'kohort source remove "Site" --drop-tables' in told
    desk.ok("tables", "drop", "site.theirs", "-y")
    desk.ok("source", "remove", "Site", "-y")
    desk.ok("tables", "drop", "site.pages", "-y")


def test_beside_a_server_it_is_the_same(desk: Desk) -> None:
    _make_source_with_tables(desk)
    with running_server(desk.folder, {}):
        desk.ok(*SPARE)
        assert "add -y" in desk.refused("tables", "drop", "shop.spare")
        assert desk.ok("tables", "drop", "shop.spare", "-y") == "dropped table shop.spare with 1 row\n"
        assert 'needed by the attribute "Metrics"' in desk.refused("tables", "drop", "shop.metrics", "-y")
        assert "[TABLE_IN_USE] calls of" in desk.refused("tables", "drop", "site.pages", "-y")
        assert desk.json("source", "remove", "Site", "--drop-tables", "-y")["dropped"] == ["pages"]
        assert [row["table"] for row in desk.json("tables", "list", "site.")] == ["theirs"]
