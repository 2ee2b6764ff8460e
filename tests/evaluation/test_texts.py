"""Tests of text by places in a sorted dictionary, against each text judged alone."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.evaluation.indexed.texts import text_table
from kohort.rules.core import Compare, Matches, OneOf, Predicate, Range, Test, TextAny

TEXTS = st.lists(st.text("ab|\n]é\U0001f600", max_size=4), max_size=12)


def passed(predicate: Predicate, texts: list[str], negated: bool = False) -> list[str]:
    """The texts that pass, of a dictionary made of them."""
    dictionary = pa.array(sorted(set(texts), key=str.encode), pa.large_string())
    table = text_table(Test(predicate, "text", negated), dictionary)
    assert table[0] == 0
    return [text for text, entry in zip(dictionary.to_pylist(), table[1:], strict=True) if entry]


def those(texts: list[str], judge: Callable[[str], bool]) -> list[str]:
    return [text for text in sorted(set(texts), key=str.encode) if judge(text)]


@settings(max_examples=1000, deadline=None)
@given(st.text("ab|()[]^*+?.\\", max_size=8), TEXTS)
def test_patterns_bound_to_the_beginning(rest: str, texts: list[str]) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile("^" + rest, options)
    except re2.error:
        return
    assert passed(Matches("^" + rest), texts) == those(texts, lambda text: pattern.search(text) is not None)


@pytest.mark.parametrize("pattern", ["^a|b", "(?m)^b", "^?b", "^(ab|a)", "^[|]b", "^[]|]b", "^\\|b", "b$", "^(?i)A"])
def test_what_is_bound_and_what_only_looks_so(pattern: str) -> None:
    texts = ["", "a", "ab", "b", "ba", "A", "Ab", "a\nb", "|b", "]b", "az"]
    assert passed(Matches(pattern), texts) == those(texts, lambda text: re2.search(pattern, text) is not None)


@settings(max_examples=200, deadline=None)
@given(st.text("ab\U0001f600é", max_size=2), TEXTS, st.booleans())
def test_comparisons_and_parts(value: str, texts: list[str], negated: bool) -> None:
    order = value.encode()
    judges: list[tuple[Predicate, Callable[[str], bool]]] = [
        (Compare("=", value), lambda text: text == value),
        (Compare("<", value), lambda text: text.encode() < order),
        (Compare("<=", value), lambda text: text.encode() <= order),
        (Compare(">", value), lambda text: text.encode() > order),
        (Compare(">=", value), lambda text: text.encode() >= order),
        (Range(value, value + "b"), lambda text: order <= text.encode() <= order + b"b"),
        (Range(None, value), lambda text: text.encode() <= order),
        (OneOf((value, "a")), lambda text: text in (value, "a")),
        (TextAny("start", (value, "b")), lambda text: text.startswith((value, "b"))),
        (TextAny("end", (value,)), lambda text: text.endswith(value)),
        (TextAny("contain", (value,)), lambda text: value in text),
    ]
    for predicate, judge in judges:
        assert passed(predicate, texts, negated) == those(texts, lambda text, judge=judge: judge(text) != negated), predicate
