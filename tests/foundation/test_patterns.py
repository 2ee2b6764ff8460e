"""Patterns that are let in answer soon on every value; those that might not are told apart beforehand."""

from __future__ import annotations

import re

import pytest

from kohort.foundation.patterns import LONGEST_VALUE, bounded, is_quick

QUICK = [
    "",
    "[0-]*|\\s*",
    "test-.*",
    ".*@example\\.com",
    "(?i)(test|demo)[-_]?\\d+",
    "(?x) test - .*  # made up",
    "(?:\\d{1,3}\\.){3}\\d{1,3}",
    ".*test.*",
    "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "(ab)*",
    "a?b?c?",
    "(?=.*x)y.*",
    "(?>a+)b",
    "a++b",
]
SLOW = [
    "(a+)+b",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+$",
    "(.*a){20}",
    "(a?){50}a{50}",
    "a?" * 25 + "a" * 25,
    ".*a.*b.*c.*d",
    "((a{0,9}){0,9}){0,9}b",
    "(\\w+\\s?)*!",
    "(?:(?:a+)+)+",
    "(x+x+)+y",
    "(?P<w>.*)(?P=w).*",
]


@pytest.mark.parametrize("pattern", QUICK)
def test_what_is_let_in_answers_on_values_made_to_hold_it_up(pattern: str) -> None:
    assert is_quick(pattern)
    judge = re.compile(bounded(pattern))
    for value in ("a" * 199 + "!", "-" * 200, "0" * 199 + "x", "x@" * 99, "test-" * 40, "1." * 100, "a" * 100_000, "@" * 100_000):
        assert (judge.fullmatch(value) is not None) == (len(value) <= LONGEST_VALUE and re.fullmatch(pattern, value) is not None)


@pytest.mark.parametrize("pattern", SLOW)
def test_what_could_take_for_ever_is_told_apart(pattern: str) -> None:
    assert not is_quick(pattern)


def test_short_values_are_judged_as_by_the_pattern_itself() -> None:
    for pattern in QUICK:
        for value in ("", " ", "0-0", "test-1", "TEST1", "demo_7", "a@example.com", "1.2.3.4", "abab", "ab", "a\nb", "test-\n"):
            assert bool(re.fullmatch(bounded(pattern), value)) == bool(re.fullmatch(pattern, value)), (pattern, value)


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "*", "(?i", "(?P<x>a)(?P<x>b)", "a)|(b"])
def test_what_is_no_pattern_is_no_pattern(pattern: str) -> None:
    with pytest.raises(re.error):
        is_quick(pattern)
