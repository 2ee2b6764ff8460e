"""The operators of the rule language: one row each, for codecs, checks, sentences and docs.

A row says what people call the operator, which keys it takes in files, what stands on its right and which field types it
may test. The file names NotEqual and NotIn are rows of their own; in the tree they are Equal and In, negated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from kohort.parent.definition import FieldType
from kohort.rules.ast import Operator

OperandKind = Literal["one", "bounds", "list", "texts", "pattern", "none", "amount", "range", "calendar", "next_range"]
"""What an operator compares with. one: one value (a scalar, {timestamp}, {last, unit} or {next, unit}); bounds: such a value
at one end or both; list: scalars; texts: texts; pattern: one text; none: nothing; amount: a whole number and a unit;
range: a start and a duration; calendar: a unit; next_range: two distances into the future."""

NullRule = Literal["no_match", "matches_null"]
"""no_match: null never passes, negated or not. matches_null: the operator is the test for null itself."""

FileForm = Literal["both", "json"]
"""both: an operator of YAML and JSON files; json: born in JSON (or here), accepted and written in both."""


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator. `key` is its name in files; `negates` names the operator it is the negation of ("" for most).

    yaml_keys, json_keys: the keys beside type and not. element: may also test the elements of an array.
    """

    key: str
    label: str
    negated_label: str
    operand: OperandKind
    yaml_keys: tuple[str, ...]
    json_keys: tuple[str, ...]
    types: frozenset[FieldType]
    null_rule: NullRule = "no_match"
    element: bool = False
    negates: str = ""
    form: FileForm = "both"


def _types(*names: FieldType) -> frozenset[FieldType]:
    return frozenset(names)


ALL_TYPES: frozenset[FieldType] = frozenset(get_args(FieldType))
ARRAYS = _types("string_array", "number_array")
TIMES = _types("timestamp", "date")
_ORDERED = _types("string", "number", "number_array") | TIMES
_LISTED = _types("string", "number") | ARRAYS | TIMES
_TEXTS = _types("string", "string_array")

_ROWS = (
    OperatorRow("Equal", "is", "is not", "one", ("value",), ("rightValue",), ALL_TYPES, element=True),
    OperatorRow("NotEqual", "is not", "is", "one", ("value",), ("rightValue",), ALL_TYPES, element=True, negates="Equal"),
    OperatorRow("Greater", "is greater than", "is not greater than", "one", ("value",), ("rightValue",), _ORDERED, element=True),
    OperatorRow("GreaterEqual", "is at least", "is not at least", "one", ("value",), ("rightValue",), _ORDERED, element=True),
    OperatorRow("Less", "is less than", "is not less than", "one", ("value",), ("rightValue",), _ORDERED, element=True),
    OperatorRow("LessEqual", "is at most", "is not at most", "one", ("value",), ("rightValue",), _ORDERED, element=True),
    OperatorRow("Between", "is between", "is not between", "bounds", ("min", "max"), ("minValue", "maxValue"), _ORDERED, element=True),
    OperatorRow("In", "is one of", "is none of", "list", ("value",), ("rightValues",), _LISTED, element=True),
    OperatorRow("NotIn", "is none of", "is one of", "list", ("value",), ("rightValues",), _LISTED, element=True, negates="In"),
    OperatorRow("Contain", "contains", "does not contain", "texts", ("value",), ("rightValues",), _TEXTS, element=True),
    OperatorRow("StartWith", "starts with", "does not start with", "texts", ("value",), ("rightValues",), _TEXTS, element=True),
    OperatorRow("EndWith", "ends with", "does not end with", "texts", ("value",), ("rightValues",), _TEXTS, element=True),
    OperatorRow("Regexp", "matches", "does not match", "pattern", ("value",), ("rightValue",), _types("string")),
    OperatorRow("IsNull", "has no value", "has a value", "none", (), (), ALL_TYPES, null_rule="matches_null"),
    OperatorRow("TimeWithinPast", "is within the past", "is not within the past", "amount", ("value", "unit"), ("value", "unit"), TIMES),
    OperatorRow("TimeWithinNext", "is within the next", "is not within the next", "amount", ("value", "unit"), ("value", "unit"), TIMES),
    OperatorRow(
        "TimeRange",
        "is in the time",
        "is not in the time",
        "range",
        ("duration", "from", "reverse"),
        ("duration", "from", "reverse"),
        TIMES,
    ),
    OperatorRow("TimeToday", "is today", "is not today", "none", (), (), TIMES),
    OperatorRow("TimeTodayAndBeyond", "is today or later", "is before today", "none", (), (), TIMES, form="json"),
    OperatorRow("TimeThis", "is this", "is not this", "calendar", ("from",), ("from",), TIMES, form="json"),
    OperatorRow("TimeLast", "is last", "is not last", "calendar", ("from",), ("from",), TIMES, form="json"),
    OperatorRow("TimeNext", "is next", "is not next", "calendar", ("from",), ("from",), TIMES, form="json"),
    OperatorRow(
        "TimeInBetweenNext",
        "is between the next",
        "is not between the next",
        "next_range",
        ("from", "to"),
        ("from", "to"),
        TIMES,
        form="json",
    ),
)

OPERATORS: Mapping[str, OperatorRow] = {row.key: row for row in _ROWS}
"""Every operator name that a file may use, in the order of the documentation."""

YAML_OPERATORS: tuple[str, ...] = tuple(row.key for row in _ROWS if row.form == "both")
"""The operators of YAML files elsewhere; the others are accepted and written here as well."""


def row_of(operator: Operator) -> OperatorRow:
    """The row of an operator of the tree (its negation aside).

    >>> from kohort.rules.ast import IsNull
    >>> row_of(IsNull(negated=True)).negated_label
    'has a value'
    """
    return OPERATORS[operator.key]


def operators_for(field_type: FieldType) -> tuple[OperatorRow, ...]:
    """The operators that may test a field of this type; on arrays, its elements (IsNull: the array itself)."""
    return tuple(row for row in _ROWS if field_type in row.types)
