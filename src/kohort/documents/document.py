"""A value read from a file, with the line and column of every part of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from kohort.foundation.issues import Issue, Issues, Path


@dataclass(frozen=True)
class Document:
    """`value` is made of dict (text keys), list, str, int, float, bool and None.

    `places` maps a path to the (line, column) of its value, both from 1; for a mapping entry, of its key.
    """

    value: Any
    file: str = ""
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path) -> tuple[int, int]:
        """Where `path` stands; of an unknown path, its nearest known parent; (0, 0) without positions."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found:
                return found
        return (0, 0)

    def at(self, path: Path) -> Document:
        """The part of the document under `path`, with its own places (paths relative to it)."""
        value = self.value
        for part in path:
            value = value[part]
        inner = {key[len(path) :]: place for key, place in self.places.items() if key[: len(path)] == path}
        return Document(value, self.file, inner)

    def located(self, issues: Issues) -> Issues:
        """The same issues with file, line and column filled in from their paths (those already placed stay)."""
        placed = Issues()
        for issue in issues:
            placed.add(issue if issue.line else self._with_place(issue))
        return placed

    def _with_place(self, issue: Issue) -> Issue:
        line, column = self.place(issue.path)
        return replace(issue, file=issue.file or self.file, line=line, column=column)
