"""The tree beside every page: folders, segments and their variants, with the populations of the last evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from kohort.services.definitions.listing import ListedSegment

PLACE = ' data-path="'
"""In every line of a segment or variant, and, since quotes are escaped, nowhere else."""
_CURRENT = ' aria-current="page"'


@dataclass(slots=True)
class Node:
    """One line. id: of the segment; for a variant that of its segment; None for a folder."""

    kind: Literal["folder", "segment", "variant"]
    name: str
    path: str
    id: int | None = None
    segment_kind: str = ""
    population: int | None = None
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DrawnTree:
    """The lines of a tree as HTML, the same for everybody who may see the same. parts: cut where a line can be marked as the open one.

    places: (segment id, name of its variant or "") -> after which part its line is marked.
    """

    parts: tuple[str, ...]
    places: Mapping[tuple[int | None, str], int]

    @classmethod
    def of(cls, nodes: list[Node], html: str) -> DrawnTree:
        """html: what the template makes of the nodes, its lines in their order."""
        starts = [0]
        while (found := html.find(PLACE, starts[-1] + 1)) >= 0:
            starts.append(found)
        parts = tuple(html[start:end] for start, end in pairwise([*starts, len(html)]))
        return cls(parts, {place: number for number, place in enumerate(_places(nodes), 1)})

    def with_open(self, segment_id: int | None, variant: str = "") -> Markup:
        """All lines; that of the segment or its variant, if it is there, is marked as the open page."""
        cut = self.places.get((segment_id, variant))
        if cut is None:
            return Markup("".join(self.parts))
        return Markup("".join((*self.parts[:cut], _CURRENT, *self.parts[cut:])))

    def __bool__(self) -> bool:
        return bool(self.places)


NO_TREE = DrawnTree((), {})


def _places(nodes: Iterable[Node]) -> Iterator[tuple[int | None, str]]:
    for node in nodes:
        if node.kind != "folder":
            yield node.id, node.name if node.kind == "variant" else ""
        yield from _places(node.children)


def segment_tree(listed: Iterable[ListedSegment]) -> list[Node]:
    """The tree of segments (variants right after their segment): folders first, both by name."""
    roots: list[Node] = []
    folders: dict[str, Node] = {}
    owner: Node | None = None
    for item in listed:
        node = Node("variant" if item.is_variant else "segment", item.name, item.path, item.id, item.kind, item.population)
        if item.is_variant and owner is not None:
            owner.children.append(node)
            continue
        owner = node
        _children(item.folder, roots, folders).append(node)
    _sort(roots)
    return roots


def _children(folder: str, roots: list[Node], folders: dict[str, Node]) -> list[Node]:
    if not folder:
        return roots
    known = folders.get(folder)
    if known is None:
        around, _, name = folder.rpartition("/")
        known = folders[folder] = Node("folder", name, folder)
        _children(around, roots, folders).append(known)
    return known.children


def _sort(nodes: list[Node]) -> None:
    nodes.sort(key=lambda node: (node.kind != "folder", node.name.casefold(), node.name))
    for node in nodes:
        if node.kind == "folder":
            _sort(node.children)
