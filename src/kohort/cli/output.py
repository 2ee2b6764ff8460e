"""How the command line shows things: tables and trees for people, JSON for programs, problems on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from unicodedata import category

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from kohort.foundation.issues import Issue, path_text

_UNLIMITED = 10_000
_EXCERPT = 72
_GAP = 2
"""Blanks between the columns of a table."""


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), width=None if stream.isatty() else _UNLIMITED)


def show(text: str = "") -> None:
    """One line (or more) of plain text on standard output."""
    print(text)


def note(text: str) -> None:
    """A remark for the person at the terminal, on standard error, so that output stays clean for programs."""
    print(text, file=sys.stderr)


def styled(text: str) -> None:
    """A line with rich markup; escape user text with `rich.markup.escape`."""
    _console().print(text)


def show_json(value: Any) -> None:
    """JSON for programs: two spaces, unicode as it is, instants in ISO 8601 UTC."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=plain))


def plain(value: Any) -> Any:
    """A JSON-able form of what warehouses and records hold."""
    match value:
        case datetime():
            return instant_text(value)
        case date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
        case bytes():
            return value.hex()
        case timedelta():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case _:
            return str(value)


def instant_text(instant: datetime) -> str:
    """ISO 8601, UTC, with Z."""
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def cell(value: Any) -> str:
    """A value as a table shows it: empty for null, thousands separated only for counts the caller formats."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.2f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S") if value.time() != time(0) else value.strftime("%Y-%m-%d")
        case list() | tuple():
            return ", ".join(cell(item) for item in value)
        case dict():
            return printable(json.dumps(value, ensure_ascii=False, default=plain))
        case _:
            return printable(str(value))


def batch_rows(batch: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of an Arrow table or batch, value by value (two columns may have one name)."""
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def printable(text: str) -> str:
    """Text in which nothing can move the cursor or color the terminal: control characters are written out.

    >>> printable("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(sign if category(sign) not in ("Cc", "Cs") else sign.encode("unicode_escape").decode() for sign in text)


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[int] = (),
    spare: Iterable[int] = (),
    empty: str = "nothing to show",
) -> None:
    """A table; `right` names the columns (by position) that are aligned to the right and never folded.

    Texts are folded between words only, so that a name can be copied. When the terminal is too narrow for that, the columns of
    `spare` that hold nothing but zeros go first; when that is not enough, a line a value.
    """
    shown = [[cell(value) for value in row] for row in rows]
    if not shown:
        note(empty)
        return
    numeric, room = set(right), _console().width
    wanted = _widths(columns, shown)
    least = [wanted[at] if at in numeric else _longest_word(column) for at, column in enumerate(zip(columns, *shown, strict=True))]
    if _across(least) > room:
        idle = {at for at in spare if all(row[at] in ("", "0") for row in shown)}
        if idle:
            kept = [at for at in range(len(columns)) if at not in idle]
            fewer = [[row[at] for at in kept] for row in shown]
            show_table([columns[at] for at in kept], fewer, right=[at for at, old in enumerate(kept) if old in numeric])
        else:
            _show_one_by_one(columns, shown)
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for at, width in enumerate(_shared(least, wanted, room)):
        justify: Literal["left", "right"] = "right" if at in numeric else "left"
        table.add_column(escape(printable(columns[at])), justify=justify, overflow="fold", no_wrap=at in numeric, width=width)
    for row in shown:
        table.add_row(*(escape(text) for text in row))
    _console().print(table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column would be with nothing folded."""
    return [max(cell_len(text) for text in column) for column in zip(columns, *rows, strict=True)]


def _longest_word(texts: Iterable[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _across(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _shared(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int]:
    """A width for each column: at least this, at most that, together no more than there is room for.

    >>> _shared([5, 4, 4], [5, 20, 6], 25)
    [5, 10, 6]
    """
    widths, left = list(least), room - _across(least)
    narrow = sorted(range(len(least)), key=lambda at: wanted[at] - least[at])
    for place, at in enumerate(narrow):
        more = min(wanted[at] - least[at], left // (len(narrow) - place))
        widths[at] += more
        left -= more
    return widths


def fitting_columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """How many columns of a table fit the terminal side by side, two at least."""
    shown = [[cell(value) for value in row] for row in rows]
    used = 0
    for number, column in enumerate(zip(names, *shown, strict=True)):
        used += max(cell_len(text) for text in column) + 2
        if used - 2 > _console().width:
            return max(2, number)
    return len(names)


def show_rows(names: Sequence[str], types: Iterable[Any], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows of the warehouse as a table, numbers to the right. types: Arrow types of the columns."""
    numbers = ("int", "uint", "double", "float", "decimal")
    right = [position for position, kind in enumerate(types) if str(kind).startswith(numbers)]
    shown = [[cell(value) for value in row] for row in rows]
    if shown and _across(_widths(names, shown)) > _console().width:
        _show_one_by_one(names, shown)
    else:
        show_table(names, shown, right=right, empty=empty)


def _show_one_by_one(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows too wide for the terminal: a line a value. A word that is wider than its line is left whole for the terminal to continue."""
    console = _console()
    label = max(cell_len(name) for name in names)
    for number, row in enumerate(rows, 1):
        console.print(f"[dim]row {number}[/dim]")
        for name, text in zip(names, row, strict=True):
            title = Text(printable(name), style="bold")
            if _longest_word([text]) > console.width - label - _GAP:
                title.append(" " * (label + _GAP - cell_len(title.plain)))
                console.print(title + Text(text, style="not bold"), soft_wrap=True)
                continue
            grid = Table.grid(padding=(0, _GAP, 0, 0))
            grid.add_column(width=label)
            grid.add_column(overflow="fold")
            grid.add_row(title, Text(text, overflow="fold"))
            console.print(grid)


def show_arrow(table: Any, *, empty: str) -> None:
    """An Arrow table as a table."""
    show_rows(table.column_names, table.schema.types, batch_rows(table), empty=empty)


def count_text(number: int) -> str:
    """1234567 as people read it: 1,234,567."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """1 error, 2 errors."""
    return f"{count_text(number)} {noun}{'' if number == 1 else 's'}"


def counted_bold(number: int, noun: str) -> str:
    """The same with the number in bold, as markup."""
    return f"[bold]{count_text(number)}[/bold] {noun}{'' if number == 1 else 's'}"


def share_text(count: int, base: int) -> str:
    """A share in percent with one digit; nothing of nothing is a dash."""
    return f"{100 * count / base:.1f}%" if base else "-"


def show_issues(issues: Iterable[Issue]) -> None:
    """Every problem on standard error: place, severity, code, message, way out."""
    console = _console(stderr=True)
    files: dict[str, int] = {}
    listed = list(issues)
    for issue in listed:
        files.setdefault(issue.file, len(files))
    for issue in sorted(listed, key=lambda found: (files[found.file], found.line, found.column)):
        place = ":".join(str(part) for part in (issue.file, issue.line, issue.column) if part)
        where = f"{escape(place)}: " if place else ""
        color = "red" if issue.severity == "error" else "yellow"
        typed = bool(issue.excerpt) and not issue.file
        trail = f" [dim]at {escape(path_text(issue.path))}[/dim]" if issue.path and not typed else ""
        console.print(f"{where}[{color}]{issue.severity}[/{color}] {escape(f'[{issue.code}]')} {_shown(issue.message)}{trail}")
        for line in _excerpt(issue):
            console.print(f"    [dim]{escape(line)}[/dim]", soft_wrap=True)
        if issue.hint:
            console.print(f"    {_shown(issue.hint)}")


def _excerpt(issue: Issue) -> tuple[str, ...]:
    """The line of a text rule, cut around the place, and a caret under it."""
    if not issue.excerpt.strip():
        return ()
    start = max(0, issue.excerpt_column - _EXCERPT * 2 // 3) if len(issue.excerpt) > _EXCERPT else 0
    text = issue.excerpt[start : start + _EXCERPT]
    before = cell_len(printable(text[: issue.excerpt_column - 1 - start]))
    return printable(text), f"{' ' * before}^"


def _shown(text: str) -> str:
    return escape("\n".join(printable(line) for line in text.split("\n")))


def show_error(code: str, message: str, hint: str = "") -> None:
    """One refusal on standard error."""
    show_issues([Issue(code, message, hint=hint)])


class _Steps:
    """Progress on a terminal: one bar that says what is being done; elsewhere: a line a step."""

    def __init__(self, bar: Progress | None) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._last = ""

    def step(self, name: str, done: int, total: int) -> None:
        """See `kohort.ports.progress.Progress`."""
        if self._bar is None:
            if name and name != self._last:
                note(f"  {name} ...")
            self._last = name
            return
        if self._task is None:
            self._task = self._bar.add_task(name, total=max(total, 1))
        self._bar.update(self._task, description=name, completed=done, total=max(total, 1))


@contextmanager
def progress(enabled: bool = True) -> Iterator[_Steps | None]:
    """Shows the steps of long work on standard error while it runs; None when not wanted (--json)."""
    if not enabled:
        yield None
        return
    if not sys.stderr.isatty():
        yield _Steps(None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        yield _Steps(bar)


def print_tree(tree: Tree) -> None:
    """A tree of folders on standard output."""
    _console().print(tree)


def print_panel(panel: Panel) -> None:
    """A framed card on standard output."""
    _console().print(panel, soft_wrap=False)
