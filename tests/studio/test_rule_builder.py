"""The rule builder as people use it: with the keyboard, with the mouse, on long rules and on rules with mistakes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from kohort.testing.studio import RunningStudio
from tests.studio.builder_page import open_builder, preview, rule_of
from tests.studio.conftest import OpenPage, axe_violations


def equals(attribute: str, **operator: Any) -> dict[str, Any]:
    return {"type": "Value", "attribute": attribute, "operator": {"type": "Equal", **operator}}


GOLD = equals("loyalty_tier", value="Gold")
OPTED_IN = equals("email_opt_in", value=True)
RICH = {"type": "Value", "attribute": "lifetime_value", "operator": {"type": "GreaterEqual", "value": 100}}
BOUGHT = {
    "type": "Value",
    "attribute": "",
    "source": "behavior_purchase",
    "aggregation": {"type": "Count"},
    "operator": {"type": "GreaterEqual", "value": 1},
    "filter": {"type": "And", "conditions": []},
}
EVERYTHING = {
    "type": "Composite",
    "expr": "(A and B) or C or D",
    "description": "What the language has",
    "limit": {"type": "Percent", "number": 10, "orderColumns": [{"type": "Column", "column": "lifetime_value", "order": "descending"}]},
    "conditions": [
        {
            "type": "And",
            "description": "Attributes",
            "conditions": [
                {**GOLD, "exclude": True, "description": "not the best"},
                {"type": "Value", "attribute": "loyalty_tier", "operator": {"type": "In", "value": ["Gold", "Silver"]}},
                {
                    "type": "Value",
                    "attribute": "last_purchase_date",
                    "operator": {"type": "TimeRange", "duration": {"day": 7}, "from": {"last": 1, "unit": "month"}},
                },
                equals("nothing_like_it", value="x"),
                {"type": "Value", "attribute": "lifetime_value", "operator": {"type": "Less"}},
            ],
        },
        {
            **BOUGHT,
            "timeWindow": {"duration": 30, "unit": "day"},
            "window": {"type": "TimeSliding", "duration": {"day": 7}},
            "filter": {
                "type": "And",
                "conditions": [
                    {"type": "Column", "column": "category", "operator": {"type": "StartWith", "value": ["T"]}},
                    {
                        "type": "Or",
                        "conditions": [
                            {"type": "Column", "column": "amount", "operator": {"type": "Greater", "value": 5}, "exclude": True}
                        ],
                    },
                ],
            },
        },
        {"type": "Sequence", "steps": [{"source": "behavior_email_open"}, {"source": "behavior_purchase", "within": {"day": 3}}]},
        {"type": "Or", "conditions": [{"type": "include", "segment": "Lifecycle/Active"}, "country = 'US'"]},
    ],
}


def group(*conditions: Any, match: str = "And", **more: Any) -> dict[str, Any]:
    return {"type": match, **more, "conditions": list(conditions)}


def attributes_of(page: Page) -> list[Any]:
    """The attributes of the rule's conditions, groups as lists."""

    def names(node: dict[str, Any]) -> list[Any]:
        return [names(part) if "conditions" in part else part["attribute"] for part in node["conditions"]]

    return names(rule_of(page))


def test_a_rule_is_written_with_the_keyboard_alone(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    expect(page.get_by_text("Everybody. Add a condition to choose.")).to_be_visible()
    page.get_by_role("button", name="Add attribute").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Attribute")).to_be_focused()
    page.keyboard.type("loyal")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Attribute")).to_have_value("Loyalty tier")
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Operator of Loyalty tier")).to_be_focused()
    page.keyboard.type("is one")
    page.keyboard.press("Tab")
    page.keyboard.type("Gol")
    expect(page.get_by_role("option", name="Gold")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("Platinum,")
    page.keyboard.press("Escape")
    assert rule_of(page) == group({"type": "Value", "attribute": "loyalty_tier", "operator": {"type": "In", "value": ["Gold", "Platinum"]}})
    page.keyboard.press("Backspace")
    assert rule_of(page)["conditions"][0]["operator"]["value"] == ["Gold"]


def test_conditions_move_with_the_keyboard_into_groups_and_out(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(GOLD, RICH, group(OPTED_IN, match="Or")))
    page.get_by_role("button", name="Move condition 1: Loyalty tier").focus()
    page.keyboard.press("Alt+ArrowDown")
    assert attributes_of(page) == ["lifetime_value", "loyalty_tier", ["email_opt_in"]]
    expect(page.get_by_role("button", name="Move condition 2: Loyalty tier")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Moved to position 2 of 3")
    page.keyboard.press("Alt+ArrowDown")
    assert attributes_of(page) == ["lifetime_value", ["loyalty_tier", "email_opt_in"]]
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    assert attributes_of(page) == ["lifetime_value", ["email_opt_in"], "loyalty_tier"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")
    assert attributes_of(page) == ["lifetime_value", [], "loyalty_tier"]
    expect(page.get_by_role("button", name="Add attribute to Rule set 2")).to_be_focused()


def test_a_behavior_is_filtered_windowed_and_aggregated(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    page.get_by_role("button", name="Add behavior").click()
    page.get_by_role("combobox", name="Behavior", exact=True).fill("purch")
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="What is computed").select_option("sum")
    page.get_by_role("combobox", name="Column").click()
    page.get_by_role("option", name="Amount").click()
    page.get_by_role("spinbutton", name="Value of Purchase").fill("100.50")
    page.get_by_role("combobox", name="Time window of Purchase").select_option("in the last")
    page.get_by_role("spinbutton", name="Length of the window of Purchase").fill("90")
    page.get_by_role("button", name="Add filter").click()
    page.get_by_role("group", name="Filter").get_by_role("combobox", name="Column").fill("categ")
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="Value of Category").fill("Tents")
    page.keyboard.press("Enter")
    assert rule_of(page) == group(
        {
            **BOUGHT,
            "aggregation": {"type": "Sum", "column": "amount"},
            "operator": {"type": "GreaterEqual", "value": 100.5},
            "timeWindow": {"duration": 90, "unit": "day"},
            "filter": group({"type": "Column", "column": "category", "operator": {"type": "Equal", "value": "Tents"}}),
        }
    )


def test_every_edit_is_an_event_and_leaves_what_was_given_alone(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group({**RICH, "extras": {"mine": 1}, "visibility": "clear"}))
    page.evaluate("window.given = document.querySelector('rule-builder').rule; window.text = JSON.stringify(given)")
    value = page.get_by_role("spinbutton", name="Value of Lifetime value")
    value.press("End")
    value.press_sequentially(".05")
    expect(value).to_have_value("100.05")
    changes = page.evaluate("window.changes.map(({label, coalesce}) => [label, coalesce])")
    assert len({key for _, key in changes}) == 1
    assert {label for label, _ in changes} == {"Change value"}
    assert page.evaluate("JSON.stringify(window.given) === window.text")
    assert rule_of(page)["conditions"][0] == {
        **RICH,
        "operator": {"type": "GreaterEqual", "value": 100.05},
        "extras": {"mine": 1},
        "visibility": "clear",
    }


def test_groups_are_wrapped_dissolved_duplicated_and_removed(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(GOLD, RICH))
    page.get_by_role("button", name="Put condition 1 into a group").click()
    assert attributes_of(page) == [["loyalty_tier"], "lifetime_value"]
    page.get_by_role("button", name="Duplicate Rule set 1").click()
    assert attributes_of(page) == [["loyalty_tier"], ["loyalty_tier"], "lifetime_value"]
    page.get_by_role("button", name="Dissolve Rule set 2").click()
    assert attributes_of(page) == [["loyalty_tier"], "loyalty_tier", "lifetime_value"]
    page.get_by_role("button", name="Remove Rule set 1").click()
    page.get_by_role("group", name="Match of Rule").get_by_role("button", name="Logic").click()
    page.get_by_role("button", name="Remove condition 1").click()
    assert rule_of(page) == {"type": "Composite", "expr": "A", "conditions": [RICH]}


def test_a_condition_is_dragged_into_a_group(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(GOLD, RICH, group(OPTED_IN, match="Or")))
    page.get_by_role("button", name="Move condition 1: Loyalty tier").drag_to(
        page.get_by_role("group", name="Condition 3.1: Email opt in"), target_position={"x": 300, "y": 38}
    )
    assert attributes_of(page) == ["lifetime_value", ["email_opt_in", "loyalty_tier"]]


MAILED_BOUGHT_MAILED = {
    "type": "Sequence",
    "steps": [
        {"source": "behavior_email_open"},
        {"source": "behavior_purchase", "within": {"day": 3}},
        {"source": "behavior_page_view", "within": {"hour": 5}},
    ],
}


def steps_of(page: Page) -> list[tuple[str, Any]]:
    """The behaviors of the first condition's steps, and how soon each follows."""
    return [(step["source"].removeprefix("behavior_"), step.get("within")) for step in rule_of(page)["conditions"][0]["steps"]]


def test_steps_of_a_sequence_move_with_the_keyboard_and_times_between_them_stay(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(MAILED_BOUGHT_MAILED, GOLD))
    page.get_by_role("button", name="Move step 3:").focus()
    page.keyboard.press("Alt+ArrowUp")
    assert steps_of(page) == [("email_open", None), ("page_view", {"day": 3}), ("purchase", {"hour": 5})]
    expect(page.get_by_role("button", name="Move step 2:")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Moved to step 2 of 3")
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowUp")
    assert steps_of(page) == [("page_view", None), ("email_open", {"day": 3}), ("purchase", {"hour": 5})]
    expect(page.get_by_role("status")).to_have_text("It cannot move further")
    page.get_by_role("combobox", name="Behavior of step 1").focus()
    page.keyboard.press("Alt+ArrowDown")
    assert [name for name, _ in steps_of(page)] == ["email_open", "page_view", "purchase"]
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert steps_of(page) == [("email_open", None), ("purchase", {"hour": 5})]
    expect(page.get_by_role("status")).to_have_text("A sequence has at least two steps")
    page.get_by_role("button", name="Move condition 1: sequence").focus()
    page.keyboard.press("Alt+ArrowDown")
    assert [part["type"] for part in rule_of(page)["conditions"]] == ["Value", "Sequence"]


def test_steps_of_a_sequence_are_dragged(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(MAILED_BOUGHT_MAILED, GOLD))
    last = page.get_by_role("group", name="Step 3")
    box = last.bounding_box()
    assert box is not None
    page.get_by_role("button", name="Move step 1:").drag_to(last, target_position={"x": 200, "y": box["height"] - 2})
    assert steps_of(page) == [("purchase", None), ("page_view", {"day": 3}), ("email_open", {"hour": 5})]


def test_counts_and_mistakes_stand_at_their_rows(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(GOLD, equals("loyalty_teir", value="Gold"), equals("lifetime_value")))
    unknown = page.get_by_role("group", name="Condition 2: loyalty_teir")
    expect(unknown.get_by_text("There is no attribute")).to_be_visible()
    found = preview(page)
    expect(page.get_by_role("group", name="Condition 1: Loyalty tier")).to_contain_text(
        str(found["conditions"]["rule.conditions[0]"]["count"])
    )
    expect(unknown).to_contain_text('Did you mean "loyalty_tier"?')
    expect(unknown.get_by_role("combobox", name="Attribute")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("group", name="Condition 3: Lifetime value")).to_contain_text("Give a value.")


def test_a_viewer_reads_and_changes_nothing(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, EVERYTHING, readonly=True)
    assert page.locator("rule-builder").get_by_role("button", disabled=False).count() == 0
    controls = page.locator("rule-builder").locator("input, select")
    assert controls.count() > 20
    assert page.locator("rule-builder").locator("input:enabled, select:enabled").count() == 0


def test_a_row_more_in_a_rule_of_120_conditions_is_there_at_once(studio: RunningStudio, open_page: OpenPage) -> None:
    rows = [GOLD, {**BOUGHT, "timeWindow": {"duration": 30, "unit": "day"}}, RICH, OPTED_IN]
    page = open_builder(open_page, studio, group(*(group(*(rows * 3)[:10], match="Or") for _ in range(12))))
    assert page.locator("rule-condition").count() == 120
    script = """async () => {
      const took = [];
      const button = [...document.querySelectorAll("button")].find(found => found.ariaLabel === "Add attribute to Rule set 6");
      for (let turn = 0; turn < 12; turn++) {
        const begin = performance.now();
        button.click();
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        took.push(performance.now() - begin);
        await new Promise(done => setTimeout(done, 30));
      }
      return took;
    }"""
    took = page.evaluate(script)
    assert page.locator("rule-condition").count() == 132
    assert min(took) <= 100, took


def test_what_opens_in_a_long_rule_is_not_cut_off_by_its_row(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(*[GOLD, RICH] * 20))
    assert page.locator(".rb-long").count() == 1
    page.get_by_role("button", name="Add attribute", exact=True).click()
    expect(page.locator("rule-condition")).to_have_count(41)
    choosing = page.get_by_role("combobox", name="Attribute").last
    expect(choosing).to_be_focused()
    page.keyboard.press("ArrowDown")
    third = page.get_by_role("listbox").get_by_role("option").nth(2)
    third.click(timeout=2_000)
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert attributes_of(page)[-1] != ""
    page.locator("summary[aria-label='More about condition 3']").click()
    page.get_by_role("button", name="Describe").click(timeout=2_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_a_rule_with_everything(studio: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_builder(open_page, studio, EVERYTHING, theme=theme)
    preview(page)
    page.locator("summary[aria-label='More about condition 2']").click()
    assert axe_violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Values of Loyalty tier").click()
    expect(page.get_by_role("listbox")).to_be_visible()
    assert axe_violations(page) == []


def test_a_part_can_be_given_over_to_yaml(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(GOLD, "country = 'US'"))
    page.get_by_role("button", name="Edit as YAML").click()
    assert json.loads(page.evaluate("JSON.stringify(window.changes)")) == [{"path": "rule.conditions[1]"}]


def test_a_long_rule_is_as_high_before_it_is_scrolled_through_as_afterwards(studio: RunningStudio, open_page: OpenPage) -> None:
    described = {**GOLD, "description": "Those who come often"}
    page = open_builder(open_page, studio, group(*[GOLD, BOUGHT, described, RICH] * 15))
    page.wait_for_function("""() => [...document.querySelectorAll("rule-condition")].every(row => row.style.containIntrinsicBlockSize)""")
    height = "document.querySelector('rule-builder').getBoundingClientRect().height"
    before = page.evaluate(height)
    page.add_style_tag(content="rule-condition { content-visibility: visible !important }")
    assert page.evaluate(height) == before
    page.set_viewport_size({"width": 900, "height": 700})
    narrow = page.evaluate(height)
    page.locator("style").last.evaluate("style => style.remove()")
    page.wait_for_function(f"{height} === {narrow}")


def test_what_is_added_has_the_cursor_and_what_is_removed_leaves_it_at_its_row(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group(BOUGHT))
    page.get_by_role("button", name="Add filter").press("Enter")
    expect(page.get_by_label("Column")).to_be_focused()
    page.keyboard.type("categ")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add filter").press("Enter")
    expect(page.get_by_label("Column").nth(1)).to_be_focused()
    page.get_by_role("button", name="Remove the filter on the new filter").press("Enter")
    page.get_by_role("button", name="Remove the filter on Category").press("Enter")
    expect(page.get_by_label("Move condition 1: Purchase")).to_be_focused()
    page.get_by_role("button", name="Add sequence").press("Enter")
    page.get_by_role("button", name="Add step").press("Enter")
    expect(page.get_by_label("Behavior of step 3")).to_be_focused()
    page.get_by_label("More about Rule").press("Enter")
    page.get_by_role("button", name="Only the first N of them").press("Enter")
    expect(page.get_by_label("How many")).to_be_focused()
    page.keyboard.type("5")
    page.get_by_role("button", name="By an order").press("Enter")
    expect(page.get_by_label("Ordered by")).to_be_focused()


def test_a_new_segment_or_behavior_begins_with_what_it_is_about(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    page.get_by_role("button", name="Add segment").press("Enter")
    page.keyboard.type("high")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add behavior").press("Enter")
    page.keyboard.type("purch")
    page.keyboard.press("Enter")
    assert rule_of(page)["conditions"] == [{"type": "include", "segment": "Value/High value"}, BOUGHT]


def test_a_click_into_a_number_leaves_it_as_it_is(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio, group({**BOUGHT, "operator": {"type": "GreaterEqual", "value": 3}}))
    number = page.get_by_label("Value of Purchase")
    box = number.bounding_box()
    assert box is not None
    for part in (0.3, 0.5, 0.7, 0.9):
        number.click(position={"x": box["width"] * part, "y": 8})
        number.click(position={"x": box["width"] * part, "y": 20})
    expect(number).to_have_value("3")
    number.press("ArrowUp")
    expect(number).to_have_value("4")


def test_a_text_to_compare_with_is_to_be_given(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    page.get_by_role("button", name="Add attribute").click()
    page.keyboard.type("loyalty")
    page.keyboard.press("Enter")
    assert [(issue["code"], issue["path"]) for issue in preview(page)["issues"]] == [
        ("MISSING_OPERATOR_VALUE", "rule.conditions[0].operator")
    ]
    value = page.get_by_role("combobox", name="Value of Loyalty tier")
    value.fill("x")
    value.fill("")
    value.press("Enter")
    assert preview(page)["count"] == 0
    expect(value).to_have_attribute("placeholder", "(empty)")


LINES = """() => [...document.querySelectorAll(".rb-row")].map(row => {
  const parts = [...row.querySelectorAll(".rb-line:first-child > *")].map(part => part.getBoundingClientRect());
  const tools = row.querySelector(".rb-end").getBoundingClientRect();
  return {
    lines: new Set(parts.map(box => Math.round((box.top + box.bottom) / 2))).size,
    covered: parts.filter(box => box.right > tools.left && box.top < tools.bottom - 3).length,
    out: parts.filter(box => box.right > tools.right).length,
  };
})"""


@pytest.mark.parametrize(("width", "most"), [(560, [2, 2, 1]), (360, [4, 5, 3])])
def test_rows_go_on_below_their_tools(studio: RunningStudio, open_page: OpenPage, width: int, most: list[int]) -> None:
    average = {**BOUGHT, "aggregation": {"type": "Average", "column": "amount"}, "timeWindow": {"duration": 90, "unit": "day"}}
    page = open_builder(open_page, studio, group({**BOUGHT, "timeWindow": {"duration": 90, "unit": "day"}}, average, GOLD))
    page.evaluate("width => (document.querySelector('rule-builder').style.width = `${width}px`)", width)
    expect(page.locator(".rb-row")).to_have_count(3)
    rows = page.evaluate(LINES)
    assert all(row["lines"] <= lines for row, lines in zip(rows, most, strict=True)), rows
    assert [(row["covered"], row["out"]) for row in rows] == [(0, 0)] * 3
