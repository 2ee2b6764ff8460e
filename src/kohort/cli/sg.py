"""`kohort sg ...`: list, count, evaluate, show and export segments (writing them is in `sg_definitions`)."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.tree import Tree

from kohort.cli import sg_definitions, sg_explain, sg_history, sg_preview
from kohort.cli.audit import record_done
from kohort.cli.context import JSON, AsOf, Expression, ParentOption, current_catalog, current_parent, open_current_engine, read_as_of
from kohort.cli.output import (
    count_text,
    counted,
    counted_bold,
    instant_text,
    note,
    print_tree,
    progress,
    share_text,
    show,
    show_arrow,
    show_json,
    show_table,
    styled,
)
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from kohort.rules.ast import Rule
    from kohort.rules.core import Expr
    from kohort.services.definitions.listing import ListedSegment
    from kohort.services.evaluation.evaluate import Engine
    from kohort.workspace.reading import SegmentFile

sg_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
sg_definitions.register(sg_app)
sg_preview.register(sg_app)
sg_history.register(sg_app)
sg_explain.register(sg_app)
RuleFile = Annotated[Path | None, typer.Option("--path", metavar="FILE", help="The segment in a file, saved or not.")]


@sg_app.command("list")
def list_segments(
    pattern: Annotated[str, typer.Argument(help="Only paths that match (*, ? or part of the path, any case).")] = "",
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Folders below folders too.")] = False,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """List folders and segments with their populations."""
    from kohort.services.definitions.listing import list_segments as run

    session = open_session()
    record = current_parent(parent)
    found = [item for item in run(session.store, record) if _matches(item.path, pattern)]
    if as_json:
        show_json([_listed(item) for item in found if recursive or pattern or not item.folder])
    elif recursive or pattern:
        last = session.store.last_refresh(record.id)
        _show_tree(record.name, last.population if last else None, found)
    else:
        _show_root(found)


def _matches(path: str, pattern: str) -> bool:
    wanted = pattern.lower()
    if not any(sign in wanted for sign in "*?"):
        return wanted in path.lower()
    return fnmatch.fnmatchcase(path.lower(), wanted) or fnmatch.fnmatchcase(path.lower().rpartition("/")[2], wanted)


def _listed(item: ListedSegment) -> dict[str, Any]:
    return {
        "path": item.path,
        "name": item.name,
        "folder": item.folder,
        "kind": item.kind,
        "population": item.population,
        "share": item.share,
        "share_of": item.share_of,
        "evaluated_at": instant_text(item.evaluated_at) if item.evaluated_at else None,
        "version": item.version,
    }


def _population(item: ListedSegment) -> str:
    if item.population is None or item.base_count is None:
        return "[dim]not evaluated yet[/dim]"
    share = share_text(item.population, item.base_count)
    total = f"{counted(item.base_count, 'total profile')} in {escape(item.share_of_name)}"
    return f"{counted_bold(item.population, 'profile')} ({share} of {total})"


def _show_tree(root: str, population: int | None, found: list[ListedSegment]) -> None:
    if not found:
        note("no segments yet: write YAML files under segments/ and run kohort sg push")
        return
    size = "" if population is None else f"  {counted_bold(population, 'profile')}"
    tree = Tree(f"[bold]{escape(root)}[/bold]{size}", guide_style="dim")
    nodes: dict[str, Tree] = {"": tree}
    for item in found:
        node = _folder_node(nodes, item.folder)
        nodes[item.path] = node.add(f"{escape(item.name)}  {_population(item)}")
    print_tree(tree)


def _folder_node(nodes: dict[str, Tree], folder: str) -> Tree:
    if folder not in nodes:
        above, _, name = folder.rpartition("/")
        nodes[folder] = _folder_node(nodes, above).add(f"[blue]{escape(name)}/[/blue]")
    return nodes[folder]


def _show_root(found: list[ListedSegment]) -> None:
    folders: dict[str, int] = {}
    for item in found:
        if item.folder and not item.is_variant:
            top = item.folder.split("/")[0]
            folders[top] = folders.get(top, 0) + 1
    rows: list[tuple[Any, ...]] = [(f"{name}/", f"{count} segment{'s' if count != 1 else ''}", "", "") for name, count in folders.items()]
    for item in found:
        if not item.folder:
            share = share_text(item.population or 0, item.base_count or 0)
            rows.append((item.name, item.kind, "" if item.population is None else count_text(item.population), share))
    show_table(("name", "kind", "profiles", "share"), rows, right=(2, 3), empty="no segments yet")


@sg_app.command("eval")
def evaluate(as_of: AsOf = "", parent: ParentOption = "", as_json: JSON = False) -> None:
    """Evaluate all segments. Keeps who is in which, and the populations."""
    from kohort.cli.work import evaluate_segments

    parent_segment = current_parent(parent)
    with progress(not as_json) as steps:
        record = evaluate_segments(open_session(), parent_segment, as_of, steps)
    if as_json:
        populations = [{"path": p.path, "population": p.count, "share_of": p.share_of, "version": p.version} for p in record.populations]
        show_json({"as_of": instant_text(record.as_of), "total": record.total, "segments": populations})
        return
    size = f"{counted(record.total, 'profile')} as of {instant_text(record.as_of)}"
    styled(f"Evaluated {counted_bold(len(record.populations), 'segment')} over {size}.")


@sg_app.command("count")
def count(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")] = "",
    expression: Expression = "",
    path: RuleFile = None,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Count the members of a segment or a rule. Saved, in a file, or typed on the line."""
    from kohort.services.evaluation.evaluate import count_expr

    engine = open_current_engine(parent)
    moment = read_as_of(as_of, engine.catalog.timezone)
    result = count_expr(engine, _asked(engine, name, expression, path), moment)
    if as_json:
        show_json({"count": result.count, "total": result.total, "as_of": instant_text(result.as_of)})
        return
    share = share_text(result.count, result.total)
    styled(
        f"{counted_bold(result.count, 'profile')} ({share} of {counted(result.total, 'total profile')} in "
        f"{escape(engine.parent.name)}) as of {instant_text(result.as_of)}"
    )


def _asked(engine: Engine, name: str, expression: str, path: Path | None) -> Expr:
    """The core form of what the person named in one of three ways."""
    from kohort.foundation.errors import InvalidInput
    from kohort.rules.places import located
    from kohort.services.definitions.push import check_file
    from kohort.services.evaluation.evaluate import bind_segment, bind_text, resolve_path

    if sum((bool(name), bool(expression), path is not None)) != 1:
        raise UsageError("give one of: NAME, -e 'RULE', --path FILE")
    if expression:
        return bind_text(engine, expression)
    if path is not None:
        found = _segment_in(path, engine)
        check_file(found, engine.catalog).raise_if_errors()
        try:
            return bind_segment(engine, found.segment)
        except InvalidInput as error:
            raise InvalidInput(located(error.issues, found.document)) from None
    return engine.bound()[resolve_path(engine, name)]


def _segment_in(path: Path, engine: Engine) -> SegmentFile:
    from kohort.cli.context import existing_paths
    from kohort.workspace.reading import read_segment_files

    files, issues = read_segment_files(open_session().workspace, engine.parent.slug, existing_paths([path]))
    issues.raise_if_errors()
    if len(files) != 1:
        raise UsageError(f"{path} holds {len(files)} segments; name a file with one")
    return files[0]


@sg_app.command("show")
def show_members(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 10,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show some members with their attributes."""
    from kohort.services.membership.members import member_rows

    engine = open_current_engine(parent)
    rows = member_rows(engine, name, limit=limit, as_of=read_as_of(as_of, engine.catalog.timezone))
    if as_json:
        show_json(rows.to_pylist())
    else:
        show_arrow(rows, empty="nobody is in it")


@sg_app.command("export")
def export(
    path: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")],
    columns: Annotated[str, typer.Option("--columns", help="Attributes to write, comma separated (default: all).")] = "",
    file_format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None, typer.Option("--format", help="File format (default: by suffix, csv).")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to (default: standard output).")] = None,
    spreadsheet: Annotated[bool, typer.Option("--spreadsheet", help="A CSV for people: no text in it is taken for a formula.")] = False,
    as_of: AsOf = "",
    parent: ParentOption = "",
) -> None:
    """Write all members of a segment."""
    from kohort.services.membership.members import export_members

    engine = open_current_engine(parent)
    suffix = output.suffix.lstrip(".").lower() if output else ""
    by_suffix: dict[str, Literal["csv", "jsonl", "parquet"]] = {"jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
    chosen = file_format or by_suffix.get(suffix, "csv")
    if spreadsheet and chosen != "csv":
        raise UsageError("--spreadsheet is for CSV")
    names = [name.strip() for name in columns.split(",") if name.strip()]
    moment = read_as_of(as_of, engine.catalog.timezone)
    written = export_members(engine, path, columns=names, format=chosen, output=output, as_of=moment, spreadsheet=spreadsheet)
    detail = f"{written} rows: {', '.join(names) or 'all columns'}"
    record_done("members.export", "segment", f"{engine.parent.slug}:{path}", detail=detail)
    note(f"{counted(written, 'member')} written{f' to {output}' if output else ''}")


@sg_app.command("sql")
def sql(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")] = "",
    path: RuleFile = None,
    expression: Expression = "",
    dialect: Annotated[Literal["duckdb", "trino", "spark"], typer.Option("--dialect", help="For which engine.")] = "duckdb",
    as_of: AsOf = "",
    parent: ParentOption = "",
) -> None:
    """Print a segment as one SQL statement. It reads the parent segment's output."""
    from kohort.services.evaluation.evaluate import statement_of

    engine = open_current_engine(parent)
    moment = read_as_of(as_of, engine.catalog.timezone)
    show(statement_of(engine, _asked(engine, name, expression, path), moment, dialect))


@sg_app.command("convert")
def convert(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")] = "",
    path: Annotated[Path | None, typer.Option("--path", metavar="FILE", help="A YAML or JSON file with a rule or a segment.")] = None,
    expression: Expression = "",
    form: Annotated[Literal["yaml", "json", "text", "sentence"], typer.Option("--to", help="The form to print.")] = "text",
    rule_sets: Annotated[bool, typer.Option("--rule-sets", help="On the two levels a console shows: rule sets of rules.")] = False,
    parent: ParentOption = "",
) -> None:
    """Print a rule as YAML, JSON, text or a sentence."""
    from kohort.foundation.errors import InvalidInput
    from kohort.rules.text import parse_rule
    from kohort.services.definitions.convert import rule_as, rule_in_file
    from kohort.services.definitions.stored import segment_of

    if sum((bool(name), bool(expression), path is not None)) != 1:
        raise UsageError("give one of: NAME, -e 'RULE', --path FILE")
    if expression:
        rule, issues = parse_rule(expression)
        if not issues.ok:
            raise InvalidInput(issues)
    elif path is not None:
        rule = rule_in_file(path)
    else:
        rule = segment_of(_find(name, parent)).rule
    show(rule_as(rule, form, rule_sets=rule_sets))


@sg_app.command("view")
def view(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")], parent: ParentOption = "", as_json: JSON = False
) -> None:
    """Show what a segment is. Population, rule sets, sentence, who made it and when."""
    from kohort.services.definitions.listing import list_segments as listing
    from kohort.services.definitions.stored import load_graph, segment_of

    session = open_session()
    record = current_parent(parent)
    found = _find(name, parent)
    segment = segment_of(found)
    item = next(listed for listed in listing(session.store, record) if listed.path == found.path)
    dependents = load_graph(session.store, record.id).dependents(found.path)
    from kohort.rules.text import write_rule
    from kohort.services.definitions.versions import variants_text

    sentence = _sentence(segment.rule, record)
    if as_json:
        facts = {"description": segment.description, "sentence": sentence, "text": write_rule(segment.rule), "needed_by": list(dependents)}
        dates = {"created_by": found.created_by, "created_at": instant_text(found.created_at)}
        updates = {"updated_by": found.updated_by, "updated_at": instant_text(found.updated_at)}
        show_json({**_listed(item), **facts, **dates, **updates})
        return
    styled(f"[bold]{escape(found.path)}[/bold]")
    styled(_population(item))
    show()
    styled(escape(sentence))
    _show_rule_sets(segment.rule, record)
    rows = [
        ("Description:", segment.description or "--"),
        ("Type:", f"{found.kind.replace('_', ' ').capitalize()} Segment"),
        ("Version:", str(found.version)),
        ("Inside:", segment.base or "--"),
        *(() if segment.ab_test is None else (("A/B test:", variants_text(segment.ab_test)),)),
        ("Needed by:", ", ".join(dependents) or "--"),
        ("Created by:", f"{found.created_by}, {_gmt(found.created_at)}"),
        ("Last updated (GMT):", _gmt(found.updated_at)),
        ("Updated by:", found.updated_by),
        ("Text form:", write_rule(segment.rule)),
    ]
    for label, value in rows:
        styled(f"[dim]{label:<20}[/dim]{escape(value)}")


def _find(name: str, parent: str) -> Any:
    from kohort.services.definitions.stored import find_segment

    return find_segment(open_session().store.segments(current_parent(parent).id), name)


def _gmt(instant: datetime) -> str:
    return f"{instant:%b} {instant.day}, {instant:%Y, %H:%M}"


def _sentence(rule: Rule, record: Any) -> str:
    from kohort.foundation.errors import KohortError
    from kohort.rules.describe import describe

    try:
        return describe(rule, current_catalog(record))
    except KohortError:
        return describe(rule)


def _show_rule_sets(rule: Rule, record: Any) -> None:
    """Numbered rule sets with their match logic, as the console of such platforms shows them."""
    from kohort.rules.ast import Group
    from kohort.rules.rulesets import to_rule_sets

    labels = {"all": "all", "any": "any", "expr": "advanced"}
    for number, item in enumerate(to_rule_sets(rule).conditions, 1):
        if not isinstance(item, Group):
            continue
        logic = f"{labels[item.match]}{f' ({item.expr})' if item.expr else ''}"
        styled(f"  {number}. {escape(item.description or 'Rule set')}  [dim]Match logic: {escape(logic)}[/dim]")
        for condition in item.conditions:
            styled(f"       {escape(_sentence(Group('all', (condition,)), record))}")
    show()


@sg_app.command("desc")
def desc(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")], parent: ParentOption = "", as_json: JSON = False
) -> None:
    """Show the columns that the members of a segment have."""
    from kohort.parent.layout import CUSTOMER_ID
    from kohort.parent.schema_export import column_type

    found = _find(name, parent)
    catalog = current_catalog(current_parent(parent))
    columns = [(CUSTOMER_ID, "varchar"), *((field.name, column_type(field)) for field in catalog.attributes)]
    if as_json:
        show_json({"segment": found.path, "columns": [{"name": column, "type": kind} for column, kind in columns]})
    else:
        show_table(("column", "type"), columns)


@sg_app.command("fields")
def fields(parent: ParentOption = "", as_json: JSON = False) -> None:
    """Show the attributes and behaviors that rules may use."""
    from kohort.cli.ps import show_fields

    show_fields(parent, as_json)


@sg_app.command("use")
def use(name: Annotated[str, typer.Argument(help="The parent segment to work in.")] = "") -> None:
    """Choose (or show) the parent segment to work in."""
    from kohort.cli.ps import use_parent

    use_parent(name)
