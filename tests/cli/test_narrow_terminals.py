"""Tables on a terminal that is too narrow for them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from kohort.cli import output


def lines_of(monkeypatch: pytest.MonkeyPatch, width: int, show: Callable[[], None]) -> list[str]:
    """What is shown on a terminal of that width."""
    written = StringIO()
    monkeypatch.setattr(output, "_console", lambda: Console(file=written, width=width, highlight=False))
    show()
    return [line.rstrip() for line in written.getvalue().splitlines()]


def shown(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    """A table of a long name, two figures and a long remark, as lines."""
    rows = [("Campaign Targeting", 1_469_307, 12, "nothing that one would have to look at")]
    columns = ("name", "received", "in tables", "remark")
    return lines_of(monkeypatch, width, lambda: output.show_table(columns, rows, right=(1, 2)))


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
    assert shown(monkeypatch, 38) == [
        "row 1",
        "name       Campaign Targeting",
        "received   1469307",
        "in tables  12",
        "remark     nothing that one would have",
        "           to look at",
    ]


TABLES = ("analytics.campaign_targetings", "shop.customers")


@pytest.mark.parametrize("width", [20, 36, 44, 50, 58, 70, 120])
def test_a_name_is_whole_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    rows = [("behavior", "Campaign Targeting", table, 1_469_307, 0) for table in TABLES]
    columns = ("part", "name", "table", "rows", "no key")
    found = lines_of(monkeypatch, width, lambda: output.show_table(columns, rows, right=(3, 4), spare=(4,)))
    words = " ".join(found).split()
    assert set(TABLES) <= set(words)
    assert words.count("1469307") == 2
    assert max(map(len, found)) <= max(width, len("analytics.campaign_targetings") + 8)


def test_figures_that_are_all_zero_go_before_the_table_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("table", "rows", "no key", "twice")

    def said(width: int, twice: int) -> str:
        rows = [(table, 12, 0, twice) for table in TABLES]
        return lines_of(monkeypatch, width, lambda: output.show_table(columns, rows, right=(1, 2, 3), spare=(2, 3)))[0]

    assert said(60, 0).split() == ["table", "rows", "no", "key", "twice"]
    assert said(48, 0).split() == ["table", "rows"]
    assert said(48, 1).split() == ["table", "rows", "twice"]
    assert said(40, 1).split() == ["row", "1"]
