"""`kohort sg preview|overlap`: what a rule gives before it is saved, and how much segments overlap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.charts import bar, shade
from kohort.cli.context import JSON, AsOf, Expression, ParentOption, existing_paths, open_current_engine, read_as_of
from kohort.cli.output import (
    count_text,
    counted,
    counted_bold,
    fitting_columns,
    instant_text,
    note,
    printable,
    progress,
    share_text,
    show,
    show_issues,
    show_json,
    show_table,
    styled,
)
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kohort.services.evaluation.evaluate import Engine
    from kohort.services.evaluation.overlap import OverlapMatrix
    from kohort.services.preview.drafts import Draft
    from kohort.services.preview.preview import Changed, NodeCount, Preview

_BAR_CELLS = 24
_MOST_OVERLAPS = 5
_MOST_IN_MATRIX = 12
_MOST_PAIRS = 30


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `kohort sg`."""
    app.command("preview")(preview)
    app.command("overlap")(overlap)


def preview(
    target: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A YAML or JSON file, or a saved segment: path, name or id.")] = "",
    expression: Expression = "",
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="The saved segment it would replace (default: by the file's name).")
    ] = "",
    columns: Annotated[str, typer.Option("--columns", help="Attributes of the sample, comma separated.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many members to show.")] = 5,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show what a rule gives before it is saved. Size, what each condition keeps, overlap, who would enter and leave."""
    from kohort.services.preview.document import preview_document
    from kohort.services.preview.preview import preview as run

    session, engine = open_session(), open_current_engine(parent)
    draft = _draft(engine, target, expression, against)
    names = [name.strip() for name in columns.split(",") if name.strip()]
    moment = read_as_of(as_of, engine.catalog.timezone)
    with progress(not as_json) as steps:
        found = run(engine, session.store, draft, snapshots=session.snapshots, as_of=moment, columns=names, sample=limit, progress=steps)
    if as_json:
        show_json(preview_document(found))
    else:
        _show_preview(found, engine.parent.name)
    if not found.issues.ok:
        raise typer.Exit(1)


def _draft(engine: Engine, target: str, expression: str, against: str) -> Draft:
    from kohort.services.preview.drafts import draft_of_file, draft_of_saved, draft_of_text, is_file

    if bool(target) == bool(expression):
        raise UsageError("give one of: FILE, NAME, -e 'RULE'")
    if expression:
        draft = draft_of_text(expression, engine.catalog)
    elif is_file(target) and engine.graph.resolve(target) is None:
        [path] = existing_paths([Path(target)])
        draft = draft_of_file(path, open_session().workspace, engine.parent.slug)
    else:
        draft = draft_of_saved(engine, target)
    return draft.standing_for(draft_of_saved(engine, against).segment.path) if against else draft


def _show_preview(found: Preview, parent_name: str) -> None:
    if found.sentence:
        styled(f"[bold]{escape(printable(found.sentence))}[/bold]")
    if found.count is None:
        styled("[yellow]The rule as a whole cannot be counted yet.[/yellow]")
    else:
        inside = "" if found.share_of == parent_name else f", {share_text(found.count, found.total)} of all"
        styled(
            f"{counted_bold(found.count, 'profile')} ({share_text(found.count, found.base_count)} of "
            f"{count_text(found.base_count)} in {escape(found.share_of)}{inside}) as of {instant_text(found.as_of)}"
        )
    show()
    _show_nodes(found)
    _show_waterfall(found)
    _show_overlaps(found)
    _show_saved(found)
    if found.sample.rows:
        show()
        _show_sample(found.sample.columns, found.sample.rows)
    show_issues(found.issues)


def _show_sample(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Some members with as many attributes as fit side by side."""
    shown = fitting_columns(columns, rows)
    show_table(columns[:shown], [row[:shown] for row in rows])
    if shown < len(columns):
        note(f"and {counted(len(columns) - shown, 'more attribute')} (--columns chooses, --json has all)")


def _show_nodes(found: Preview) -> None:
    """Every condition beside how many it holds for, indented as it is nested."""
    rows = []
    for node in found.nodes:
        if node.path == "rule" and len(found.nodes) == 1:
            continue
        count = "?" if node.count is None else count_text(node.count)
        share = "" if node.count is None else share_text(node.count, found.base_count)
        rows.append((_node_label(node), count, share, "" if node.count is None else bar(node.count, found.base_count, _BAR_CELLS).rstrip()))
    if rows:
        show_table(("condition", "profiles", "share", ""), rows, right=(1, 2))


def _node_label(node: NodeCount) -> str:
    words = {"all": "all of", "any": "any of", "expr": "match logic over"}
    label = words[node.match] if node.match else node.text or "(cannot be read)"
    return "  " * node.path.count("conditions[") + label


def _show_waterfall(found: Preview) -> None:
    """What each condition of the top group keeps and drops, in order, and its limit after them."""
    from kohort.rules.text.write import limit_text

    waterfall = next((waterfall for waterfall in found.waterfalls if waterfall.path == "rule"), None)
    limit = found.rule.limit if found.rule is not None and not found.rule.exclude else None
    if waterfall is None or (len(waterfall.steps) < 2 and limit is None):
        return
    rows = [("everybody" if not found.base_count < found.total else found.share_of, count_text(waterfall.start), "", bar(1, 1, _BAR_CELLS))]
    for step in waterfall.steps:
        kept = "?" if step.kept is None else count_text(step.kept)
        dropped = "" if step.dropped is None else _signed(-step.dropped)
        rows.append(
            (
                step.text or "(cannot be read)",
                kept,
                dropped,
                "" if step.kept is None else bar(step.kept, waterfall.start, _BAR_CELLS).rstrip(),
            )
        )
    if limit is not None and found.count is not None and waterfall.steps[-1].kept is not None:
        change = _signed(found.count - waterfall.steps[-1].kept)
        rows.append((limit_text(limit), count_text(found.count), change, bar(found.count, waterfall.start, _BAR_CELLS).rstrip()))
    show()
    show_table(("in order", "kept", "dropped", ""), rows, right=(1, 2))


def _show_overlaps(found: Preview) -> None:
    if not found.overlaps:
        return
    rows = [
        (
            pair.second,
            count_text(pair.shared),
            share_text(pair.shared, pair.first_count),
            share_text(pair.shared, pair.second_count),
            f"{pair.jaccard or 0:.2f}",
        )
        for pair in found.overlaps[:_MOST_OVERLAPS]
    ]
    show()
    show_table(("overlaps with", "shared", "of this", "of that", "Jaccard"), rows, right=(1, 2, 3, 4))


def _show_saved(found: Preview) -> None:
    if found.saved is None:
        return
    show()
    if found.saved.same_meaning:
        styled(f"[dim]It means the same as version {found.saved.version} of {escape(found.saved.segment.path)}.[/dim]")
        return
    rows = [_changed_row(found.saved.segment, f"{found.saved.segment.path} (version {found.saved.version})")]
    rows += [_changed_row(changed, f"  needs it: {changed.path}") for changed in found.saved.dependents]
    show_table(("saving changes", "before", "after", "entered", "left"), rows, right=(1, 2, 3, 4))


def _changed_row(changed: Changed, label: str) -> tuple[str, ...]:
    return label, count_text(changed.before), count_text(changed.after), _signed(changed.entered), _signed(-changed.left)


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def overlap(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Segments and variants (default: all segments).")] = None,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show how many members segments share. A shaded matrix, or the most alike pairs of many."""
    from kohort.services.evaluation.overlap import overlap_matrix
    from kohort.services.preview.document import matrix_document

    session, engine = open_session(), open_current_engine(parent)
    moment = read_as_of(as_of, engine.catalog.timezone)
    with progress(not as_json) as steps:
        found = overlap_matrix(engine, session.store, session.snapshots, names or (), as_of=moment, progress=steps)
    if as_json:
        show_json(matrix_document(found))
        return
    if len(found.paths) <= _MOST_IN_MATRIX:
        _show_matrix(found)
    else:
        note(f"{len(found.paths)} segments as of {instant_text(found.as_of)}; the {_MOST_PAIRS} most alike pairs (--json has all)")
    _show_pairs(found)


def _show_matrix(found: OverlapMatrix) -> None:
    """A row says which share of its segment is in each column's segment, as a shade and in percent."""
    rows: list[tuple[Any, ...]] = []
    places = range(len(found.paths))
    for row in places:
        size = found.count(row)
        cells = [
            "-" if not size else f"{shade(int(found.shared[row, column]) / size)} {100 * int(found.shared[row, column]) / size:.0f}%"
            for column in places
        ]
        rows.append((row + 1, found.paths[row], count_text(size), *cells))
    show_table(("", "of segment", "profiles", *(str(place + 1) for place in places)), rows, right=(0, 2, *(place + 3 for place in places)))


def _show_pairs(found: OverlapMatrix) -> None:
    rows = [
        (
            p.first,
            p.second,
            count_text(p.shared),
            share_text(p.shared, p.first_count),
            share_text(p.shared, p.second_count),
            f"{p.jaccard or 0:.2f}",
        )
        for p in found.pairs()[:_MOST_PAIRS]
        if p.shared
    ]
    if rows:
        show()
        show_table(("segment", "and", "shared", "of the first", "of the second", "Jaccard"), rows, right=(2, 3, 4, 5))
