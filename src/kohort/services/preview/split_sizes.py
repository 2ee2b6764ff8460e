"""How many members each variant of an A/B test would have, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kohort.foundation.instants import to_micros
from kohort.rules.bind import leaves
from kohort.rules.core import Expr, MemberLeaf
from kohort.segments.definition import Segment
from kohort.segments.graph import bind_segments
from kohort.services.definitions.push import check_segment
from kohort.services.evaluation.evaluate import Engine


@dataclass(frozen=True, slots=True)
class VariantSize:
    """One variant (or the control group) and its members. share: of the segment; None of nobody."""

    name: str
    count: int
    share: float | None


def split_sizes(engine: Engine, segment: Segment, as_of: datetime | None = None) -> list[VariantSize]:
    """The variants in the order written, the control group last; none without a test. Raises InvalidInput."""
    if segment.ab_test is None:
        return []
    check_segment(segment, engine.catalog).raise_if_errors()
    others = tuple(other for other in engine.segments if other.path != segment.path)
    bound = bind_segments((*others, segment), engine.catalog, engine.key_column, engine.ids)
    wanted = {segment.path, *segment.variant_paths}
    for path in reversed(list(bound)):
        if path in wanted:
            wanted |= _targets(bound[path])
    found = engine.run({path: expr for path, expr in bound.items() if path in wanted}, to_micros(as_of or engine.refresh.as_of)).members
    whole = found[segment.path].count()
    test = segment.ab_test
    names = [variant.name for variant in test.variants] + ([test.control_name] if test.control else [])
    counts = [found[path].count() for path in segment.variant_paths]
    return [VariantSize(name, count, count / whole if whole else None) for name, count in zip(names, counts, strict=True)]


def _targets(expr: Expr) -> set[str]:
    return {leaf.path for leaf in leaves(expr) if isinstance(leaf, MemberLeaf)}
