"""Rules as text over a small catalog."""

from __future__ import annotations

from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.ast import (
    Rule,
)
from kohort.rules.text import parse_rule

CATALOG = FieldCatalog(
    attributes=(
        Field("lifetime_value", "number", "float64"),
        Field("loyalty_tier", "string", "text"),
        Field("country", "string", "text"),
        Field("last_purchase_date", "timestamp", "timestamp"),
        Field("email_opt_in", "boolean", "boolean"),
        Field("visits", "number", "int64"),
    ),
    behaviors=(
        Behavior("purchase", (Field("amount", "number", "float64"), Field("category", "string", "text"))),
        Behavior("email_open", (Field("campaign_id", "string", "text"),)),
        Behavior("visits", ()),
    ),
)


def rule_of(text: str, catalog: FieldCatalog | None = None) -> Rule:
    rule, issues = parse_rule(text, catalog)
    assert not list(issues), [str(issue) for issue in issues]
    return rule
