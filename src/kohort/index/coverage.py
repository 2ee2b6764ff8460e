"""Which conditions the index answers itself, and which are left to SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from kohort.rules.core import AttributeLeaf, BehaviorLeaf, Leaf, MemberLeaf, SequenceLeaf, VariantLeaf

Answer = Literal["kernel", "sql", "bitmap"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of condition: who answers it, and when SQL does although a kernel exists."""

    name: str
    answer: Answer
    unless: str = ""


_WIDE = "a column of more than 18 digits is in it"
_SUM_UNLESS = f"{_WIDE}, or its sums could exceed 64 bits"

KINDS: tuple[Kind, ...] = (
    Kind("attribute", "kernel", _WIDE),
    Kind("attribute array", "kernel"),
    Kind("behavior Count", "kernel", _WIDE),
    Kind("behavior CountDistinct", "kernel", _WIDE),
    Kind("behavior Sum", "kernel", _SUM_UNLESS),
    Kind("behavior Average", "kernel", _SUM_UNLESS),
    Kind("behavior Min", "kernel", _WIDE),
    Kind("behavior Max", "kernel", _WIDE),
    Kind("behavior First", "kernel", _WIDE),
    Kind("behavior Last", "kernel", _WIDE),
    Kind("behavior with groups", "kernel", _SUM_UNLESS),
    Kind("behavior in sliding windows", "kernel", _SUM_UNLESS),
    Kind("behavior First and Last by a column", "kernel", _WIDE),
    Kind("sequence", "kernel", _WIDE),
    Kind("A/B variant", "kernel", "the key of the customers is neither text nor a whole number"),
    Kind("segment", "bitmap"),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(leaf: Leaf) -> Kind:
    """The row of the table for a condition."""
    match leaf:
        case AttributeLeaf(test=test):
            return BY_NAME["attribute array" if test.storage.endswith("_array") else "attribute"]
        case BehaviorLeaf(aggregate):
            if aggregate.order_column and aggregate.key in ("First", "Last"):
                return BY_NAME["behavior First and Last by a column"]
            if aggregate.sliding_micros is not None:
                return BY_NAME["behavior in sliding windows"]
            return BY_NAME["behavior with groups" if aggregate.grouping else f"behavior {aggregate.key}"]
        case SequenceLeaf():
            return BY_NAME["sequence"]
        case VariantLeaf():
            return BY_NAME["A/B variant"]
        case MemberLeaf():
            return BY_NAME["segment"]
        case _:
            assert_never(leaf)
