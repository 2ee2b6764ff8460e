"""`kohort tables ...` and `kohort query`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kohort.cli.audit import record_done
from kohort.cli.context import Yes, confirm, existing_paths
from kohort.cli.output import batch_rows, count_text, counted, plain, show_arrow, show_json, show_rows, show_table, styled
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

tables_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _types(pairs: list[str]) -> dict[str, str]:
    types = {}
    for pair in pairs:
        column, equals, type_text = pair.partition("=")
        if not equals or not column or not type_text:
            raise typer.BadParameter(f"write --type column=TYPE, e.g. --type zip=VARCHAR (got {pair!r})")
        types[column] = type_text
    return types


@tables_app.command("list")
def list_tables(pattern: Annotated[str, typer.Argument(help="Only tables whose name contains this.")] = "", as_json: JSON = False) -> None:
    """List tables and views with their rows."""
    found = [info for info in open_session().warehouse.tables() if pattern.lower() in str(info.ref).lower()]
    if as_json:
        show_json(
            [
                {
                    "database": i.ref.database,
                    "table": i.ref.table,
                    "kind": i.kind,
                    "rows": i.rows if i.rows >= 0 else None,
                    "columns": len(i.columns),
                }
                for i in found
            ]
        )
        return
    rows = [(str(i.ref), i.kind, count_text(i.rows) if i.rows >= 0 else "", len(i.columns)) for i in found]
    nothing = f'no table\'s name contains "{pattern}"' if pattern else "no tables yet: kohort tables import <database>.<table> FILE..."
    show_table(("table", "kind", "rows", "columns"), rows, right=(2, 3), empty=nothing)


@tables_app.command("import")
def import_table(
    table: Annotated[str, typer.Argument(help="<database>.<table> to create or replace.")],
    files: Annotated[list[str], typer.Argument(help="Files, folders or globs: CSV, JSON lines, Parquet.")],
    file_format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None, typer.Option("--format", help="When the suffix does not tell.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Override an inferred type: column=TYPE.", metavar="COLUMN=TYPE")
    ] = None,
    as_view: Annotated[bool, typer.Option("--view", help="Do not copy: read external Parquet where it is.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to the table instead of replacing it.")] = False,
    as_json: JSON = False,
) -> None:
    """Import files into a table. Types are inferred and can be overridden."""
    from kohort.services.tables import import_table as run

    report = run(open_session().warehouse, table, files, format=file_format, types=_types(types or []), as_view=as_view, append=append)
    detail = f"{report.rows} rows{', added' if append else ''}"
    record_done("table.import", "table", str(report.table), detail=detail if report.copied else "a view of files")
    if as_json:
        show_json(
            {
                "table": str(report.table),
                "rows": report.rows,
                "columns": {c.name: c.type for c in report.columns},
                "files": list(report.files),
                "copied": report.copied,
            }
        )
        return
    verb = "imported" if report.copied else "linked"
    files_text = f"{len(report.files)} file{'s' if len(report.files) != 1 else ''}"
    what = f"{counted(report.rows, 'row')}, {counted(len(report.columns), 'column')} from {files_text}"
    styled(f"{verb} [bold]{report.table}[/bold]: {what}")


@tables_app.command("create")
def create(
    table: Annotated[str, typer.Argument(help="<database>.<table> to create or replace.")],
    select: Annotated[str | None, typer.Option("--as", help="The SELECT whose rows it holds.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file with that SELECT.")] = None,
    as_view: Annotated[bool, typer.Option("--view", help="A view instead of a table.")] = False,
) -> None:
    """Create a table (or view) from a SELECT over other ones. Derived attributes live in such tables."""
    if (select is None) == (file is None):
        raise UsageError("give either --as 'SELECT ...' or --file FILE.sql")
    text = select if select is not None else "\n".join(path.read_text(encoding="utf-8") for path in existing_paths([file] if file else []))
    info = open_session().create_table(table, text, as_view=as_view)
    record_done("table.create", "table", str(info.ref), detail=info.kind)
    rows = f"{counted(info.rows, 'row')}, " if info.rows >= 0 else ""
    styled(f"created {info.kind} [bold]{info.ref}[/bold]: {rows}{counted(len(info.columns), 'column')}")


@tables_app.command("drop")
def drop(
    table: Annotated[str, typer.Argument(help="<database>.<table>")],
    yes: Yes = False,
    as_json: JSON = False,
) -> None:
    """Drop a table or view for good. What a parent segment, a source or a view needs is refused."""
    session = open_session()
    info = session.require_droppable(table)
    rows = f" with {counted(info.rows, 'row')}" if info.rows >= 0 else ""
    confirm(f"Drop the {info.kind} {info.ref}{rows}? It cannot be brought back.", yes=yes, destructive=True)
    dropped = session.drop_table(table)
    record_done("table.drop", "table", str(dropped.ref), detail=dropped.kind)
    if as_json:
        show_json({"table": str(dropped.ref), "kind": dropped.kind, "rows": dropped.rows if dropped.rows >= 0 else None})
    else:
        styled(f"dropped {dropped.kind} [bold]{dropped.ref}[/bold]{rows}")


@tables_app.command("show")
def show_one(
    table: Annotated[str, typer.Argument(help="<database>.<table>")],
    limit: Annotated[int, typer.Option("--limit", min=0, help="Sample rows.")] = 5,
    as_json: JSON = False,
) -> None:
    """Show a table's columns and some of its rows."""
    from kohort.services.tables import sample_rows, table_info

    warehouse = open_session().warehouse
    info = table_info(warehouse, table)
    sample = sample_rows(warehouse, info.ref, limit)
    if as_json:
        show_json(
            {
                "table": str(info.ref),
                "kind": info.kind,
                "rows": info.rows,
                "columns": [{"name": c.name, "type": c.type} for c in info.columns],
                "sample": sample.to_pylist(),
            }
        )
        return
    show_table(("column", "type"), [(c.name, c.type) for c in info.columns])
    if limit and sample.num_rows:
        print()
        show_arrow(sample, empty="no rows")


def query(
    sql: Annotated[str, typer.Argument(help="A SELECT, or - to read it from standard input.")],
    output: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")] = "table",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows shown as a table; 0 = all.")] = 1000,
) -> None:
    """Run SQL on the warehouse and print its rows."""
    text = sys.stdin.read() if sql == "-" else sql
    _print_rows(text, output, limit)


def _print_rows(sql: str, output: Literal["table", "csv", "json"], limit: int) -> None:
    reader = open_session().warehouse.stream(sql)
    if output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(reader.schema.names)
        for batch in reader:
            writer.writerows([_csv(value) for value in row] for row in batch_rows(batch))
        return
    rows: list[tuple[Any, ...]] = []
    more = False
    for batch in reader:
        rows.extend(batch_rows(batch))
        if output == "table" and limit and len(rows) > limit:
            rows, more = rows[:limit], True
            break
    if output == "json":
        names = _distinct(reader.schema.names)
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    show_rows(reader.schema.names, reader.schema.types, rows, empty="no rows")
    if more:
        styled(f"[dim]... only the first {limit} rows; use --limit 0 or --format csv for all[/dim]")


def _distinct(names: list[str]) -> list[str]:
    """Column names as JSON keys: a name that comes again gets a number.

    >>> _distinct(["n", "n", "m"])
    ['n', 'n_2', 'm']
    """
    found: list[str] = []
    for name in names:
        key, number = name, 1
        while key in found:
            number += 1
            key = f"{name}_{number}"
        found.append(key)
    return found


def _csv(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else plain(value)
