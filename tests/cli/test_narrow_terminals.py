"""Tables on a terminal that is too narrow for them."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from kohort.cli import output


def shown(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    """A table of a long name, two figures and a long remark, as lines."""
    written = StringIO()
    monkeypatch.setattr(output, "_console", lambda: Console(file=written, width=width, highlight=False))
    rows = [("Campaign Targeting", 1_469_307, 12, "nothing that one would have to look at")]
    output.show_table(("name", "received", "in tables", "remark"), rows, right=(1, 2))
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_table_that_fits_is_a_line_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 90)
    assert lines[0].split() == ["name", "received", "in", "tables", "remark"]
    assert len(lines) == 2


def test_texts_are_folded_and_figures_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 60)
    assert max(map(len, lines)) <= 60
    assert "received  in tables" in lines[0]
    assert "1469307         12" in lines[1]


def test_what_would_be_cut_into_pieces_is_a_line_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, 40) == [
        "row 1",
        "name       Campaign Targeting",
        "received   1469307",
        "in tables  12",
        "remark     nothing that one would have",
        "           to look at",
    ]
