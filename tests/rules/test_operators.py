"""The operator table agrees with the tree, and with itself."""

from typing import get_args

from kohort.rules import ast
from kohort.rules.ast import Operator
from kohort.rules.decode.operators import _READERS
from kohort.rules.operators import OPERATORS, YAML_OPERATORS, OperandKind, operators_for, row_of


def _tree_keys() -> set[str]:
    keys: set[str] = {"Equal", "Greater", "GreaterEqual", "Less", "LessEqual"}
    keys |= set(get_args(ast.TextMatchKey)) | set(get_args(ast.TimeWithinKey))
    keys |= {"Between", "In", "Regexp", "IsNull", "TimeRange", "TimeToday", "TimeTodayAndBeyond"}
    return keys | {"TimeThis", "TimeLast", "TimeNext", "TimeInBetweenNext"}


def test_every_operator_of_the_tree_has_one_row() -> None:
    assert {key for key, row in OPERATORS.items() if not row.negates} == _tree_keys()
    assert set(get_args(ast.ComparisonKey)) <= _tree_keys()


def test_the_eighteen_operators_of_yaml_files() -> None:
    assert len(YAML_OPERATORS) == 18
    assert {key for key in OPERATORS if key not in YAML_OPERATORS} == {
        "TimeTodayAndBeyond",
        "TimeThis",
        "TimeLast",
        "TimeNext",
        "TimeInBetweenNext",
    }


def test_negations_are_those_of_an_operator_with_the_same_types() -> None:
    pairs = {key: row.negates for key, row in OPERATORS.items() if row.negates}
    assert pairs == {"NotEqual": "Equal", "NotIn": "In"}
    for key, positive in pairs.items():
        assert OPERATORS[key].types == OPERATORS[positive].types
        assert (OPERATORS[key].label, OPERATORS[key].negated_label) == (OPERATORS[positive].negated_label, OPERATORS[positive].label)


def test_only_the_test_for_null_matches_null() -> None:
    assert [key for key, row in OPERATORS.items() if row.null_rule == "matches_null"] == ["IsNull"]


def test_types() -> None:
    by_type = {kind: {row.key for row in operators_for(kind)} for kind in ("string", "number", "boolean", "timestamp", "string_array")}
    assert by_type["boolean"] == {"Equal", "NotEqual", "IsNull"}
    assert {"Regexp", "Contain", "In"} <= by_type["string"]
    assert not {"Regexp", "Contain", "TimeToday"} & by_type["number"]
    assert {"TimeThis", "TimeWithinPast", "Between"} <= by_type["timestamp"]
    assert by_type["string_array"] == {"Equal", "NotEqual", "In", "NotIn", "Contain", "StartWith", "EndWith", "IsNull"}


def test_operators_on_arrays_are_element_operators() -> None:
    for row in OPERATORS.values():
        if {"string_array", "number_array"} & row.types and row.key != "IsNull":
            assert row.element, row.key


def test_every_kind_of_operand_has_a_reader() -> None:
    assert set(_READERS) == set(get_args(OperandKind)) == {row.operand for row in OPERATORS.values()}


def test_the_row_of_an_operator() -> None:
    examples: list[Operator] = [ast.IsNull(), ast.TimeToday("TimeTodayAndBeyond"), ast.Comparison("Equal", 1, negated=True)]
    assert [row_of(operator).key for operator in examples] == ["IsNull", "TimeTodayAndBeyond", "Equal"]
