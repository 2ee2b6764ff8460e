"""`kohort index build|show|verify`: the files that make evaluations fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.context import JSON, current_parent
from kohort.cli.output import count_text, counted, instant_text, note, progress, show, show_issues, show_json, show_table, styled
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohort.index.layout import ColumnFacts, Manifest
    from kohort.services.parents.index import IndexState

index_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The parent segment (default: the one in use).")]
_BUILD = "build it with: kohort index build"


@index_app.callback()
def indexes() -> None:
    """The profile index of a refresh: build, show, verify."""


@index_app.command("build")
def build(name: Name = "", as_json: JSON = False) -> None:
    """Build the index of the last refresh (again). A refresh does so by itself."""
    from kohort.services.definitions.stored import last_refresh
    from kohort.services.parents.index import build_index

    session = open_session()
    record = current_parent(name)
    done = last_refresh(session.store, record)
    with progress(not as_json) as steps:
        manifest = build_index(session.warehouse, done, session.indexes, progress=steps)
    if as_json:
        show_json({"refresh": done.number, "profiles": manifest.profiles, "bytes": manifest.bytes})
    else:
        styled(
            f"Built the index of [bold]{escape(record.name)}[/bold], refresh {done.number}: "
            f"{counted(manifest.profiles, 'profile')}, {size_text(manifest.bytes)}"
        )


@index_app.command("show")
def show_index(name: Name = "", as_json: JSON = False) -> None:
    """Show what the index of the last refresh holds. How big and how old it is."""
    from kohort.services.parents.index import index_state

    session = open_session()
    record = current_parent(name)
    state = index_state(session.store, record, session.indexes.root)
    if as_json:
        show_json(_document(state))
        return
    if state.manifest is None:
        note(f"refresh {state.refresh.number} of {record.name} has no usable index: evaluations go by SQL; {_BUILD}")
        return
    _show_manifest(record.name, state, state.manifest)


def _show_manifest(name: str, state: IndexState, manifest: Manifest) -> None:
    built = f"{state.built_at:%Y-%m-%d %H:%M:%S} GMT" if state.built_at else ""
    styled(f"[bold]{escape(name)}[/bold] [dim]refresh {manifest.refresh_number}[/dim]")
    for label, value in (
        ("As of:", instant_text(state.refresh.as_of)),
        ("Built:", f"{built} ({age_text(_age_seconds(state))} ago)"),
        ("Profiles:", count_text(manifest.profiles)),
        ("Ordinals:", count_text(manifest.size)),
        ("Size:", size_text(manifest.bytes)),
        ("Kept:", f"refresh {', '.join(map(str, state.kept))}"),
    ):
        styled(f"[dim]{label:<14}[/dim]{escape(value)}")
    show()
    rows = [_row(table, facts, count, manifest) for table, facts, count in _columns(manifest)]
    show_table(("table", "column", "held as", "rows", "nulls", "distinct", "size"), rows, right=(3, 4, 5, 6))
    for left in manifest.left_out:
        note(f"{'.'.join(filter(None, (left.behavior, left.field)))} is not in the index ({left.reason}): its conditions go by SQL")


def _columns(manifest: Manifest) -> Iterator[tuple[str, ColumnFacts, int]]:
    from kohort.index.layout import ColumnFacts

    for facts in manifest.attributes:
        yield "profiles", facts, manifest.size
    for behavior in manifest.behaviors:
        yield f"behavior_{behavior.name}", ColumnFacts("timestamp", f"{behavior.stem}.time", "timestamp", behavior.rows, 0), behavior.rows
        for facts in behavior.columns:
            yield f"behavior_{behavior.name}", facts, behavior.rows


def _row(table: str, facts: ColumnFacts, count: int, manifest: Manifest) -> tuple[Any, ...]:
    distinct = count_text(facts.distinct) if facts.distinct >= 0 else ""
    size = size_text(manifest.bytes_of(facts.stem))
    return table, facts.name, facts.storage, count_text(count), count_text(facts.nulls), distinct, size


def _document(state: IndexState) -> dict[str, Any]:
    from dataclasses import asdict

    manifest = state.manifest
    shown: dict[str, Any] = {
        "refresh": state.refresh.number,
        "as_of": instant_text(state.refresh.as_of),
        "usable": manifest is not None,
        "built_at": instant_text(state.built_at) if state.built_at else None,
        "age_seconds": _age_seconds(state),
        "kept": list(state.kept),
    }
    if manifest is not None:
        shown |= {
            "profiles": manifest.profiles,
            "ordinals": manifest.size,
            "bytes": manifest.bytes,
            "columns": [
                {
                    "table": table,
                    "column": facts.name,
                    "storage": facts.storage,
                    "rows": rows,
                    "nulls": facts.nulls,
                    "distinct": facts.distinct if facts.distinct >= 0 else None,
                    "bytes": manifest.bytes_of(facts.stem),
                }
                for table, facts, rows in _columns(manifest)
            ],
            "left_out": [asdict(left) for left in manifest.left_out],
        }
    return shown


def _age_seconds(state: IndexState) -> int | None:
    if state.built_at is None:
        return None
    return max(0, int((open_session().clock.now() - state.built_at).total_seconds()))


@index_app.command("verify")
def verify(name: Name = "", as_json: JSON = False) -> None:
    """Check the whole index of the last refresh. Says what is damaged; exit code 1 when anything is."""
    from kohort.services.parents.index import verify as verify_index

    session = open_session()
    record = current_parent(name)
    with progress(not as_json) as steps:
        done, issues = verify_index(session.store, record, session.indexes.root, steps)
    if as_json:
        show_json({"refresh": done.number, "ok": issues.ok, "problems": [{"code": i.code, "message": i.message} for i in issues]})
    elif issues.ok:
        show(f"The index of {record.name}, refresh {done.number}, is as it was built.")
    else:
        show_issues(issues)
    if not issues.ok:
        raise typer.Exit(1)


def size_text(size: int) -> str:
    """Bytes as people read them.

    >>> size_text(999), size_text(5 * 2**20), size_text(3 * 2**30)
    ('999 B', '5.0 MiB', '3.0 GiB')
    """
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def age_text(seconds: int | None) -> str:
    """An age in the largest whole unit.

    >>> age_text(59), age_text(7200), age_text(200_000)
    ('59 s', '2 h', '2 d')
    """
    left = seconds or 0
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if left >= length:
            return f"{left // length} {unit}"
    return f"{left} s"
