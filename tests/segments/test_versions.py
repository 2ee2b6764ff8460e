"""What makes a new version of a segment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kohort.rules.ast import AttributeCondition, Comparison, Group, ReferenceCondition
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.segments.rewriting import named_targets, with_targets
from kohort.segments.versions import segment_fingerprint

RULE = Group("all", (AttributeCondition("age", Comparison("Greater", 30)), ReferenceCondition("A/VIP")))
TEST = ABTest((Variant("A", 50), Variant("B", 25)), control=25)
SEGMENT = Segment("S", "F", RULE, base="Top", ab_test=TEST)


@pytest.mark.parametrize(
    "other",
    [
        replace(SEGMENT, folder="G"),
        replace(SEGMENT, description="d", visible=False),
        replace(SEGMENT, rule=replace(RULE, description="d")),
        replace(SEGMENT, rule=replace(RULE, conditions=RULE.conditions[::-1])),
        replace(SEGMENT, ab_test=replace(TEST, test_id="S")),
        replace(SEGMENT, ab_test=replace(TEST, variants=(Variant("A", 50.0), Variant("B", 2.5e1)))),
        replace(SEGMENT, name="T", ab_test=replace(TEST, test_id="S")),
    ],
)
def test_words_keep_the_fingerprint(other: Segment) -> None:
    assert segment_fingerprint(other) == segment_fingerprint(SEGMENT)


@pytest.mark.parametrize(
    "other",
    [
        replace(SEGMENT, rule=Group("any", RULE.conditions)),
        replace(SEGMENT, base=""),
        replace(SEGMENT, kind="realtime"),
        replace(SEGMENT, ab_test=None),
        replace(SEGMENT, name="T"),
        replace(SEGMENT, ab_test=replace(TEST, variants=TEST.variants[::-1])),
        replace(SEGMENT, ab_test=replace(TEST, variants=(Variant("A", 50), Variant("C", 25)))),
        replace(SEGMENT, ab_test=replace(TEST, control=20)),
        replace(SEGMENT, ab_test=replace(TEST, control_name="Rest")),
        replace(SEGMENT, ab_test=replace(TEST, key_column="email")),
    ],
)
def test_meaning_changes_it(other: Segment) -> None:
    assert segment_fingerprint(other) != segment_fingerprint(SEGMENT)


def test_the_name_counts_only_for_a_test_without_an_id() -> None:
    plain = replace(SEGMENT, ab_test=None)
    assert segment_fingerprint(plain) == segment_fingerprint(replace(plain, name="T"))


def test_targets_are_found_and_changed_everywhere() -> None:
    inner = Group("any", (ReferenceCondition("C/Test/A-Test", "AbTestVariant"), ReferenceCondition("7", "PredictiveScore")))
    segment = replace(SEGMENT, rule=Group("all", (*RULE.conditions, inner)))
    assert list(named_targets(segment)) == ["Top", "A/VIP", "C/Test/A-Test"]
    changed = with_targets(segment, lambda target: target.replace("A/VIP", "B/VIP").replace("Top", "All"))
    assert list(named_targets(changed)) == ["All", "B/VIP", "C/Test/A-Test"]
    assert with_targets(segment, lambda target: target) is segment
