"""`sg preview`, `sg overlap` and `ps values` as a person types them, and the charts they draw."""

from __future__ import annotations

import pytest

from kohort.cli.charts import bar, histogram, shade, sparkline
from tests.cli.workspaces import Desk, active, run, vips


def lines(text: str) -> list[list[str]]:
    """The words of every line that has any."""
    return [line.split() for line in text.splitlines() if line.strip()]


def test_a_typed_rule_is_counted_condition_by_condition(shop: Desk) -> None:
    shown = shop.ok("sg", "preview", "-e", "lifetime_value > 1000 and loyalty_tier = 'Gold'")
    assert f"{len(vips())} profiles (13.3% of 60 in All Customers)" in shown
    assert ["lifetime_value", ">", "1000", "36", "60.0%"] in [line[:5] for line in lines(shown)]
    assert ["loyalty_tier", "=", "'Gold'", "8", "-28"] in [line[:5] for line in lines(shown)]
    assert ["Value/VIP", "8", "100.0%", "100.0%", "1.00"] in lines(shown)
    document = shop.json("sg", "preview", "-e", "lifetime_value > 1000 and loyalty_tier = 'Gold'")
    assert document["count"] == len(vips())
    assert document["conditions"]["rule.conditions[0]"]["count"] == 36
    assert document["as_of"] == "2024-03-01T00:00:00Z"
    assert document["sample"]["columns"][:3] == ["cdp_customer_id", "lifetime_value", "loyalty_tier"]
    assert len(document["sample"]["rows"]) == 5


@pytest.mark.parametrize("rule", ["(lifetime_value > 1000 and loyalty_tier = 'Gold') limit 3", "all(lifetime_value > 1000) limit 3"])
def test_a_limit_of_the_whole_is_the_last_step(shop: Desk, rule: str) -> None:
    shown = lines(shop.ok("sg", "preview", "-e", rule))
    before = 8 if "Gold" in rule else 36
    assert ["limit", "3", "3", str(3 - before)] in [line[:4] for line in shown]


def test_a_file_shows_what_saving_it_would_change(desk: Desk) -> None:
    path = desk.segment("Lifecycle/active.yml", "name: Active\nrule: purchase in last 60 days\n")
    document = desk.json("sg", "preview", str(path))
    saved = document["saved"]
    assert (saved["segment"], saved["before"], saved["left"]) == ("Lifecycle/Active", len(active()), 0)
    assert saved["entered"] == document["count"] - len(active()) > 0
    assert {changed["segment"] for changed in saved["dependents"]} >= {
        "Lifecycle/Lapsing",
        "Lifecycle/Deep/Active VIP",
        "Experiments/Offer",
    }
    shown = desk.ok("sg", "preview", str(path))
    assert "needs it: Lifecycle/Lapsing" in shown
    same = desk.ok("sg", "preview", "-e", "purchase in last 30 days", "--against", "Active")
    assert "It means the same as version 1 of Lifecycle/Active." in same


def test_mistakes_are_told_beside_what_can_be_counted(desk: Desk) -> None:
    path = desk.segment(
        "new.yml", "name: New\nrule:\n  type: And\n  conditions:\n    - {type: Value, attribute: countr, operator: {type: IsNull}}\n"
    )
    ran = desk.run("sg", "preview", str(path))
    assert ran.code == 1
    assert "cannot be counted" in ran.out
    assert "segments/all-customers/new.yml:5" in ran.err
    assert 'did you mean "country"?' in ran.err
    document = desk.run("sg", "preview", "-e", "countr is null and purchase", "--json").json
    assert document["count"] is None
    assert document["conditions"]["rule.conditions[1]"]["count"] == 48
    assert document["issues"][0]["path"] == "rule.conditions[0].attribute"
    assert desk.refused("sg", "preview", code=2)
    assert "SEGMENT_NOT_FOUND" in desk.refused("sg", "preview", "Nowhere")
    assert "there is no file" in desk.refused("sg", "preview", "nowhere.yml")


def test_overlap_as_a_matrix_and_as_numbers(shop: Desk) -> None:
    document = shop.json("sg", "overlap", "VIP", "Active")
    both = len(set(vips()) & set(active()))
    assert document["shared"] == [[len(vips()), both], [both, len(active())]]
    assert document["pairs"][0]["jaccard"] == both / (len(vips()) + len(active()) - both)
    assert document["source"] == "snapshot"
    shown = shop.ok("sg", "overlap")
    assert "100%" in shown
    assert "Lifecycle/Deep/Active VIP" in shown


def test_values_of_one_field_and_of_all(desk: Desk) -> None:
    document = desk.json("ps", "values", "loyalty_tier", "--prefix", "g")
    assert [value["value"] for value in document["values"]] == ["Gold"]
    assert (document["nulls"], document["distinct"]) == (15, 3)
    shown = desk.ok("ps", "values", "purchase.amount", "--limit", "2")
    assert "120 events" in shown
    assert " .. " in shown
    assert {"lifetime_value", "purchase.timestamp"} <= {line[0] for line in lines(desk.ok("ps", "values"))}
    assert "UNKNOWN_FIELD" in desk.refused("ps", "values", "lifetime_valu")


def test_charts() -> None:
    assert sparkline([0, 1, None, 7]) == "▁▂ █"
    assert sparkline([]) == ""
    assert sparkline([None, None]) == "  "
    assert sparkline([3, 4], low=0) == "▆█"
    assert [bar(value, 4, 2) for value in (0, 1, 4, 9)] == ["  ", "▌ ", "██", "██"]
    assert bar(1, 0, 3) == "   "
    assert [shade(share) for share in (0.0, 0.001, 0.3, 0.6, 1.0)] == ["  ", "░░", "▒▒", "▓▓", "██"]
    assert histogram([0, 10, 20], [3, 1], 3) == [" 0 .. 10  ███  3", "10 .. 20  █    1"]
    assert histogram([], []) == []


@pytest.mark.parametrize("group", ["sg", "ps", "index", "profile", "tables"])
def test_short_help_is_whole_on_a_small_terminal(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = run(group, "--help").out
    assert [line for line in text.splitlines() if line.endswith("...") and "[ARGS]" not in line] == []
