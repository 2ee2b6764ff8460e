"""Small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are kept on one line."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """One line; signs that Markdown would read as its own are escaped, but not inside `...`."""
    parts = text.replace("\n", " ").replace("|", "\\|").split("`")
    return "`".join(part if position % 2 else part.replace("<", "&lt;") for position, part in enumerate(parts))


def heading_link(heading: str) -> str:
    """A link to a heading of the same page.

    >>> heading_link("kohort sg list")
    '[kohort sg list](#kohort-sg-list)'
    """
    return f"[{heading}](#{heading.lower().replace(' ', '-')})"
