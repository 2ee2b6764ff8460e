"""The two-level form says the same as the rule it came from."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.foundation.fingerprints import fingerprint
from kohort.rules.ast import AttributeCondition, Condition, Extras, Group, IsNull, Limit, Rule
from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, parse_logic
from kohort.rules.rulesets import to_rule_sets
from kohort.testing.trees import rules


def leaf(name: str, exclude: bool = False) -> AttributeCondition:
    return AttributeCondition(name, IsNull(), exclude=exclude)


A, B, C, D, E = (leaf(name) for name in "abcde")


def test_a_flat_rule_is_one_rule_set() -> None:
    assert to_rule_sets(Group("all", (A, B))) == Group("all", (Group("all", (A, B)),))
    assert to_rule_sets(Group("any", (A, B), description="d")) == Group("all", (Group("any", (A, B), description="d"),))
    assert to_rule_sets(Group("expr", (A, B), "A or B")) == Group("all", (Group("expr", (A, B), "A or B"),))
    limit = Limit("Count", 5)
    found = to_rule_sets(Group("any", (A,), exclude=True, limit=limit))
    assert found == Group("all", (Group("any", (A,)),), exclude=True, limit=limit)


def test_everybody_stays() -> None:
    assert to_rule_sets(Group("all", ())) == Group("all", ())


def test_conditions_beside_groups_get_a_rule_set() -> None:
    assert to_rule_sets(Group("all", (A, Group("any", (B, C)), D))) == Group("all", (Group("all", (A, D)), Group("any", (B, C))))
    assert to_rule_sets(Group("any", (Group("all", (A, B)), C))) == Group("any", (Group("all", (A, B)), Group("any", (C,))))
    assert to_rule_sets(Group("all", (A, Group("any", (B,)), A))) == Group("all", (Group("all", (A, A)), Group("any", (B,))))


def test_deeper_groups_become_advanced_logic() -> None:
    rule = Group("all", (Group("any", (A, Group("all", (B, C), description="both"), D), description="one"),))
    assert to_rule_sets(rule) == Group("all", (Group("expr", (A, B, C, D), "A or (B and C) or D", description="one / both"),))
    same = Group("all", (Group("any", (A, Group("any", (B, C)))), Group("all", (Group("any", (D,)), E))))
    assert to_rule_sets(same) == Group("all", (Group("any", (A, B, C)), Group("all", (D, E))))
    inner = Group("all", (Group("expr", (A, Group("any", (B, C))), "1 and 2"),))
    assert to_rule_sets(inner) == Group("all", (Group("expr", (A, B, C), "A and (B or C)"),))


def test_advanced_logic_over_groups_uses_digits() -> None:
    rule = Group("expr", (A, Group("any", (B, C)), D), "(A or B) and C")
    expected = Group("expr", (Group("all", (A,)), Group("any", (B, C)), Group("all", (D,))), "(1 or 2) and 3")
    assert to_rule_sets(rule) == expected
    many = tuple(leaf(f"n{index}") for index in range(10))
    rule = Group("expr", (*many, Group("any", (A, B))), "A or B or C or D or E or F or G or H or I or J and K")
    letters = "A or B or C or D or E or F or G or H or I or J and (K or L)"
    assert to_rule_sets(rule) == Group("all", (Group("expr", (*many, A, B), letters),))


def test_what_cannot_be_said_stays_nested() -> None:
    for inner in (
        Group("all", (B, C), limit=Limit("Count", 5)),
        Group("all", (B, C), exclude=True),
        Group("all", (B, C), extras=Extras.of({"x": 1})),
        Group("any", ()),
        Group("all", tuple(leaf(f"n{index}") for index in range(26))),
    ):
        rule = Group("all", (Group("any", (A, inner)),))
        assert to_rule_sets(rule) == rule


def holds(condition: Condition, truth: int) -> bool:
    """The rule under an arbitrary but fixed world: each leaf true or false by its content, limits ignored."""
    if not isinstance(condition, Group):
        return int(fingerprint(repr(replace(condition, exclude=False)) + str(truth)), 16) % 2 == 1 - condition.exclude
    parts = [holds(part, truth) for part in condition.conditions]
    if condition.match == "expr":
        tree, issues = parse_logic(condition.expr, len(parts))
        assert tree is not None, issues.items
        found = _logic(tree, parts)
    else:
        found = all(parts) if condition.match == "all" else any(parts)
    return found != condition.exclude


def _logic(tree: LogicNode, parts: list[bool]) -> bool:
    if isinstance(tree, LogicItem):
        return parts[tree.index]
    found = [_logic(part, parts) for part in tree.parts]
    return all(found) if isinstance(tree, LogicAnd) else any(found)


def plain(condition: Condition) -> Condition:
    """Without limits and extras, which keep groups from being folded."""
    bare = replace(condition, limit=None, extras=Extras())
    return replace(bare, conditions=tuple(plain(part) for part in bare.conditions)) if isinstance(bare, Group) else bare


@settings(max_examples=80, deadline=None)
@given(rules(10), st.booleans(), st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_the_meaning_stays_and_a_second_time_changes_nothing(rule: Rule, stripped: bool, worlds: list[int]) -> None:
    start = plain(rule) if stripped else rule
    assert isinstance(start, Group)
    found = to_rule_sets(start)
    assert [holds(found, world) for world in worlds] == [holds(start, world) for world in worlds]
    assert to_rule_sets(found) == found
    assert (found.exclude, found.limit, found.extras) == (start.exclude, start.limit, start.extras)
    if start.conditions:
        assert all(isinstance(part, Group) for part in found.conditions)
