"""Tests of text, judged once for each text of a dictionary. Dictionaries are sorted by code point, so most tests are two places in one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2

from kohort.evaluation.indexed.tests import NoKernel, Table
from kohort.evaluation.numbers import Comparator
from kohort.rules.core import Compare, InWindow, IsNullTest, Matches, Never, OneOf, Predicate, Range, Test, TextAny

_PARTS = {"contain": pc.match_substring, "end": pc.ends_with}
_FEW_TEXTS = 64
_PREFIX_BYTES = 32
_LAST = b"\xff"  # above every byte that UTF-8 has


def text_table(test: Test, dictionary: pa.Array) -> Table:
    """1 where code - 1 passes; entry 0 stands for null and is 0."""
    passed = _text(test.predicate, dictionary)
    table = np.zeros(len(dictionary) + 1, dtype=np.uint8)
    table[1:] = passed != test.negated
    return table


def _text(predicate: Predicate, dictionary: pa.Array) -> npt.NDArray[np.bool_]:
    """Which texts of a dictionary, which is sorted by code point, pass."""
    match predicate:
        case Compare(op, literal):
            return _compared(op, str(literal).encode(), dictionary)
        case Range(low, high):
            begin = 0 if low is None else _place(dictionary, str(low).encode(), after=False)
            end = len(dictionary) if high is None else _place(dictionary, str(high).encode(), after=True)
            return _from_to(dictionary, begin, end)
        case OneOf(literals):
            if len(literals) > _FEW_TEXTS:
                return _bools(pc.is_in(dictionary, value_set=pa.array([str(one) for one in literals], dictionary.type)))
            return _any(dictionary, (_compared("=", str(one).encode(), dictionary) for one in literals))
        case TextAny(how, values):
            return _any(dictionary, (_part(how, value, dictionary) for value in values))
        case Matches(pattern):
            return _matches(pattern, dictionary)
        case Never() | IsNullTest():
            return np.zeros(len(dictionary), dtype=np.bool_)
        case InWindow():
            raise NoKernel("a test of time on text")
        case _:
            assert_never(predicate)


def _any(dictionary: pa.Array, parts: Iterable[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(dictionary), dtype=np.bool_)
    for part in parts:
        found |= part
    return found


def _compared(op: Comparator, value: bytes, dictionary: pa.Array) -> npt.NDArray[np.bool_]:
    begin, end = _place(dictionary, value, after=False), _place(dictionary, value, after=True)
    match op:
        case "=":
            return _from_to(dictionary, begin, end)
        case "<":
            return _from_to(dictionary, 0, begin)
        case "<=":
            return _from_to(dictionary, 0, end)
        case ">":
            return _from_to(dictionary, end, len(dictionary))
        case ">=":
            return _from_to(dictionary, begin, len(dictionary))
        case _:
            assert_never(op)


def _part(how: str, value: str, dictionary: pa.Array) -> npt.NDArray[np.bool_]:
    if not value:
        return np.ones(len(dictionary), dtype=np.bool_)
    if how != "start":
        return _bools(_PARTS[how](dictionary, value))
    begin, end = _place(dictionary, value.encode(), after=False), _place(dictionary, value.encode() + _LAST, after=True)
    return _from_to(dictionary, begin, end)


def _place(dictionary: pa.Array, value: bytes, *, after: bool) -> int:
    """Where a text would stand: before those equal to it, or after them. Bytes of UTF-8 are in the order of code points."""
    low, high = 0, len(dictionary)
    while low < high:
        middle = (low + high) // 2
        there: bytes = dictionary[middle].as_py().encode()
        if there < value or (after and there == value):
            low = middle + 1
        else:
            high = middle
    return low


def _from_to(dictionary: pa.Array, begin: int, end: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(dictionary), dtype=np.bool_)
    found[begin:end] = True
    return found


def _matches(pattern: str, dictionary: pa.Array) -> npt.NDArray[np.bool_]:
    begin, end = _reach(pattern, dictionary)
    found = _from_to(dictionary, begin, end)
    if begin < end:
        found[begin:end] = _matched(pattern, dictionary.slice(begin, end - begin))
    return found


def _reach(pattern: str, dictionary: pa.Array) -> tuple[int, int]:
    """Between which places all matches are: a pattern bound to the beginning often says how they begin."""
    bound = pattern.startswith("^") and pattern[1:2] not in ("?", "*", "+", "{") and "|" not in _outside_of_groups(pattern)
    if not bound:
        return 0, len(dictionary)
    try:
        first, last = re2.compile(f"{pattern}(?s:.*)").possiblematchrange(_PREFIX_BYTES)
    except (re2.error, UnicodeError):
        return 0, len(dictionary)
    return _place(dictionary, first, after=False), _place(dictionary, last, after=True)


def _outside_of_groups(pattern: str) -> str:
    """What of a pattern is in no group or class, as far as can be said at a glance; more when it cannot."""
    if "\\Q" in pattern:
        return pattern
    found, depth, in_class, place = [], 0, False, 0
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            place += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            place += pattern[place + 1 : place + 2] == "^"
            place += pattern[place + 1 : place + 2] == "]"
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif depth == 0:
            found.append(char)
        place += 1
    return "".join(found)


def _matched(pattern: str, dictionary: pa.Array) -> npt.NDArray[np.bool_]:
    try:
        return _bools(pc.match_substring_regex(dictionary, pattern))
    except pa.ArrowInvalid:
        compiled = re2.compile(pattern)
        return np.array([compiled.search(text) is not None for text in dictionary.to_pylist()], dtype=np.bool_)


def _bools(found: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    values: npt.NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return values
