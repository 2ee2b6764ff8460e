"""Tables that are sorted by their heads: the order stands in the address of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sorting:
    """By which column, and whether the largest comes first."""

    column: str
    descending: bool

    def sorted(self, items: Iterable[T], key: Callable[[T], Any]) -> list[T]:
        """In this order; what has no value comes last either way."""
        listed = list(items)
        known = [item for item in listed if key(item) is not None]
        return sorted(known, key=key, reverse=self.descending) + [item for item in listed if key(item) is None]

    def link(self, column: str, numeric: bool = True) -> str:
        """What the head of a column leads to: the other direction, or at first the one that people look for.

        >>> Sorting("name", False).link("name"), Sorting("name", False).link("profiles"), Sorting("x", True).link("name", False)
        ('-name', '-profiles', 'name')
        """
        if column == self.column:
            return column if self.descending else f"-{column}"
        return f"-{column}" if numeric else column

    def aria(self, column: str) -> str:
        """The `aria-sort` of a column's head."""
        return ("descending" if self.descending else "ascending") if column == self.column else "none"


def sorting(text: str, columns: Iterable[str], default: str) -> Sorting:
    """The order that an address asks for; what is no column is the default.

    >>> sorting("-size", ["size"], "name"), sorting("nothing", ["size", "name"], "name")
    (Sorting(column='size', descending=True), Sorting(column='name', descending=False))
    """
    wanted = text if text.removeprefix("-") in set(columns) else default
    return Sorting(wanted.removeprefix("-"), wanted.startswith("-"))
