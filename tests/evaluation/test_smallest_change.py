"""The fewest conditions to turn, and how far a number is from a threshold."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from kohort.evaluation.observed import Missing, exact, missing_to
from kohort.evaluation.smallest_change import Atom, Combined, Formula, _irreducible, holds, joined, smallest_change
from kohort.rules.ast import Between, Comparison, Operator

A, B, C = Atom("a"), Atom("b"), Atom("c")


def every(*parts: Formula) -> Combined:
    return Combined(parts, joined("all", parts))


def some(*parts: Formula) -> Combined:
    return Combined(parts, joined("any", parts))


def no(part: Formula) -> Combined:
    return Combined((part,), joined("all", (part,)), True)


@pytest.mark.parametrize(
    ("formula", "truths", "change"),
    [
        (every(A, B), {"a": True, "b": False}, ("b",)),
        (every(A, B), {"a": False, "b": False}, ("a", "b")),
        (every(A, B), {"a": True, "b": True}, ("a",)),
        (some(A, B), {"a": False, "b": False}, ("a",)),
        (some(A, B), {"a": True, "b": True}, ("a", "b")),
        (some(every(A, B), C), {"a": False, "b": False, "c": False}, ("c",)),
        (every(A, no(B)), {"a": True, "b": True}, ("b",)),
        (some(every(A, B), every(A, C)), {"a": False, "b": True, "c": True}, ("a",)),
        (every(), {}, None),
        (every(A, no(A)), {"a": True}, None),
    ],
)
def test_the_fewest_conditions(formula: Formula, truths: dict[str, bool], change: tuple[str, ...] | None) -> None:
    assert smallest_change(formula, truths) == change


def test_what_cannot_turn_is_left_alone() -> None:
    assert smallest_change(some(A, B), {"a": False, "b": False}, frozenset({"a"})) == ("b",)
    assert smallest_change(every(A, B), {"a": False, "b": True}, frozenset({"a"})) is None


def random_formula(random: Random, keys: list[str], depth: int = 3) -> Formula:
    if depth == 0 or random.random() < 0.3:
        return Atom(random.choice(keys))
    parts = [random_formula(random, keys, depth - 1) for _ in range(random.randint(1, 3))]
    return Combined(tuple(parts), joined(random.choice(["all", "any"]), parts), random.random() < 0.2)


@pytest.mark.parametrize("seed", range(60))
def test_turning_them_turns_the_verdict(seed: int) -> None:
    random = Random(seed)
    keys = list("abcdef")
    formula = random_formula(random, keys)
    truths = {key: random.random() < 0.5 for key in keys}
    now = holds(formula, truths)
    best = smallest_change(formula, truths)
    quick = _irreducible(formula, truths, keys)
    for change in (best, quick):
        if change is not None:
            assert holds(formula, {**truths, **{key: not truths[key] for key in change}}) != now
    if best is None:
        assert quick is None
    elif quick is not None:
        assert len(best) <= len(quick)


@pytest.mark.parametrize(
    ("operator", "value", "whole", "want", "missing"),
    [
        (Comparison("GreaterEqual", 100), "87.5", False, True, Missing("more", Decimal("12.5"))),
        (Comparison("Greater", 100), "100", False, True, Missing("more", Decimal(0), True)),
        (Comparison("Greater", 3), "3", True, True, Missing("more", Decimal(1))),
        (Comparison("GreaterEqual", 3), "1", True, True, Missing("more", Decimal(2))),
        (Comparison("GreaterEqual", 3), "5", True, False, Missing("less", Decimal(3))),
        (Comparison("Less", 10), "10", True, True, Missing("less", Decimal(1))),
        (Comparison("LessEqual", 10), "4", False, False, Missing("more", Decimal(6), True)),
        (Comparison("GreaterEqual", 2.5), "1", True, True, Missing("more", Decimal(2))),
        (Comparison("GreaterEqual", 3, negated=True), "5", True, True, Missing("less", Decimal(3))),
        (Comparison("Equal", 3), "5", True, True, Missing("less", Decimal(2))),
        (Comparison("Equal", 3), "3", True, False, None),
        (Comparison("GreaterEqual", 3), "5", True, True, None),
        (Between(2, 4), "7", True, True, Missing("less", Decimal(3))),
        (Between(2, None), "1.5", False, True, Missing("more", Decimal("0.5"))),
    ],
)
def test_how_much_is_missing(operator: Operator, value: str, whole: bool, want: bool, missing: Missing | None) -> None:
    assert missing_to(operator, Fraction(value), whole, want) == missing


def test_exact_decimals() -> None:
    assert [str(exact(Fraction(text))) for text in ("12.50", "100", "1/3", "-1/8", "1e30")] == [
        "12.5",
        "100",
        "0.333333",
        "-0.125",
        "1" + "0" * 30,
    ]
