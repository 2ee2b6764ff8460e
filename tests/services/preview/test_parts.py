"""A preview binds every condition once and puts groups together from their conditions: the counts are those of whole rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings

from kohort.documents.yaml import write_yaml
from kohort.foundation.issues import path_text
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import AttributeCondition, Comparison, Group, Rule
from kohort.rules.encode import rule_to_yaml
from kohort.rules.known import KnownConditions
from kohort.services.evaluation.evaluate import bind_segment, count_expr
from kohort.services.preview.drafts import draft_of_rule, draft_of_text
from kohort.services.preview.parts import parts_of
from kohort.services.preview.preview import preview
from kohort.services.preview.rule_yaml import rule_yaml
from kohort.testing.trees import rules
from tests.services.preview.test_preview import Shop, make

NOWHERE = FieldCatalog((), ())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = make(tmp_path_factory.mktemp("parts") / "work")
    yield shop
    shop.kohort.close()


@pytest.mark.parametrize(
    "text",
    [
        "tier = 'Gold' and not (points > 15 or buy count >= 2)",
        "not (tier = 'Gold' and not (points > 15 or not points < 50))",
        "not (not tier = 'Gold') or not buy",
        "top 2 by points of (tier is not null and points > 5)",
        "not (top 2 by points of (tier is not null or buy))",
        "(top 1 by points desc of tier = 'Gold') or (top 50 percent of buy)",
        "top 1 of (buy sum(amount) > 10 or in segment 'Gold')",
        "in segment 'Best' or not in segment 'Nobody' and points is null",
        "everybody and not (tier != 'Gold')",
    ],
)
@pytest.mark.parametrize("base", ["", "Buyers", "Gold Buyers"])
def test_every_part_is_counted_as_the_same_rule_alone_would_be(shop: Shop, text: str, base: str) -> None:
    engine = shop.engine
    rule = draft_of_text(text, engine.catalog).segment.rule
    _is_counted_like_alone(shop, rule, base)


@pytest.mark.parametrize("exclude", [False, True])
def test_expressions_take_their_conditions_by_letter(shop: Shop, exclude: bool) -> None:
    parts = tuple(draft_of_text(text, shop.engine.catalog).segment.rule.conditions[0] for text in ("buy", "points > 15", "tier = 'Gold'"))
    _is_counted_like_alone(shop, Group("expr", parts, "A and (B or C)", exclude), "")


def _is_counted_like_alone(shop: Shop, rule: Rule, base: str) -> None:
    engine = shop.engine
    draft = draft_of_rule(rule, base=base)
    found = preview(engine, shop.kohort.store, draft)
    assert found.issues.ok, list(map(str, found.issues))
    alone = {
        path_text(path): count_expr(engine, bind_segment(engine, replace(draft.segment, rule=_whole(part)))).count
        for path, part in parts_of(rule)
    }
    assert {node.path: node.count for node in found.nodes} == alone


def _whole(part: object) -> Rule:
    return part if isinstance(part, Group) else Group("all", (part,))  # type: ignore[arg-type]


def test_conditions_that_differ_in_the_type_of_a_number_are_different() -> None:
    one, other = (AttributeCondition("points", Comparison("Greater", value)) for value in (1, 1.0))
    known = KnownConditions(NOWHERE)
    assert known.of(one) is known.of(replace(one)) is not known.of(other)


def test_what_is_known_is_bounded() -> None:
    known = KnownConditions(NOWHERE, most=3)
    first = known.of(AttributeCondition("points", Comparison("Greater", 0)))
    assert first.fact("a", lambda: 1) == first.fact("a", lambda: 2) == 1
    for value in range(1, 9):
        known.of(AttributeCondition("points", Comparison("Greater", value)))
    assert known.of(AttributeCondition("points", Comparison("Greater", 0))) is not first


@given(rule=rules())
@settings(deadline=None)
def test_yaml_put_together_is_yaml_written_at_once(rule: Rule) -> None:
    known = KnownConditions(NOWHERE)
    assert rule_yaml(rule, known) == write_yaml(rule_to_yaml(rule))
    assert rule_yaml(rule, known) == write_yaml(rule_to_yaml(rule))


def test_long_lines_break_where_they_would() -> None:
    long = AttributeCondition("points", Comparison("Equal", "word " * 60), description="conditions: [] and " * 20)
    rule = Group("all", (Group("any", (long, Group("all", (long,), description="x\nconditions: []\n"))), long), description="a " * 100)
    assert rule_yaml(rule, KnownConditions(NOWHERE)) == write_yaml(rule_to_yaml(rule))
