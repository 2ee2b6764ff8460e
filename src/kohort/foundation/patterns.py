"""Regular expressions that others write and strangers' values meet: only those that always answer soon.

Python tries the ways a pattern can match one after the other. How many there are at most is read off the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

LONGEST_VALUE: Final = 200
"""Characters: no longer value is compared with a pattern."""
MOST_WAYS: Final = 100_000
_FLAGS: Final = re.compile(r"\(\?([aimsux]+)\)")


def bounded(pattern: str) -> str:
    """The same pattern of values of at most `LONGEST_VALUE` characters; it matches none that is longer.

    >>> bool(re.fullmatch(bounded("test-.*"), "test-1")), bool(re.fullmatch(bounded("test-.*"), "test-" + "1" * 200))
    (True, False)
    """
    flags = _FLAGS.match(pattern)
    inner = f"(?{flags[1]}:{pattern[flags.end() :]}" if flags else f"(?:{pattern}"
    end = "\n)" if flags and "x" in flags[1] else ")"
    return rf"(?s:(?=.{{0,{LONGEST_VALUE}}}\Z)){inner}{end}"


def is_quick(pattern: str) -> bool:
    """Whether a pattern, bounded, has few ways to match any value. Raises what `re.compile` raises.

    >>> is_quick("test-.*@.*"), is_quick("(a+)+b"), is_quick("(a|a)*b")
    (True, False, False)
    """
    re.compile(bounded(pattern))
    return _ways(import_module("re._parser").parse(pattern)) <= MOST_WAYS


def _ways(parts: Iterable[tuple[Any, Any]]) -> int:
    """How many ways to match there are at most, counted up to a few more than are allowed."""
    found = 1
    for name, value in parts:
        found = min(found * _ways_of(str(name), value), MOST_WAYS + 1)
    return found


def _ways_of(name: str, value: Any) -> int:
    match name:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inside = value
            return _repeated(_ways(inside), int(least), min(int(most), LONGEST_VALUE))
        case "SUBPATTERN":
            return _ways(value[3])
        case "ATOMIC_GROUP":
            return _ways(value)
        case "ASSERT" | "ASSERT_NOT":
            return _ways(value[1])
        case "BRANCH":
            return sum(_ways(branch) for branch in value[1])
        case "GROUPREF_EXISTS":
            return _ways(value[1]) + _ways(value[2] or ())
        case "GROUPREF" | "GROUPREF_IGNORE":
            return LONGEST_VALUE
        case _:
            return 1


def _repeated(once: int, least: int, most: int) -> int:
    if once == 1:
        return max(most - least, 0) + 1
    ways = 0
    for times in range(min(least, most), most + 1):
        ways += once**times
        if ways > MOST_WAYS:
            return MOST_WAYS + 1
    return ways
