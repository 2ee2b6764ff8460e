"""`kohort sg explain|lint`: why somebody is in a segment, what is odd about it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.tree import Tree

from kohort.cli.context import JSON, AsOf, Expression, ParentOption, open_current_engine, read_as_of
from kohort.cli.output import (
    count_text,
    counted,
    note,
    print_tree,
    printable,
    progress,
    show_json,
    styled,
)
from kohort.cli.sg_days import Name, backtest, forecast
from kohort.cli.usage import UsageError
from kohort.foundation.instants import Micros, from_micros
from kohort.foundation.issues import path_text

if TYPE_CHECKING:
    from kohort.evaluation.explain import LimitOutcome, Node, SegmentExplanation, Turn, VariantPlace
    from kohort.evaluation.observed import EvidenceRow, Missing, Observed, ShownWindow
    from kohort.foundation.issues import Issue
    from kohort.services.insight.explain import CustomerExplanation
    from kohort.services.insight.lint import LintReport

_GROUPS = {"all": "all of", "any": "any of", "expr": "match logic"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module, and of `sg_days`, to `kohort sg`."""
    for name, command in (("explain", explain), ("backtest", backtest), ("forecast", forecast), ("lint", lint)):
        app.command(name)(command)


def explain(
    name: Name = "",
    profile: Annotated[str, typer.Option("--profile", metavar="KEY", help="The customer: master key or cdp_customer_id.")] = "",
    expression: Expression = "",
    evidence: Annotated[int, typer.Option("--rows", min=0, help="How many rows to show of each condition.")] = 5,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Say why a customer is in a segment or is not. Every condition, what it saw, what would change it and when."""
    from kohort.services.evaluation.evaluate import placed_in, read_text_rule, resolve_path
    from kohort.services.insight.explain import explain_rule, explain_segment

    if bool(name) == bool(expression):
        raise UsageError("give one of: NAME, -e 'RULE'")
    if not profile:
        raise UsageError("give the customer: --profile KEY")
    engine = open_current_engine(parent)
    moment = read_as_of(as_of, engine.catalog.timezone)
    if expression:
        with placed_in(expression, engine.catalog):
            found = explain_rule(engine, read_text_rule(expression, engine.catalog), profile, as_of=moment, evidence=evidence)
    else:
        found = explain_segment(engine, resolve_path(engine, name), profile, as_of=moment, evidence=evidence)
    if as_json:
        from kohort.services.insight.explanation_document import explanation_document

        show_json(explanation_document(found))
    else:
        _Shower(found).show()


class _Shower:
    """Prints one explanation; instants in the parent segment's zone."""

    def __init__(self, found: CustomerExplanation) -> None:
        self.found = found
        self.zone = ZoneInfo(found.catalog.timezone)

    def show(self) -> None:
        found, explanation = self.found, self.found.explanation
        verb = "[green]is in[/green]" if explanation.holds else "[red]is not in[/red]"
        place = escape(printable(found.path)) if found.path else "this rule"
        styled(f"[bold]{escape(printable(found.key))}[/bold] {verb} [bold]{place}[/bold] as of {self.at(explanation.as_of)}")
        tree = Tree(self._segment_line(explanation.segment), guide_style="dim")
        self._add_segment(tree, explanation.segment)
        print_tree(tree)
        self._show_change()
        self._show_next()

    def at(self, micros: Micros) -> str:
        """An instant as the zone's clocks show it, as short as exactness allows."""
        local = from_micros(micros).astimezone(self.zone)
        if local.microsecond:
            return f"{local:%Y-%m-%d %H:%M:%S.%f}"
        if local.second:
            return f"{local:%Y-%m-%d %H:%M:%S}"
        return f"{local:%Y-%m-%d %H:%M}"

    # --- the tree -----------------------------------------------------------------------------------------------

    def _segment_line(self, segment: SegmentExplanation) -> str:
        title = "rule" if segment.path.startswith("\0") else segment.path
        return f"{_mark(segment.holds)} [bold]{escape(printable(title))}[/bold]"

    def _add_segment(self, tree: Tree, segment: SegmentExplanation) -> None:
        if segment.base is not None:
            self._add_segment(tree.add(f"{self._segment_line(segment.base)} [dim](inside)[/dim]"), segment.base)
        if segment.variant is not None:
            tree.add(self._variant(segment.variant))
        if segment.tree is not None:
            self._add(tree, segment.tree)

    def _variant(self, place: VariantPlace) -> str:
        mark = _mark(place.asked in ("", place.found))
        if place.place is None:
            return f"{mark} A/B test {escape(place.test_id)}: {escape(place.key_column)} has no value, so no variant"
        where = f"{place.found} ({place.low}% to {place.high}%)" if place.found else "no variant"
        return f"{mark} A/B test {escape(place.test_id)}: {escape(printable(place.key or ''))} is at {place.place:.4f}%, in {escape(where)}"

    def _add(self, tree: Tree, node: Node) -> None:
        branch = tree.add(self._line(node))
        for part in node.parts:
            self._add(branch, part)
        if node.observed is not None:
            self._add_observed(branch, node.observed)
        if node.reference is not None:
            self._add_segment(branch.add(self._segment_line(node.reference)), node.reference)

    def _line(self, node: Node) -> str:
        if node.kind in _GROUPS:
            label = f"{'not ' if node.exclude else ''}{_GROUPS[node.kind]}{f' ({node.text})' if node.text else ''}"
        else:
            label = node.text
        saw = self._saw(node) if node.observed is not None else ""
        limit = f"  [dim]{_limit(node.limit)}[/dim]" if node.limit is not None else ""
        described = f"  [dim]{escape(printable(node.description))}[/dim]" if node.description else ""
        return f"{_mark(node.holds)} {escape(printable(label))}{saw}{limit}{described}"

    def _saw(self, node: Node) -> str:
        observed = node.observed
        assert observed is not None
        parts = [f"[cyan]{escape(self.value(observed.value, observed.storage))}[/cyan]"] if node.kind != "sequence" else []
        if observed.rows is not None and node.kind == "behavior" and observed.value != observed.rows:
            parts.append(f"{count_text(observed.rows)} row{'' if observed.rows == 1 else 's'}")
        if observed.steps:
            parts.append(f"rows of each step: {', '.join(count_text(step) for step in observed.steps)}")
        if observed.missing is not None:
            parts.append(f"{_missing(observed.missing)} would turn it")
        parts.extend(self._window(window) for window in observed.windows)
        if node.next is not None and node.next.at is not None:
            parts.append(f"until {self.at(node.next.at)}")
        return f"  [dim]{'; '.join(parts)}[/dim]" if parts else ""

    def _window(self, window: ShownWindow) -> str:
        low = "..." if window.low is None else f"{'[' if window.low_included else '('}{self.at(window.low)}"
        high = "..." if window.high is None else f"{self.at(window.high)}{']' if window.high_included else ')'}"
        return escape(f"{low} .. {high}")

    def _add_observed(self, branch: Tree, observed: Observed) -> None:
        if len(observed.parts) > 1 or any(part.group for part in observed.parts):
            for part in observed.parts:
                key = ", ".join(f"{name} {self.value(value, '')}" for name, value in part.group) or "window"
                value = self.value(part.value, observed.storage)
                rows = f"{part.rows} row{'' if part.rows == 1 else 's'}"
                branch.add(f"{_mark(part.passes)} {escape(key)}: [cyan]{escape(value)}[/cyan]  [dim]{rows}[/dim]")
        for row in observed.evidence:
            branch.add(f"[dim]{escape(self._row(row))}[/dim]")
        hidden = (observed.rows or 0) - len(observed.evidence)
        if hidden > 0 and observed.evidence:
            branch.add(f"[dim]and {count_text(hidden)} more[/dim]")

    def _row(self, row: EvidenceRow) -> str:
        fields = self.found.catalog.behavior[row.behavior].by_name
        values = ", ".join(f"{name} {self.cell(value, fields[name].storage)}" for name, value in row.values.items())
        return f"{self.at(row.at)}  {row.behavior}  {values}".rstrip()

    def cell(self, value: Any, storage: str) -> str:
        """A value of a row: numbers as they are, for they may be keys."""
        plain = isinstance(value, int) and not isinstance(value, bool) and storage != "timestamp"
        return str(value) if plain else self.value(value, storage)

    def value(self, value: Any, storage: str) -> str:
        """A value as people read it."""
        match value:
            case None:
                return "no value"
            case bool():
                return "true" if value else "false"
            case int() if storage == "timestamp":
                return self.at(value)
            case int():
                return count_text(value)
            case float() | Decimal():
                return f"{value:,}"
            case date():
                return value.isoformat()
            case tuple():
                return printable(f"[{', '.join(self.value(part, '') for part in value)}]")
            case _:
                return printable(str(value))

    # --- what would change it -----------------------------------------------------------------------------------

    def _show_change(self) -> None:
        change = self.found.explanation.change
        goal = "leave" if self.found.explanation.holds else "enter"
        if change is None:
            styled(f"To {goal}: nothing turns this rule round")
            return
        styled(f"To {goal}, the smallest change: " + "; ".join(escape(printable(self._turn(turn))) for turn in change))

    def _turn(self, turn: Turn) -> str:
        text = f"{turn.text} {'must hold' if turn.to_hold else 'must not hold'}"
        if turn.missing is None:
            return text
        when = f" in the next {_length(turn.until - self.found.explanation.as_of)}" if turn.until is not None else ""
        return f"{text} ({_missing(turn.missing)}{when})"

    def _show_next(self) -> None:
        change = self.found.explanation.next
        now = self.found.explanation.as_of
        if change is None:
            text = "depends on other customers: a limit takes part"
        elif change.at_latest is not None:
            text = f"by {self.at(change.at_latest)} at the latest, in {_length(change.at_latest - now)}"
            text += "\n  Depends on other customers, because a limit takes part: it may also change before and change back"
        elif change.looked_until is not None:
            text = f"not seen at any instant looked at until {self.at(change.looked_until)}"
            text += "\n  Depends on other customers, because a limit takes part: it may change in between"
        elif change.at is not None:
            text = f"at {self.at(change.at)}, in {_length(change.at - now)}"
        elif change.unchanged_until is not None:
            text = f"not before {self.at(change.unchanged_until)}"
        else:
            text = "never, unless something new happens"
        styled(f"Changes by itself: {text}")


def _mark(holds: bool) -> str:
    return "[green]✓[/green]" if holds else "[red]✗[/red]"


def _limit(limit: LimitOutcome) -> str:
    kept = f"the first {count_text(limit.kept)} of {count_text(limit.candidates)} are kept"
    if limit.rank is None:
        return kept if limit.member else f"{kept}; not among them"
    return f"rank {count_text(limit.rank)}; {kept}"


def _missing(missing: Missing) -> str:
    return f"{'more than ' if missing.strict else ''}{missing.amount:,} {missing.direction}"


def _length(micros: Micros) -> str:
    """A length of time, to the largest two units.

    >>> _length(90_000_000)
    '1 minute 30 seconds'
    """
    seconds = max(1, micros // 1_000_000)
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{count_text(number)} {unit}{'' if number == 1 else 's'}")
    return " ".join(parts[:2])


# --- lint ---------------------------------------------------------------------------------------------------------


def lint(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Saved segments: path, name or id (default: all).")] = None,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Say what is odd about valid segments. Contradictions, idle conditions, null traps, empty segments, twins; then exit code 1."""
    from kohort.cli.session import open_session
    from kohort.services.evaluation.evaluate import resolve_path
    from kohort.services.insight.lint import in_files, lint_segments
    from kohort.workspace.reading import read_segment_files

    engine = open_current_engine(parent)
    paths = {engine.graph.owners[resolve_path(engine, name)] for name in names or ()}
    moment = read_as_of(as_of, engine.catalog.timezone)
    with progress(not as_json) as steps:
        report = lint_segments(engine, paths, as_of=moment, progress=steps)
    files, _ = read_segment_files(open_session().workspace, engine.parent.slug)
    report = in_files(report, engine, files)
    if as_json:
        show_json(_lint_document(report))
    else:
        _show_lint(report)
    if report.findings:
        raise typer.Exit(1)


def _lint_document(report: LintReport) -> dict[str, Any]:
    segments = [
        {
            "path": segment.path,
            "population": segment.population,
            "findings": [_finding(issue) for issue in segment.issues],
            "silenced": [_finding(issue) for issue in segment.silenced],
        }
        for segment in report.segments
    ]
    return {"segments": segments, "total": report.total, "findings": report.findings, "silenced": report.silenced}


def _show_lint(report: LintReport) -> None:
    for segment in report.segments:
        if segment.issues or segment.silenced:
            styled(f"[bold]{escape(printable(segment.path))}[/bold]  [dim]{counted(segment.population, 'profile')}[/dim]")
        for issue in segment.issues:
            _show_finding(issue)
        for issue in segment.silenced:
            styled(f"  [dim]{issue.code} silenced: {escape(printable(issue.message))}[/dim]")
    odd = sum(bool(segment.issues) for segment in report.segments)
    of_them = f" in {odd} of them" if report.findings and len(report.segments) > 1 else ""
    silenced = f"; {report.silenced} silenced" if report.silenced else ""
    note(f"{counted(len(report.segments), 'segment')} looked at: {counted(report.findings, 'finding')}{of_them}{silenced}")


def _finding(issue: Issue) -> dict[str, Any]:
    found: dict[str, Any] = {"code": issue.code, "message": issue.message, "path": path_text(issue.path), "hint": issue.hint}
    return found | ({"file": issue.file, "line": issue.line, "column": issue.column} if issue.line else {})


def _show_finding(issue: Issue) -> None:
    where = f"{issue.file}:{issue.line}:{issue.column}" if issue.line else path_text(issue.path)
    place = f" [dim]at {escape(printable(where))}[/dim]" if where else ""
    styled(f"  [yellow]{issue.code}[/yellow] {escape(printable(issue.message))}{place}")
    if issue.hint:
        styled(f"      [dim]{escape(printable(issue.hint))}[/dim]")
