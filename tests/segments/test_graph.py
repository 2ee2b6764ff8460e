from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.foundation.errors import InvalidInput
from kohort.foundation.issues import path_text
from kohort.parent.catalog import Field, FieldCatalog
from kohort.rules.ast import EVERYBODY, AttributeCondition, Comparison, Group, ReferenceCondition, Rule
from kohort.rules.bind import leaves
from kohort.rules.core import All, AnyOf, AttributeLeaf, Compare, Expr, MemberLeaf, Not, VariantLeaf
from kohort.rules.core import Test as CoreTest
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.segments.graph import SegmentGraph, bind_segments, problems

CATALOG = FieldCatalog((Field("n", "number", "int64"),), ())
ONE = AttributeLeaf("n", CoreTest(Compare("=", 1), "int64"))


def rule(*targets: str) -> Rule:
    return Group("any", tuple(ReferenceCondition(target) for target in targets)) if targets else EVERYBODY


def segment(path: str, *targets: str, base: str = "", ab_test: ABTest | None = None) -> Segment:
    folder, _, name = path.rpartition("/")
    return Segment(name, folder, rule(*targets), base=base, ab_test=ab_test)


def found(*segments: Segment, ids: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    """(segment, code, path) of every problem."""
    every = problems(segments, ids)
    return [(path, issue.code, path_text(issue.path)) for path, issues in every.items() for issue in issues]


SPLIT = ABTest((Variant("A", 50), Variant("B", 33.3)), control=10)
GRAPH = SegmentGraph.of(
    [
        segment("Marketing/VIP"),
        segment("Marketing/New"),
        segment("Sales/New"),
        segment("Test/split", ab_test=SPLIT),
        segment("New York"),
    ],
    {"101": "Marketing/VIP", "102": "gone", "103": "Test/split/A-split"},
)


@pytest.mark.parametrize(
    ("target", "folder", "path"),
    [
        ("Marketing/VIP", "", "Marketing/VIP"),
        ("VIP", "", "Marketing/VIP"),
        ("VIP", "Sales", "Marketing/VIP"),
        ("New", "Sales", "Sales/New"),
        ("New", "Marketing", "Marketing/New"),
        ("New", "", None),
        ("New York", "Sales", "New York"),
        ("Test/split/B-split", "", "Test/split/B-split"),
        ("Test/split/Control-split", "", "Test/split/Control-split"),
        ("split/A-split", "Test", "Test/split/A-split"),
        ("101", "", "Marketing/VIP"),
        ("103", "", "Test/split/A-split"),
        ("102", "", None),
        ("vip", "", None),
    ],
)
def test_targets(target: str, folder: str, path: str | None) -> None:
    assert GRAPH.resolve(target, folder) == path


def test_unknown_and_ambiguous_targets() -> None:
    issues = problems([segment("a/New"), segment("b/New"), segment("c", "New", "Nwe", base="New")])["c"]
    assert [(issue.code, path_text(issue.path)) for issue in issues] == [
        ("AMBIGUOUS_SEGMENT_REFERENCE", "base"),
        ("AMBIGUOUS_SEGMENT_REFERENCE", "rule.conditions[0].segment"),
        ("MISSING_SEGMENT_REFERENCE", "rule.conditions[1].segment"),
    ]
    assert "a/New, b/New" in issues.items[0].message
    assert issues.items[2].hint == 'did you mean "New"?'


def test_names_are_unique_in_a_folder() -> None:
    assert found(segment("a/x"), segment("b/x"), segment("x")) == []
    assert found(segment("a/x"), segment("a/x")) == [("a/x", "DUPLICATE_SEGMENT", "name")]
    split = segment("a/x", ab_test=ABTest((Variant("A", 10), Variant("A", 10))))
    assert found(split) == [("a/x", "DUPLICATE_SEGMENT", "ab_test")]
    assert found(segment("a/x/A-x"), segment("a/x", ab_test=SPLIT)) == [("a/x", "DUPLICATE_SEGMENT", "ab_test")]


def test_cycles_are_shown_with_their_path() -> None:
    ring = [segment("A", "B"), segment("B", "C", "D"), segment("C", base="A"), segment("D"), segment("E", "A")]
    first = "rule.conditions[0].segment"
    assert found(*ring) == [("A", "SEGMENT_CYCLE", first), ("B", "SEGMENT_CYCLE", first), ("C", "SEGMENT_CYCLE", "base")]
    assert "A -> B -> C -> A" in problems(ring)["B"].items[0].message
    assert "X -> X" in problems([segment("X", base="X")])["X"].items[0].message
    split = segment("S", "S/A-S", ab_test=SPLIT)
    assert found(split) == [("S", "SEGMENT_CYCLE", first)]
    with pytest.raises(InvalidInput) as caught:
        SegmentGraph.of(ring).order()
    assert caught.value.code == "SEGMENT_CYCLE"


def test_two_cycles_are_two_problems() -> None:
    two = [segment("A", "B"), segment("B", "A"), segment("C", "D", "A"), segment("D", "C")]
    assert SegmentGraph.of(two).cycles() == (("A", "B", "A"), ("C", "D", "C"))


def test_stages() -> None:
    graph = SegmentGraph.of([segment("a", "b", "c"), segment("b", "d"), segment("c"), segment("d", base="c"), segment("e")])
    assert graph.stages() == (("c", "e"), ("d",), ("b",), ("a",))
    assert graph.dependents("c") == ("a", "d")


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = [segment(f"s{at}", *([f"s{at + 1}"] if at < 3000 else [])) for at in range(3001)]
    assert SegmentGraph.of(chain).order()[:2] == ("s3000", "s2999")


def test_segments_become_expressions_in_order() -> None:
    one = Group("all", (AttributeCondition("n", Comparison("Equal", 1)),))
    segments = [
        Segment("inner", "f", one, base="outer"),
        Segment("outer", rule=rule("inner2")),
        Segment("inner2", rule=Group("all", (ReferenceCondition("x", exclude=True),))),
        Segment("x", "f", EVERYBODY),
    ]
    bound = bind_segments(segments, CATALOG, "customer_id")
    assert list(bound) == ["f/x", "inner2", "outer", "f/inner"]
    assert bound["f/x"] == All(())
    assert bound["inner2"] == Not(MemberLeaf("f/x"))
    assert bound["outer"] == MemberLeaf("inner2")
    assert set(leaves(bound["f/inner"])) == {ONE, MemberLeaf("outer")}
    assert isinstance(bound["f/inner"], All)


def test_mistakes_are_refused_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        bind_segments([segment("a", "nope"), segment("b", "b")], CATALOG, "id")
    assert caught.value.issues.codes() == ["MISSING_SEGMENT_REFERENCE", "SEGMENT_CYCLE"]


def variant_leaves(test: ABTest) -> list[VariantLeaf]:
    bound = bind_segments([segment("f/s", ab_test=test)], CATALOG, "customer_id")
    return [leaf for expr in bound.values() for leaf in leaves(expr) if isinstance(leaf, VariantLeaf)]


def test_variants_are_parts_of_the_hash_line() -> None:
    bound = bind_segments([segment("f/s", "t"), segment("t"), segment("f/u", "f/s", ab_test=SPLIT)], CATALOG, "customer_id")
    assert list(bound)[-4:] == ["f/u", "f/u/A-u", "f/u/B-u", "f/u/Control-u"]
    low, high = 2**64 // 2, int(Fraction(833, 1000) * 2**64)
    assert parts(bound["f/u/A-u"]) == {MemberLeaf("f/u"), VariantLeaf("u", "customer_id", 0, low)}
    assert parts(bound["f/u/B-u"]) == {MemberLeaf("f/u"), VariantLeaf("u", "customer_id", low, high)}
    assert parts(bound["f/u/Control-u"]) == {MemberLeaf("f/u"), VariantLeaf("u", "customer_id", int(Fraction(9, 10) * 2**64), 2**64)}


def parts(expr: Expr) -> set[Expr]:
    assert isinstance(expr, All)
    assert not isinstance(expr, AnyOf)
    return set(expr.parts)


def test_a_new_name_of_the_segment_need_not_move_anybody() -> None:
    [leaf] = variant_leaves(ABTest((Variant("A", 100),), test_id="spring", key_column="email"))
    assert leaf == VariantLeaf("spring", "email", 0, 2**64)


@given(st.lists(st.one_of(st.integers(1, 12), st.floats(0.1, 12).map(lambda ratio: round(ratio, 2))), min_size=1, max_size=7), st.data())
def test_variants_neither_overlap_nor_leave_gaps(ratios: list[float], data: st.DataObject) -> None:
    control = data.draw(st.sampled_from([0, 10, 100 - sum(ratios)])) if all(isinstance(ratio, int) for ratio in ratios) else 0
    variants = tuple(Variant(f"v{at}", ratio) for at, ratio in enumerate(ratios))
    found_leaves = variant_leaves(ABTest(variants, control))
    lines = found_leaves[: len(variants)]
    assert [leaf.low for leaf in lines] == [0, *(leaf.high for leaf in lines[:-1])]
    assert all(leaf.low < leaf.high for leaf in found_leaves)
    if control:
        assert found_leaves[-1].high == 2**64
        assert found_leaves[-1].low >= lines[-1].high
        if control + sum(ratios) == 100:
            assert found_leaves[-1].low == lines[-1].high


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_order_or_cycle(edges: list[tuple[int, int]]) -> None:
    targets: dict[int, list[str]] = {}
    for source, target in edges:
        targets.setdefault(source, []).append(f"s{target}")
    graph = SegmentGraph.of([segment(f"s{at}", *targets.get(at, [])) for at in range(8)])
    cycles = graph.cycles()
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(after in graph.needs[before] for before, after in pairwise(cycle))
    if cycles:
        return
    order = graph.order()
    assert sorted(order) == sorted(graph.by_path)
    assert all(order.index(needed) < order.index(path) for path in order for needed in graph.needs[path])


def test_a_variant_is_found_by_its_name_when_no_other_has_it() -> None:
    test = ABTest((Variant("A", 50),), 50)
    one, two = Segment("Offer", "Spring", ab_test=test), Segment("Offer", "Autumn", ab_test=test)
    assert SegmentGraph.of([one]).resolve("A-Offer") == "Spring/Offer/A-Offer"
    assert SegmentGraph.of([one, two]).resolve("A-Offer") is None
    assert SegmentGraph.of([one, Segment("A-Offer")]).resolve("A-Offer") == "A-Offer"
