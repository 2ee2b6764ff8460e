"""The rules of a source for ids: what is refused, and that no pattern holds up the loading of calls."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kohort.events.identity import DEFAULT_IDENTITY, IdReader
from kohort.foundation.errors import UserError
from kohort.ports.sources import SourceRecord
from kohort.services.sources.identity import identity_document, identity_of_document, identity_rules, resolving_rules

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def source(pattern: str) -> SourceRecord:
    """A source whose rules were stored with a pattern."""
    text = json.dumps(identity_document(replace(DEFAULT_IDENTITY, blocked_pattern=pattern)))
    return SourceRecord(1, "Shop", "shop", "segment", "enabled", False, None, NOW, "x", NOW, "x", identity=text)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", ".*a.*b.*c", "a?" * 25, "(" * 501, "("])
def test_patterns_that_could_hold_up_calls_are_refused(pattern: str) -> None:
    with pytest.raises(UserError) as refused:
        identity_of_document({"blocked_pattern": pattern})
    assert refused.value.code == "IDENTITY_INVALID"
    assert refused.value.hint


def test_a_pattern_meets_no_value_that_is_longer_than_ids_are() -> None:
    rules = resolving_rules(source(".*@example\\.test"))
    reader = IdReader(rules)
    assert reader.usual("x@example.test", None, None) == ()
    assert len(reader.usual("x" * 30_000 + "@example.test", None, None)) == 1
    assert re.fullmatch(rules.blocked_pattern, "@" * 100_000) is None


def test_a_slow_pattern_that_was_stored_before_is_shown_and_passed_over() -> None:
    record = source("(a+)+b")
    assert identity_rules(record).blocked_pattern == "(a+)+b"
    assert resolving_rules(record).blocked_pattern == DEFAULT_IDENTITY.blocked_pattern
    assert len(IdReader(resolving_rules(record)).usual("a" * 5_000, None, None)) == 1


def test_rules_without_a_pattern_of_their_own_are_as_they_are() -> None:
    assert resolving_rules(None) is DEFAULT_IDENTITY
    assert resolving_rules(source(DEFAULT_IDENTITY.blocked_pattern)) == DEFAULT_IDENTITY
