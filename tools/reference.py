"""Writes the reference pages from the tables the code uses: operators, settings, commands, problem codes.

python -m tools.reference           write docs/reference/*.md
python -m tools.reference --check   fail when a page is not what the code says
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    from kohort.settings import settings_table

    rows = [(f"`{name}`", kind, f"`{default}`" if default else "", text) for name, kind, default, text in settings_table()]
    intro = "Written in `kohort.toml` under `[settings]`, or as environment variables `KOHORT_<NAME>`, which win.\n\n"
    return "# Settings\n\n" + intro + table(("setting", "type", "default", "what it does"), rows)


def operators_page() -> str:
    from kohort.rules.operators import operator_table

    columns, rows = operator_table()
    return "# Operators\n\nOne row an operator; every evaluator has an entry for each of them.\n\n" + table(columns, rows)


def text_page() -> str:
    import kohort.rules.text as text

    return "# Text form of rules\n\n" + (text.__doc__ or "").strip() + "\n"


def commands_page() -> str:
    from kohort.cli.main import app

    lines = [
        "# Commands\n",
        "`kohort -w DIR ...` works in another folder; `--json` prints JSON. Exit codes: 0 done, 1 findings or refused, 2 wrong usage.\n",
    ]
    root = typer.main.get_command(app)
    for path, command in _commands(root, "kohort"):
        lines.append(f"## `{path}`\n")
        lines.append((command.help or "").strip() + "\n")
        rows = [_parameter(p) for p in command.params if "--help" not in p.opts]
        if rows:
            lines.append(table(("argument", "what it is"), rows))
    return "\n".join(lines)


def _commands(command: Any, path: str) -> Iterable[tuple[str, Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield path, command
        return
    for name, inner in subcommands.items():
        yield from _commands(inner, f"{path} {name}")


def _parameter(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        name = (parameter.name or "").upper()
        return (f"`{name}`" if parameter.required else f"`[{name}]`", getattr(parameter, "help", "") or "")
    return (", ".join(f"`{text}`" for text in (*parameter.opts, *parameter.secondary_opts)), getattr(parameter, "help", "") or "")


def codes_page() -> str:
    """Every code in the source with the first message it comes with."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                _collect(node, file, found)
    rows = [(f"`{code}`", message, f"`{where}`") for code, (message, where) in sorted(found.items())]
    return "# Codes of problems\n\nCodes are stable; messages are for people.\n\n" + table(("code", "for example", "from"), rows)


def _collect(node: ast.Call, file: Path, found: dict[str, tuple[str, str]]) -> None:
    texts = [(_text(argument)) for argument in node.args[:3]]
    for position, code in enumerate(texts[:2]):
        is_code = code.isupper() and "_" in code and code.replace("_", "").isalnum() and "{" not in code
        if is_code and position + 1 < len(texts) and " " in texts[position + 1]:
            found.setdefault(code, (texts[position + 1], file.relative_to(ROOT / "src" / "kohort").as_posix()))
            return


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue():
            return "..."
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case _:
            return ""


PAGE_WRITERS: dict[str, Callable[[], str]] = {
    "operators.md": operators_page,
    "text-form.md": text_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "codes.md": codes_page,
}


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for name, write in PAGE_WRITERS.items():
        path, text = PAGES / name, write()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"docs/reference is not what the code says: {', '.join(stale)}. Run: make docs")
    elif check:
        print("docs/reference is what the code says")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
