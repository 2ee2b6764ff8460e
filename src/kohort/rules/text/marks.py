"""Where in a text the parts of its rule stand, by their paths in the keys of the YAML form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kohort.foundation.issues import Path
from kohort.rules.text.tokens import Token

Places = Mapping[Path, int]
"""Path -> position of a character; what is not in it stands where its nearest parent does."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where one node begins and where parts of it do, as positions among the words. node: kept, so that its identity stays its own."""

    node: object
    start: int
    parts: Mapping[Path, int]


@dataclass(slots=True)
class Marks:
    """The marks of the nodes read so far; of a changed copy, those of what it was made from."""

    of_nodes: dict[int, Mark] = field(default_factory=dict)

    def set(self, node: object, start: int, parts: Mapping[Path, int] | None = None) -> None:
        """Say where a node stands, unless that was said more exactly before."""
        self.of_nodes.setdefault(id(node), Mark(node, start, parts or {}))

    def carry(self, old: object, new: object, start: int | None = None, parts: Mapping[Path, int] | None = None) -> None:
        """`new` is a changed copy of `old`, or a group around it."""
        if new is old:
            return
        mark = self.of_nodes[id(old)]
        self.of_nodes[id(new)] = Mark(new, mark.start if start is None else start, {**mark.parts, **(parts or {})})

    def places(self, rule: object, tokens: Sequence[Token]) -> Places:
        """The places of a rule and everything in it."""
        found: dict[Path, int] = {}
        queue: list[tuple[object, Path]] = [(rule, ())]
        while queue:
            node, path = queue.pop()
            mark = self.of_nodes.get(id(node))
            if mark is not None:
                found[path] = tokens[mark.start].start
                found.update({(*path, *part): tokens[at].start for part, at in mark.parts.items()})
            for key in ("conditions", "steps"):
                queue += [(part, (*path, key, index)) for index, part in enumerate(getattr(node, key, ()))]
            if getattr(node, "filter", None) is not None:
                queue.append((node.filter, (*path, "filter")))  # type: ignore[attr-defined]
        return found


def operator_parts(tokens: Sequence[Token], start: int, end: int) -> dict[Path, int]:
    """The parts of an operator that is written in these words: its values in order."""
    values = [at for at in range(start, end) if tokens[at].kind in ("text", "number", "date", "quoted") or tokens[at].word in _VALUES]
    found: dict[Path, int] = {("operator",): start}
    found.update({("operator", "value", index): at for index, at in enumerate(values)})
    found.update({("operator", key): at for key, at in zip(("value", "max"), values[:2], strict=False)})
    return {**found, ("operator", "min"): values[0]} if values else found


def aggregation_parts(tokens: Sequence[Token], start: int, end: int) -> dict[Path, int]:
    """The parts of an aggregation: its column and those it groups by."""
    found: dict[Path, int] = {("aggregation",): start}
    for at in range(start + 1, end):
        word = tokens[at].word
        if word in ("(", "distinct"):
            found.update({("aggregation", "column"): at + 1, ("aggregation", "columns"): at + 1})
        elif word in ("by", "per"):
            found[
                "aggregation", "orderColumn" if tokens[end - 1].word == ")" and ")" not in _words(tokens, start, at) else "groupingColumns"
            ] = at + 1
    return found


def limit_parts(tokens: Sequence[Token], start: int, end: int) -> dict[Path, int]:
    """The parts of the last `limit` in these words."""
    found: dict[Path, int] = {}
    for at in range(start, end):
        if tokens[at].word == "limit":
            found = {("limit",): at, ("limit", "number"): at + 1}
        elif found and tokens[at].word in ("by", ","):
            index = sum(1 for path in found if path[:2] == ("limit", "orderColumns"))
            found["limit", "orderColumns", index] = at + 1
    return found


_VALUES = ("true", "false", "*")


def _words(tokens: Sequence[Token], start: int, end: int) -> list[str]:
    return [token.word for token in tokens[start:end]]
