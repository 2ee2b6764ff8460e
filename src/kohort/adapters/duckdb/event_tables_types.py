"""Which type a column of a source's table has, and how it gives way to values that do not fit: nothing that arrived is cut or dropped.

BOOLEAN, BIGINT, DOUBLE and VARCHAR hold what JSON has. The type is a function of all values seen, whatever their order: whole numbers
stay BIGINT, become DOUBLE when fractions come and every whole number is exact there (up to 2^53), and anything else becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from kohort.events.columns import INSTANTS

BOOLEAN, INTEGER, LONG, HUGE, FLOAT, TEXT, OTHER, INSTANT = 1, 2, 4, 8, 16, 32, 64, 128
"""What a column holds, as flags. LONG: whole numbers beyond 2^53, which a DOUBLE does not hold exactly; HUGE: beyond 64 bits."""

NOT_UNICODE: Final = "not_unicode"
WRONG_TYPE: Final = "wrong_type"
"""Why a value that arrived is in `discards`."""

EXACT_IN_DOUBLE: Final = 2**53
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

FLAGS_OF_TYPE: Final = {"BOOLEAN": BOOLEAN, "BIGINT": INTEGER, "DOUBLE": FLOAT, "VARCHAR": TEXT, "TIMESTAMP": INSTANT}
_STRING: Final = pa.string()
ARROW_OF_TYPE: Final = {
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": _STRING,
    "TIMESTAMP": pa.timestamp("us"),
}


_FLAGS: Final[Mapping[type, int]] = {str: TEXT, float: FLOAT, bool: BOOLEAN}


def flags_of(name: str, values: Sequence[Any]) -> int:
    """What kinds of values a column brings; 0 when all are None. Values that are not JSON's scalars count as text."""
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds or name in INSTANTS:
        return INSTANT if kinds else 0
    flags = 0
    for kind in kinds:
        flags |= _whole_number_flags(values) if kind is int else _FLAGS.get(kind, OTHER)
    return flags


def type_of(flags: int) -> str:
    """The narrowest type that holds everything.

    >>> type_of(INTEGER | LONG), type_of(INTEGER | FLOAT), type_of(LONG | FLOAT), type_of(BOOLEAN | INTEGER)
    ('BIGINT', 'DOUBLE', 'VARCHAR', 'VARCHAR')
    """
    if flags == BOOLEAN:
        return "BOOLEAN"
    if flags == INSTANT:
        return "TIMESTAMP"
    if flags and not flags & ~(INTEGER | LONG):
        return "BIGINT"
    if flags and not flags & ~(INTEGER | FLOAT):
        return "DOUBLE"
    return "VARCHAR"


def text_of(value: Any) -> str:
    """A value as a text column has it. A fraction that is a whole number is written as one, as JSON's readers do not tell them apart.

    >>> text_of(True), text_of(5), text_of(5.0), text_of(0.1), text_of(1e300)
    ('true', '5', '5', '0.1', '1e+300')
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is float and value == value and abs(value) <= EXACT_IN_DOUBLE and value == int(value):
        return str(int(value))
    return str(value)


def text_cast(column: str, sql_type: str) -> str:
    """SQL of the same for a column (quoted) that becomes text."""
    if sql_type != "DOUBLE":
        return f"CAST({column} AS VARCHAR)"
    whole = f"abs({column}) <= {EXACT_IN_DOUBLE} AND {column} = trunc({column})"
    nan = f"CASE WHEN isnan({column}) THEN 'nan' ELSE CAST({column} AS VARCHAR) END"
    return f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE {nan} END"


@dataclass(frozen=True, slots=True)
class LostCell:
    """A value that a column cannot hold. row: its place in the batch."""

    row: int
    column: str
    value: str
    reason: str


def column_array(name: str, values: Sequence[Any], flags: int, sql_type: str, lost: list[LostCell]) -> pa.Array:
    """Values as an Arrow array of a column's type; what does not fit is null and goes to `lost`. Other types than ours: as text.

    flags: `flags_of` the values.
    """
    arrow = ARROW_OF_TYPE.get(sql_type, _STRING)
    try:
        if flags != TEXT and arrow is _STRING:
            values = [None if value is None else text_of(value) for value in values]
        return pa.array(values, arrow)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError, ValueError):
        return pa.array([_fitting(name, row, value, arrow, lost) for row, value in enumerate(values)], arrow)


def _fitting(name: str, row: int, value: Any, arrow: pa.DataType, lost: list[LostCell]) -> Any:
    try:
        pa.scalar(value, arrow)
        return value
    except UnicodeEncodeError:
        lost.append(LostCell(row, name, value.encode("utf-8", "backslashreplace").decode(), NOT_UNICODE))
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        lost.append(LostCell(row, name, text_of(value), WRONG_TYPE))
    return None


def _whole_number_flags(values: Sequence[Any]) -> int:
    numbers = [value for value in values if type(value) is int]
    low, high = min(numbers), max(numbers)
    if low < INT64_MIN or high > INT64_MAX:
        return HUGE
    return LONG | INTEGER if low < -EXACT_IN_DOUBLE or high > EXACT_IN_DOUBLE else INTEGER
