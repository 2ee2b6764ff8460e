"""All segments side by side: populations, growth, movers, overlap."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from kohort.services.evaluation.evaluate import open_engine
from kohort.services.evaluation.overlap import overlap_matrix
from kohort.services.membership.trends import segment_trends
from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import get, segment_address, words


def rows(html: str) -> list[str]:
    """The segments of the table in their order."""
    return re.findall(r'class="row-link"[^>]*>([^<]+)</a>', html)


def segment_id(studio: RunningStudio, path: str) -> str:
    return segment_address(studio, path).rpartition("/")[2]


def test_every_segment_with_its_growth(grown: RunningStudio) -> None:
    store = grown.kohort.store
    parent = store.parents()[0]
    trends = segment_trends(store, parent, {record.id for record in store.segments(parent.id)}, 90)
    page = get(grown, "/analytics", "viewer")
    assert rows(page) == [t.record.name for t in sorted(trends.segments, key=lambda t: -(t.population or 0))]
    assert page.count("<polyline") == len(trends.segments)
    for trend in trends.segments:
        assert trend.days[-1].population == trend.population
        assert trend.change(30).change == trend.days[-1].population - trend.days[-31].population
    grew = max(trends.segments, key=lambda t: t.change(30).change or 0)
    assert f"Grew most (30 d) {grew.record.name}" in words(page)


def test_a_share_says_of_what_it_is(grown: RunningStudio) -> None:
    for path in ("/analytics", "/audiences/all-customers"):
        said = words(get(grown, path))
        assert "Share of All Customers" in said
        assert re.search(r"Active VIP .*?[\d.]+% of VIP ", said)


def test_the_table_is_sorted_and_narrowed(grown: RunningStudio) -> None:
    names = rows(get(grown, "/analytics?sort=name"))
    assert names == sorted(names, key=str.casefold)
    assert rows(get(grown, "/analytics?sort=-name")) == names[::-1]
    assert sorted(rows(get(grown, "/analytics?folder=Lifecycle"))) == ["Active", "Active VIP", "Lapsing"]
    assert "No segments here yet" in words(get(grown, "/analytics?folder=Nothing"))
    get(grown, "/analytics?parent=nothing", status=404)
    get(grown, "/analytics?days=1", status=422)


def test_the_matrix_of_chosen_segments(grown: RunningStudio) -> None:
    kohort = grown.kohort
    paths = ["Value/VIP", "Value/Spenders", "Lifecycle/Active"]
    query = "&".join(f"segment={segment_id(grown, path)}" for path in paths)
    said = words(get(grown, f"/analytics/overlap?{query}", "viewer"))
    with kohort.shared_warehouse.use() as warehouse:
        engine = open_engine(warehouse, kohort.store, kohort.store.parents()[0], kohort.settings.range_size, kohort.index_use)
        matrix = overlap_matrix(engine, kohort.store, kohort.snapshots, paths)
    share = matrix.pair(0, 1).share_of_first
    assert share is not None
    assert f"VIP {matrix.count(0)}" in said
    assert f"{share:.2%}" in said
    assert "Choose at least two" in words(get(grown, "/analytics/overlap?segment=1"))


def test_nothing_evaluated_yet(own_studio: RunningStudio) -> None:
    store = own_studio.kohort.store
    for record in store.segments(store.parents()[0].id):
        store.delete_segment(record.id)
    assert "No segments here yet" in words(get(own_studio, "/analytics"))


def test_segments_are_chosen_with_the_keyboard(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, "/analytics", "viewer")
    expect(page.get_by_role("region", name="Overlap of segments")).to_be_visible()
    for name in ("Value/VIP", "Lifecycle/Active"):
        page.get_by_label(f"Show {name} in the chart and the matrix").focus()
        page.keyboard.press("Space")
        page.wait_for_url(f"**segment={segment_id(grown, name)}*")
        expect(page.get_by_label(f"Show {name} in the chart and the matrix")).to_be_focused()
    expect(page.locator("#overlap").get_by_role("row")).to_have_count(3)
    expect(page.locator(".chart-key")).to_have_text(["Active", "VIP"])
    page.get_by_label("Folder").select_option("Value")
    expect(page.get_by_role("link", name="Lapsing", exact=True).and_(page.locator(".row-link"))).to_have_count(0)
    assert "folder=Value" in page.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(grown: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(grown, "/analytics", theme=theme)
    expect(page.get_by_role("region", name="Overlap of segments")).to_be_visible()
    assert axe_violations(page) == []
