"""What can be read of a rule is checked even where other parts of it cannot be read."""

from __future__ import annotations

from typing import Any

from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.check_parts import check_parts

CATALOG = FieldCatalog((Field("ltv", "number", "float64"),), (Behavior("buy", (Field("amount", "number", "float64"),)),))


def found(condition: dict[str, Any]) -> list[tuple[str, tuple[str | int, ...]]]:
    issues = check_parts({"type": "And", "conditions": [condition]}, CATALOG, ("rule",))
    return [(issue.code, issue.path) for issue in issues]


def test_a_name_is_checked_beside_an_operator_that_cannot_be_read() -> None:
    plural = {"type": "TimeWithinPast", "value": 30, "unit": "days"}
    assert found({"type": "Value", "attribute": "lvt", "operator": plural}) == [
        ("UNKNOWN_ATTRIBUTE", ("rule", "conditions", 0, "attribute")),
    ]
    assert found({"type": "Value", "attribute": "ltv", "operator": plural}) == []


def test_a_value_is_checked_beside_a_missing_filter() -> None:
    condition = {"type": "Value", "attribute": "", "source": "behavior_buy", "aggregation": {"type": "Count"}}
    assert found({**condition, "operator": {"type": "Greater", "value": "x"}}) == [
        ("INVALID_VALUE", ("rule", "conditions", 0, "operator", "value")),
    ]
    assert found({**condition, "operator": {"type": "Greater", "value": 1}}) == []


def test_what_holds_no_condition_is_left_to_the_reader() -> None:
    assert found({"type": "Behavior", "source": "behavior_buy"}) == []
    assert len(check_parts(None, CATALOG)) == 0
