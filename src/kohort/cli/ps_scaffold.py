"""`kohort ps scaffold`: a parent segment to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kohort.cli.context import JSON, Yes, confirm
from kohort.cli.output import note, show, show_json
from kohort.cli.session import open_session


def register(app: typer.Typer) -> None:
    """Add the command of this module to `kohort ps`."""
    app.command("scaffold")(scaffold)


def scaffold(
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="The source whose tables it reads.")],
    name: Annotated[str, typer.Option("--name", help="The name of the parent segment (default: that of the source).")] = "",
    master: Annotated[
        Literal["users", "profiles"],
        typer.Option("--master", help="Who is a customer: users who said who they are, or profiles of all visitors."),
    ] = "users",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it to a file.")] = None,
    yes: Yes = False,
    as_json: JSON = False,
) -> None:
    """Write a parent segment for a source. Users or profiles are its master, every event is a behavior; remarks say what to choose."""
    from kohort.documents.yaml import read_yaml
    from kohort.services.parents.scaffold import scaffold as write
    from kohort.services.sources.registry import require_source
    from kohort.workspace.files import write_text

    session = open_session()
    text = write(session.warehouse, require_source(session.store, source), name, master)
    if output is not None:
        if output.exists() and output.read_text(encoding="utf-8", errors="replace") != text:
            confirm(f"Overwrite {output}?", yes=yes, destructive=True)
        write_text(output, text)
        note(f"written to {output}. Next: kohort ps validate {output}")
    if as_json:
        show_json(read_yaml(text, "scaffold")[0].value)
    elif output is None:
        show(text.rstrip("\n"))
