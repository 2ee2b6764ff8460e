"""Changes the words with which a segment names others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kohort.rules.ast import Condition, Group, ReferenceCondition
from kohort.segments.definition import Segment
from kohort.segments.graph import references

_KINDS = ("Segment", "AbTestVariant")


def named_targets(segment: Segment) -> Iterator[str]:
    """Every segment or variant that a segment names, as written: its base, then the references of its rule."""
    if segment.base:
        yield segment.base
    for _, reference in references(segment.rule, ()):
        if reference.kind in _KINDS:
            yield reference.target


def with_targets(segment: Segment, change: Callable[[str], str]) -> Segment:
    """The segment with `change` applied to every target it names."""
    rule = _group(segment.rule, change)
    base = change(segment.base) if segment.base else ""
    return segment if (rule, base) == (segment.rule, segment.base) else replace(segment, rule=rule, base=base)


def _group(group: Group, change: Callable[[str], str]) -> Group:
    return replace(group, conditions=tuple(_condition(part, change) for part in group.conditions))


def _condition(condition: Condition, change: Callable[[str], str]) -> Condition:
    if isinstance(condition, Group):
        return _group(condition, change)
    if isinstance(condition, ReferenceCondition) and condition.kind in _KINDS:
        return replace(condition, target=change(condition.target))
    return condition
