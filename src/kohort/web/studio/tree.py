"""The tree beside every page: folders, segments and their variants, with the populations of the last evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from kohort.services.listing import ListedSegment


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
