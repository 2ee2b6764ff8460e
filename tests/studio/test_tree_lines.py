"""The tree is drawn once for all who may see the same, and never shows anybody what only another may see."""

from __future__ import annotations

import re

from kohort.services.definitions.listing import ListedSegment
from kohort.web.studio.tree import DrawnTree, segment_tree


def listed(segment_id: int, path: str, *, of: str = "") -> ListedSegment:
    folder, _, name = path.rpartition("/")
    return ListedSegment(segment_id, path, name, folder, "batch", 1, bool(of), 5, 10, "All", "All", None)


LISTED = [
    listed(1, "A"),
    listed(1, "A/A-A", of="A"),
    listed(1, "A/B-A", of="A"),
    listed(2, "A-A"),
    listed(3, 'F/odd data-path="x'),
    listed(4, "F/B"),
]


def lines_of(html: str) -> list[str]:
    return re.findall(r'aria-current="page" data-path="([^"]*)"', html)


def drawn() -> DrawnTree:
    from kohort.web.studio import render

    class Parent:
        slug = "shop"

    nodes = segment_tree(LISTED)
    return DrawnTree.of(nodes, render._environment().get_template("tree_lines.html").render(nodes=nodes, parent=Parent))


def test_the_line_of_the_open_segment_or_variant_is_marked_and_no_other() -> None:
    tree = drawn()
    assert lines_of(tree.with_open(1)) == ["A"]
    assert lines_of(tree.with_open(1, "B-A")) == ["A/B-A"]
    assert lines_of(tree.with_open(2)) == ["A-A"]
    assert lines_of(tree.with_open(3)) == ["F/odd data-path=&#34;x"]
    assert lines_of(tree.with_open(4)) == ["F/B"]
    assert lines_of(tree.with_open(None)) == lines_of(tree.with_open(9)) == []


def test_the_lines_are_the_same_but_for_the_mark() -> None:
    tree = drawn()
    assert tree.with_open(4).replace(' aria-current="page"', "") == tree.with_open(None)
    assert len(re.findall(r"<a class=", tree.with_open(None))) == len(LISTED)


def test_a_tree_without_segments_is_none() -> None:
    assert not DrawnTree.of([], "\n")
