"""The editor of a segment: sizes while one types, undo, YAML and text, A/B tests, saving, and what others saved meanwhile."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from kohort.foundation.clock import SystemClock
from kohort.services.definitions.save import update_segment
from kohort.services.definitions.stored import require_parent, segment_of
from kohort.testing.browser import Watch
from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.test_frame import layout_shift

BASE = "/audiences/all-customers/segments"


def rules_of(studio: RunningStudio, path: str) -> str:
    """The address of a segment's rules."""
    store = studio.kohort.store
    parent = require_parent(store, "all-customers")
    return f"{BASE}/{next(record.id for record in store.segments(parent.id) if record.path == path)}/rules"


def stored(studio: RunningStudio, path: str) -> Any:
    store = studio.kohort.store
    return next(record for record in store.segments(require_parent(store, "all-customers").id) if record.path == path)


def size(page: Page) -> Any:
    """The number of the preview, once it is an answer to what is on the page."""
    expect(page.locator(".editor-numbers")).to_have_attribute("aria-busy", "false", timeout=60_000)
    return page.get_by_role("region", name="Audience size").locator(".size-count")


def form(page: Page, name: str) -> Any:
    """The rules as YAML or text, in a field."""
    page.get_by_role("group", name="Show the rules as").get_by_role("button", name=name).click()
    return page.get_by_label({"YAML": "Segment as YAML", "Text": "Rule as text"}[name])


class TestPreview:
    def test_sizes_follow_what_is_typed(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        expect(size(page)).to_have_text("8")
        expect(page.get_by_text("As saved, version 1")).to_be_visible()
        page.get_by_label("Value of Lifetime value").fill("2500")
        expect(page.get_by_text("Unsaved changes")).to_be_visible()
        expect(size(page)).to_have_text("2")
        preview = page.get_by_role("complementary", name="Preview")
        expect(preview.get_by_text("−6 left against version 1")).to_be_visible()
        funnel = preview.get_by_role("region", name="Funnel").get_by_role("listitem")
        expect(funnel.first).to_contain_text("lifetime_value > 2500")
        assert page.evaluate("performance.getEntriesByName('kohort-preview').length") >= 1

    def test_what_is_not_filled_in_yet_is_said_as_in_its_row(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_role("button", name="Add attribute", exact=True).click()
        preview = page.get_by_role("complementary", name="Preview")
        expect(preview.get_by_text("Choose an attribute.")).to_be_visible()
        page.keyboard.type("lifetime")
        page.keyboard.press("Enter")
        expect(preview.get_by_text("Give a value.")).to_be_visible()
        expect(preview.get_by_role("listitem").filter(has_text="Add value")).to_have_count(0)

    def test_a_text_that_cannot_be_read_is_not_being_counted(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        form(page, "Text").fill("lifetime_value >")
        expect(page.get_by_text("What is typed cannot be read yet")).to_be_visible()
        expect(page.get_by_role("region", name="Audience size").locator(".badge")).to_have_text("stopped")

    @pytest.mark.parametrize("path", ["Value/Spenders", "Lifecycle/Lapsing", "Experiments/Offer"])
    def test_those_who_share_most_come_first(self, studio: RunningStudio, open_page: OpenPage, path: str) -> None:
        page = open_page(studio, rules_of(studio, path))
        size(page)
        shared = page.get_by_role("region", name="Overlaps").locator("li > .number:not(.ed-funnel-drop)").all_inner_texts()
        assert len(shared) > 2
        assert shared == sorted(shared, key=int, reverse=True)

    def test_old_numbers_stay_while_new_ones_are_counted(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        expect(size(page)).to_have_text("8")
        held: list[Any] = []
        page.route("**/preview", lambda route: held.append(route))
        page.get_by_label("Value of Lifetime value").press_sequentially("99", delay=20)
        expect(page.locator(".editor-numbers")).to_have_attribute("aria-busy", "true")
        expect(page.get_by_role("region", name="Audience size").locator(".size-count")).to_have_text("8")
        page.wait_for_timeout(400)
        assert len(held) == 1, "one question for quick successive edits"
        held[0].continue_()
        expect(size(page)).to_have_text("0")

    def test_a_row_more_of_a_long_rule_leaves_the_style_of_the_others_alone(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        form(page, "Text").fill(" or ".join(f"lifetime_value > {number}" for number in range(60)))
        page.get_by_role("button", name="Visual").click()
        expect(page.locator("li.rb-item")).to_have_count(60)
        expect(page.locator(".editor-numbers")).to_have_attribute("aria-busy", "false")
        browser = page.context.browser
        assert browser is not None
        page.evaluate("document.querySelector('.rb-adders').scrollIntoView()")
        page.wait_for_timeout(300)
        browser.start_tracing(page=page, categories=["devtools.timeline"])
        page.evaluate(
            """() => new Promise(done => {
              document.querySelector("button[aria-label='Add attribute']").click();
              requestAnimationFrame(() => requestAnimationFrame(done));
            })"""
        )
        events = json.loads(browser.stop_tracing())["traceEvents"]
        clicked = min(event["ts"] for event in events if event["args"].get("data", {}).get("type") == "click")
        after = [event for event in events if event["name"] == "UpdateLayoutTree" and event["ts"] >= clicked]
        styled = [event["args"].get("elementCount", 0) for event in after]
        assert page.locator("li.rb-item").count() == 61
        assert 0 < max(styled) < page.locator("*").count(), styled

    def test_a_warning_says_why_and_leads_to_its_row(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        form(page, "Text").fill("lifetime_value > 5 and lifetime_value < 3 and loyalty_tier = 'Gold'")
        expect(size(page)).to_have_text("0")
        page.get_by_role("button", name="Visual").click()
        warning = page.get_by_role("region", name="Worth a look")
        expect(warning).to_contain_text("cannot hold together")
        warning.get_by_role("button").first.click()
        assert page.evaluate("document.activeElement.closest('rule-builder') !== null")

    def test_a_rule_set_is_nothing_odd_in_rows(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_role("button", name="Add rule set").click()
        page.keyboard.press("Enter")
        page.keyboard.type("country")
        page.keyboard.press("Enter")
        page.get_by_label("Value of Country").fill("JP")
        page.keyboard.press("Enter")
        expect(size(page)).to_have_text(re.compile(r"\d"))
        expect(page.get_by_role("region", name="Worth a look")).to_have_count(0)
        form(page, "YAML")
        expect(page.get_by_role("region", name="Worth a look")).to_contain_text("A group inside a group")

    def test_an_address_for_a_copy_begins_with_its_rule(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, f"{BASE}/new?copy={stored(studio, 'Value/VIP').id}")
        expect(page.get_by_label("Name", exact=True)).to_have_value("VIP copy")
        expect(page.get_by_label("Folder")).to_have_value("Value")
        expect(size(page)).to_have_text("8")


class TestUndo:
    def test_the_cursor_stays_near_when_its_row_is_undone(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_role("button", name="Add segment").press("Enter")
        expect(page.get_by_role("combobox", name="Segment")).to_be_focused()
        page.keyboard.press("Control+z")
        expect(page.get_by_role("button", name="Redo")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Undo")).to_be_focused()

    def test_by_keyboard_and_by_button(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        value = page.get_by_label("Value of Lifetime value")
        expect(value).to_have_value("1000")
        value.fill("")
        value.press_sequentially("2500", delay=10)
        page.keyboard.press("Control+z")
        expect(value).to_have_value("1000")
        page.keyboard.press("Control+Shift+Z")
        expect(value).to_have_value("2500")
        page.get_by_role("button", name="Undo").click()
        expect(value).to_have_value("1000")
        expect(page.get_by_role("button", name="Undo")).to_be_disabled()
        expect(page.get_by_text("Unsaved changes")).to_have_count(0)
        page.get_by_role("button", name="Remove condition 2").click()
        page.get_by_label("Description").fill("Changed")
        for _ in range(2):
            page.keyboard.press("Control+z")
        expect(page.get_by_role("group", name="Condition 2: Loyalty tier")).to_be_visible()
        expect(page.get_by_label("Description")).to_have_value("The best")


class TestTyping:
    def test_yaml_goes_both_ways(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        field = form(page, "YAML")
        expect(field).to_have_value(re.compile("^name: VIP\ndescription: The best\nrule:\n"))
        field.fill(field.input_value().replace("1000", "500"))
        expect(size(page)).to_have_text("10")
        page.get_by_role("button", name="Visual").click()
        expect(page.get_by_label("Value of Lifetime value")).to_have_value("500")
        expect(form(page, "Text")).to_have_value("lifetime_value > 500 and loyalty_tier = 'Gold'")

    def test_a_mistake_has_its_line_and_path_and_keeps_the_last_readable_rule(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        field = form(page, "YAML")
        expect(field).to_have_value(re.compile("Greater"))
        field.fill(field.input_value().replace("Greater", "Grater"))
        expect(page.get_by_text("What is typed cannot be read yet")).to_be_visible()
        expect(page.get_by_text("rule.conditions[0].operator.type")).to_be_visible()
        problems = page.locator(".code-problems > li")
        expect(problems.first).to_have_class("is-bad")
        page.get_by_role("button", name="Line 9").first.click()
        assert field.evaluate("field => field.value.slice(0, field.selectionStart).split('\\n').length") == 9
        page.get_by_role("button", name="Save rules").click()
        expect(page.get_by_text("What is typed cannot be read yet. Correct it first.")).to_be_visible()
        page.get_by_role("button", name="Visual").click()
        page.get_by_role("dialog").get_by_role("button", name="Drop it").click()
        expect(page.get_by_label("Operator of Lifetime value")).to_have_value("Greater")

    def test_a_field_that_is_not_there_is_shown_in_every_form(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        form(page, "Text").fill("loyalty_tier = 'Gold'\nand lifetme_value > 3")
        expect(page.get_by_role("button", name="Line 2").first).to_be_visible()
        page.get_by_role("button", name="Visual").click()
        expect(page.locator("rule-builder").get_by_text('There is no attribute "lifetme_value"')).to_be_visible()
        expect(page.get_by_role("region", name="1 problem")).to_contain_text('Did you mean "lifetime_value"?')


class TestSplit:
    def test_variants_are_counted_and_their_sum_checked(self, own_studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(own_studio, rules_of(own_studio, "Lifecycle/Active"))
        page.get_by_role("button", name="Split into variants").click()
        test = page.get_by_role("region", name="A/B test")
        expect(test.get_by_text("Together 100%, everybody is in one.")).to_be_visible()
        size(page)
        cells = test.locator("tbody td.number")
        expect(cells.first).to_have_text(re.compile(r"^\d+$"))
        assert sum(int(text) for text in cells.all_inner_texts()) == int(size(page).inner_text())
        page.get_by_label("Ratio of variant 1 in percent").fill("80")
        expect(test.get_by_text("Together 135%")).to_be_visible()
        expect(test.get_by_text("more than 100")).to_have_count(1)
        expect(page.get_by_label("Ratio of variant 2 in percent")).to_have_accessible_description(re.compile("Together 135%"))
        expect(page.get_by_label("Name of variant 1")).to_have_attribute("aria-invalid", "false")
        page.get_by_role("region", name="1 problem").get_by_role("button", name="A/B test").click()
        expect(page.get_by_label("Ratio of variant 1 in percent")).to_be_focused()
        page.get_by_label("Ratio of variant 1 in percent").fill("40")
        expect(test.get_by_text("the other 5% are in no variant")).to_be_visible()
        page.get_by_role("button", name="Save rules").click()
        page.get_by_role("dialog").get_by_role("button", name="Save new version").click()
        expect(page.get_by_role("complementary", name="Segments").get_by_text("A-Active")).to_be_visible()
        assert [v.ratio for v in segment_of(stored(own_studio, "Lifecycle/Active")).ab_test.variants] == [40, 45]  # type: ignore[union-attr]


class TestSaving:
    def test_nobody_who_leaves_is_a_plain_zero(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_label("Value of Lifetime value").fill("0")
        expect(page.get_by_text("entered against version 1")).to_be_visible()
        page.keyboard.press("Control+s")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("definition")).to_have_count(3)
        assert dialog.get_by_role("definition").last.inner_text() == "0"

    def test_a_segment_from_its_name_to_its_second_version_and_back(self, own_studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(own_studio, f"{BASE}/new?folder=Value", role="marketer")
        expect(size(page)).to_have_text("60")
        page.get_by_label("Name", exact=True).fill("VIP")
        expect(page.get_by_text('There is already a segment "Value/VIP"').first).to_be_visible()
        page.get_by_label("Name", exact=True).fill("Gold")
        page.get_by_role("button", name="Add attribute").click()
        page.get_by_role("combobox", name="Attribute").fill("loyalty")
        page.keyboard.press("Enter")
        page.get_by_role("combobox", name="Value of Loyalty tier").fill("Gold")
        page.keyboard.press("Enter")
        expect(size(page)).to_have_text("15")
        page.keyboard.press("Control+s")
        page.get_by_label(re.compile("^Note")).fill("For the spring catalogue")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Gold")
        expect(page).to_have_url(re.compile(rf"{BASE}/\d+/rules$"))
        expect(page.get_by_text("As saved, version 1")).to_be_visible()
        page.get_by_role("button", name="Remove condition 1").click()
        page.get_by_role("button", name="Save rules").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("15 → 60")).to_be_visible()
        expect(dialog.get_by_text("+45")).to_be_visible()
        dialog.get_by_role("button", name="Save new version").click()
        expect(page.get_by_text("As saved, version 2")).to_be_visible()
        assert stored(own_studio, "Value/Gold").version == 2
        page.get_by_role("navigation", name="Parts of this segment").get_by_role("link", name="History").click()
        page.get_by_role("button", name="Go back to this version 1").click()
        expect(dialog).to_contain_text("60 members become 15")
        dialog.get_by_role("button", name="Go back").click()
        expect(page.get_by_role("heading", name="Version 3")).to_be_visible()
        page.get_by_role("navigation", name="Parts of this segment").get_by_role("link", name="Rules").click()
        expect(size(page)).to_have_text("15")

    def test_numbers_of_another_rule_are_not_shown_before(self, studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
        watch.allow("503")
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        expect(size(page)).to_have_text("8")
        page.route("**/preview", lambda route: route.fulfill(status=503, json={"code": "BUSY", "detail": "busy", "status": 503}))
        page.get_by_label("Value of Lifetime value").fill("2000")
        expect(page.get_by_role("region", name="Audience size").get_by_role("alert")).to_be_visible()
        page.keyboard.press("Control+s")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("What it changes is not known: the preview does not answer.")).to_be_visible()
        expect(dialog).not_to_contain_text("1000")
        dialog.get_by_role("button", name="Go on editing").click()

    def test_what_depends_on_it_is_shown_before(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_label("Value of Lifetime value").fill("1")
        size(page)
        page.get_by_role("button", name="Save rules").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("1 other segment changes with it")).to_be_visible()
        expect(dialog.get_by_role("listitem")).to_contain_text("Active VIP")
        dialog.get_by_role("button", name="Go on editing").click()
        expect(dialog).to_be_hidden()

    def test_somebody_elses_edit_is_not_overwritten_unseen(self, own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
        watch.allow("412")
        page = open_page(own_studio, rules_of(own_studio, "Value/VIP"))
        page.get_by_label("Value of Lifetime value").fill("2000")
        size(page)
        self.edited_by_ann(own_studio)
        page.get_by_role("button", name="Save rules").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Save new version").click()
        expect(dialog.get_by_text("ann@example.com saved it")).to_be_visible()
        expect(dialog.get_by_role("button", name="Go on editing")).to_be_focused()
        expect(dialog).to_contain_text("lifetime_value > 2000")
        assert axe_violations(page) == []
        dialog.get_by_role("button", name="Take theirs").click()
        expect(page.get_by_label("Description")).to_have_value("By Ann")
        expect(page.get_by_label("Value of Lifetime value")).to_have_value("1000")
        page.keyboard.press("Control+z")
        expect(page.get_by_label("Value of Lifetime value")).to_have_value("2000")
        self.edited_by_ann(own_studio, "By Ann again")
        page.get_by_role("button", name="Save rules").click()
        dialog.get_by_role("button", name="Save new version").click()
        dialog.get_by_role("button", name="Overwrite with mine").click()
        expect(page.get_by_text("As saved, version 2")).to_be_visible()
        assert stored(own_studio, "Value/VIP").document["description"] == "The best"

    def edited_by_ann(self, studio: RunningStudio, words: str = "By Ann") -> None:
        store, record = studio.kohort.store, stored(studio, "Value/VIP")
        parent, changed = require_parent(store, "all-customers"), segment_of(record)
        changed = type(changed)(**{**{name: getattr(changed, name) for name in changed.__dataclass_fields__}, "description": words})
        update_segment(store, parent, record.id, changed, revision=None, catalog=None, by="ann@example.com", clock=SystemClock())

    def test_leaving_asks_first(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"))
        page.get_by_label("Description").fill("Not saved")
        page.get_by_role("link", name="Activations").click()
        dialog = page.get_by_role("dialog", name="Leave without saving?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_label("Description")).to_have_value("Not saved")
        expect(page).to_have_url(re.compile("/rules$"))
        page.get_by_role("link", name="Activations").click()
        dialog.get_by_role("button", name="Leave").click()
        expect(page).to_have_url(re.compile("/activations$"))

    def test_links_of_the_preview_ask_and_keep_the_frame(self, own_studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(own_studio, rules_of(own_studio, "Value/VIP"))
        page.evaluate("window.stays = true")
        page.get_by_label("Value of Lifetime value").fill("500")
        expect(size(page)).not_to_have_text("8")
        page.get_by_role("region", name="Overlaps").get_by_role("link").first.click()
        dialog = page.get_by_role("dialog", name="Leave without saving?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_label("Value of Lifetime value")).to_have_value("500")
        wanted = page.get_by_role("region", name="Some of them").get_by_role("link").first.get_attribute("href")
        page.get_by_role("region", name="Some of them").get_by_role("link").first.click()
        dialog.get_by_role("button", name="Leave").click()
        expect(page).to_have_url(f"{own_studio.url}{wanted}")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("window.stays")

    def test_going_back_asks_first(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP").replace("rules", "activations"))
        page.get_by_role("link", name="Rules").click()
        size(page)
        page.get_by_label("Description").fill("Not saved")
        page.evaluate("history.back()")
        dialog = page.get_by_role("dialog", name="Leave without saving?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page).to_have_url(re.compile("/rules$"))
        expect(page.get_by_label("Description")).to_have_value("Not saved")
        page.evaluate("history.back()")
        dialog.get_by_role("button", name="Leave").click()
        expect(page).to_have_url(re.compile("/activations$"))


class TestReading:
    def test_a_viewer_looks_and_changes_nothing(self, studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
        watch.allow("403")
        page = open_page(studio, rules_of(studio, "Value/VIP"), role="viewer")
        expect(size(page)).to_have_text("8")
        expect(page.get_by_text("You may look at these rules")).to_be_visible()
        for name in ("Save rules", "Undo", "Split into variants", "Add attribute", "Remove condition 1"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        expect(form(page, "YAML")).not_to_be_editable()
        page.goto(f"{BASE}/new")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing_and_nothing_moves(self, studio: RunningStudio, open_page: OpenPage, theme: str) -> None:
        page = open_page(studio, rules_of(studio, "Experiments/Offer"), theme=theme)
        size(page)
        assert layout_shift(page) == 0
        assert axe_violations(page) == []
        form(page, "YAML").fill("rule: [")
        expect(page.get_by_text("What is typed cannot be read yet")).to_be_visible()
        assert axe_violations(page) == []
        page.goto(f"{BASE}/new")
        size(page)
        assert axe_violations(page) == []

    def test_everything_is_there_on_a_narrow_screen(self, studio: RunningStudio, open_page: OpenPage) -> None:
        page = open_page(studio, rules_of(studio, "Value/VIP"), width=400, height=800)
        page.get_by_role("button", name="Split into variants").click()
        size(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.get_by_label("Value of Lifetime value").fill("")
        glance = page.get_by_role("link", name=re.compile("Preview"))
        expect(glance).to_be_in_viewport()
        expect(glance).to_contain_text("1 problem")
        glance.click()
        expect(page.get_by_role("region", name="Audience size")).to_be_in_viewport()
        assert axe_violations(page) == []
