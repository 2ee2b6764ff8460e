from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.rules.logic import LogicAnd, LogicItem, LogicOr, items, parse_logic

A, B, C = LogicItem(0), LogicItem(1), LogicItem(2)


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        ("(A and B) or C", LogicOr((LogicAnd((A, B)), C))),
        ("1 and (2 or 3)", LogicAnd((A, LogicOr((B, C))))),
        ("A or B and C", LogicOr((A, LogicAnd((B, C))))),
        ("A and B and C", LogicAnd((A, B, C))),
        ("  ((A)and(B))  or A and C", LogicOr((LogicAnd((A, B)), LogicAnd((A, C))))),
    ],
)
def test_reads_expressions(expr: str, tree: object) -> None:
    node, issues = parse_logic(expr, 3)
    assert (node, issues.codes()) == (tree, [])


@pytest.mark.parametrize(
    ("expr", "count", "codes", "words"),
    [
        ("", 1, ["INVALID_EXPR"], "empty"),
        ("A B", 2, ["INVALID_EXPR"], 'operator is missing before "B"'),
        ("A and", 1, ["INVALID_EXPR"], "condition is missing at the end"),
        ("and A", 1, ["INVALID_EXPR"], 'condition is missing before "and"'),
        ("(A or B", 2, ["INVALID_EXPR"], '")" is missing'),
        ("A or B)", 2, ["INVALID_EXPR"], "nothing is open"),
        ("A and (B or)", 2, ["INVALID_EXPR"], "a condition is missing"),
        ("A AND B", 2, ["INVALID_EXPR"], "is not an operator"),
        ("(A and B) or not C", 3, ["INVALID_EXPR"], '"not" is no part of an expression'),
        ("A or NOT (B)", 2, ["INVALID_EXPR"], '"not" is no part'),
        ("A and 2", 2, ["INVALID_EXPR"], "mixed"),
        ("A and b", 2, ["EXPR_UNKNOWN_IDENTIFIER"], '"b"'),
        ("A and D and B", 3, ["EXPR_UNKNOWN_IDENTIFIER", "EXPR_UNREFERENCED_CONDITION"], '"D"'),
        ("A", 3, ["EXPR_UNREFERENCED_CONDITION"] * 2, "B is never used"),
        ("1 or 0", 1, ["EXPR_UNKNOWN_IDENTIFIER"], '"0"'),
        ("(" * 60 + "A" + ")" * 60, 1, ["INVALID_EXPR"], "nested deeper"),
    ],
)
def test_says_what_is_wrong(expr: str, count: int, codes: list[str], words: str) -> None:
    node, issues = parse_logic(expr, count)
    assert node is None
    assert sorted(set(issues.codes())) == sorted(set(codes))
    assert words in issues.items[0].message


def test_names_reach_to_nine_or_to_z() -> None:
    assert parse_logic(" or ".join("123456789"), 9)[1].ok
    assert parse_logic(" or ".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 26)[1].ok
    assert parse_logic(" or ".join("123456789"), 10)[1].codes() == ["EXPR_TOO_MANY_CONDITIONS"]
    assert parse_logic("A", 27)[1].codes() == ["EXPR_TOO_MANY_CONDITIONS"]


@given(st.text(st.sampled_from("AB12()andor \n\x00é"), max_size=30), st.integers(0, 30))
def test_never_crashes_and_names_everything(expr: str, count: int) -> None:
    node, issues = parse_logic(expr, count)
    assert (node is None) == bool(issues.errors)
    if node is not None:
        assert set(items(node)) == set(range(count))
