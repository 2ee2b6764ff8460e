"""What makes a new version of a segment: its meaning, not its words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kohort.foundation.fingerprints import fingerprint
from kohort.rules.normalize import meaning
from kohort.segments.definition import ABTest, Segment


def segment_fingerprint(segment: Segment) -> str:
    """Equal for segments that mean the same: rule, base, kind and A/B test count; place, description and order do not.

    The name counts only where an A/B test without a test id takes it for one.
    """
    parts: dict[str, Any] = {"rule": meaning(segment.rule), "base": segment.base, "kind": segment.kind}
    if segment.ab_test is not None:
        parts["ab_test"] = _test_parts(segment.ab_test, segment.name)
    return fingerprint(parts)


def _test_parts(test: ABTest, name: str) -> dict[str, Any]:
    return {
        "test_id": test.test_id or name,
        "key_column": test.key_column,
        "variants": [[variant.name, _number(variant.ratio)] for variant in test.variants],
        "control": [test.control_name, _number(test.control)] if test.control else None,
    }


def _number(value: int | float) -> str:
    """50, 50.0 and 5e1 are one number."""
    return format(Decimal(repr(value)).normalize(), "f")
