"""Text that a spreadsheet shows as it is, and never takes for a formula."""

from __future__ import annotations

import codecs

import pyarrow as pa
import pyarrow.compute as pc

BYTE_ORDER_MARK = codecs.BOM_UTF8
"""The first bytes of a file by which spreadsheets know that it is UTF-8."""
_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
_NUMBER = "^[+-][0-9 ().-]*$"
_INNER = "([;\t\r\n])([=+\\-@＝＋－＠])"


def without_formulas(column: pa.Array) -> pa.Array:
    """A column whose texts get an apostrophe where a formula would begin; all that is no text stays.

    Signed numbers and telephone numbers in texts stay, too: they have no letters, so they cannot call anything.
    The same is done behind ";", tab and line ends, at which some countries' spreadsheets begin a new cell.

    >>> without_formulas(pa.array(["=1+1", "-5", "+33 6 12", "a;=b", None])).to_pylist()
    ["'=1+1", '-5', '+33 6 12', "a;'=b", None]
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    begins = pc.and_not(pc.match_substring_regex(column, _FORMULA), pc.match_substring_regex(column, _NUMBER))
    inner = pc.replace_substring_regex(column, _INNER, r"\1'\2")
    marked = pc.binary_join_element_wise(pa.scalar("'", column.type), inner, pa.scalar("", column.type))
    return pc.if_else(begins, marked, inner)
