"""`kohort`: one command line for tables, sources, parent segments, segments and profiles.

Exit codes: 0 done, 1 findings or refused, 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from kohort import __version__
from kohort.cli import index, ps, sg
from kohort.cli.examples import with_examples
from kohort.cli.output import counted, note, show, show_error, show_issues, styled
from kohort.cli.profiles import profile_app
from kohort.cli.serve import serve
from kohort.cli.session import close_session, open_session, set_workspace
from kohort.cli.source import source_app
from kohort.cli.tables import query, tables_app
from kohort.cli.usage import UsageError, as_shown
from kohort.cli.users import token_app, user_app
from kohort.foundation.errors import Interrupted, InvalidInput, UserError

_STOPPED = 130
"""The exit code after Ctrl-C; the framework gives it instead of raising KeyboardInterrupt."""

app = typer.Typer(name="kohort", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(tables_app, name="tables", help="Tables of the warehouse: list, import, create, show, drop.")
app.add_typer(source_app, name="source", help="Sources: who sends calls, with which key, into which tables.")
app.add_typer(ps.ps_app, name="ps", help="Parent segments: the data model, its refresh, its fields.")
app.add_typer(sg.sg_app, name="sg", help="Segments: write, check, count, evaluate, export.")
app.add_typer(index.index_app, name="index", help="The profile index of a refresh: build, show, verify.")
app.add_typer(profile_app, name="profile", help="One customer: attributes, behaviors, segments.")
app.add_typer(user_app, name="user", help="Users: who may sign in, with which role.")
app.add_typer(token_app, name="token", help="API tokens: how programs use the API.")


def _version(wanted: bool) -> None:
    if wanted:
        show(f"kohort {__version__}")
        raise typer.Exit


@app.callback()
def options(
    workspace: Annotated[Path, typer.Option("-w", "--workspace", help="The workspace folder.", metavar="DIR")] = Path("."),
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,  # noqa: ARG001
) -> None:
    """An audience engine: customer tables and events become audiences that are exact, explained and on time."""
    set_workspace(workspace)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="The folder to make a workspace of.")] = Path(".")) -> None:
    """Make a workspace. It gets kohort.toml, folders for definitions, .kohort for state."""
    from kohort.workspace.workspace import init_workspace

    workspace = init_workspace(directory)
    styled(f"Workspace ready in [bold]{workspace.root}[/bold]. Next: kohort tables import <database>.<table> FILE...")


app.command("query")(query)
app.command("serve")(serve)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Every problem is told in words, never as a traceback."""
    try:
        return _run(arguments)
    except InvalidInput as error:
        show_issues(error.issues)
        note(f"{counted(len(error.issues.errors), 'problem')}; nothing was changed.")
    except UserError as error:
        show_error(error.code, error.message, error.hint)
    except (KeyboardInterrupt, Interrupted):
        note("Stopped. Nothing half-written stays; the last good refresh still answers.")
        return _STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _show_os_error(error)
    except Exception:
        _show_internal_error()
    finally:
        close_session()
    return 1


@cache
def _command() -> Any:
    """All commands; made once in a process that runs many."""
    return with_examples(typer.main.get_command(app))


def _run(arguments: list[str] | None) -> int:
    try:
        result = _command().main(args=arguments, prog_name="kohort", standalone_mode=False)
    except UsageError as error:
        as_shown(error).show()
        return 2
    except typer.Exit as done:
        result = done.exit_code
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if result == _STOPPED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _show_os_error(error: OSError) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        show_error("DISK_FULL", "the disk is full; nothing was changed", "free some space and run the command again")
    else:
        missing = isinstance(error, FileNotFoundError) and error.filename
        if missing:
            show_error("FILE_NOT_FOUND", f"there is no file or folder {missing}", "check the path; it counts from the current folder")
            return
        where = f" ({error.filename})" if error.filename else ""
        show_error("FILE_NOT_READABLE", f"{error.strerror or error}{where}")


def _show_internal_error() -> None:
    text = traceback.format_exc()
    summary = text.strip().splitlines()[-1]
    try:
        folder = open_session().workspace.state
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "crash.log"
        path.write_text(text, encoding="utf-8")
        hint = f"this is a mistake in Kohort; details are in {path}"
    except Exception:
        hint = "this is a mistake in Kohort; run with KOHORT_DEBUG=1 for details"
        if os.environ.get("KOHORT_DEBUG"):
            note(text)
    show_error("INTERNAL", summary, hint)


def entry() -> None:
    """The console script. When all is closed and said the process ends at once, whatever threads and libraries still hold."""
    code = main()
    if "duckdb" in sys.modules or any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
