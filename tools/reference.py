"""Writes the reference pages from the tables the code uses: operators, text form, settings, commands, codes of problems.

python -m tools.reference           write docs/reference/*.md
python -m tools.reference --check   fail when a page is not what the code says
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from tools.codes import all_codes
from tools.markdown import heading_link, table

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
GENERATED = "<!-- Written by `make docs` from the code: change it there. -->\n\n"
OPERAND_WORDS = {
    "one": "one value, `{timestamp: ...}` or `{last: n, unit: ...}`",
    "bounds": "a low end, a high end or both",
    "list": "a list of values",
    "texts": "a list of texts: any of them",
    "pattern": "an RE2 pattern",
    "none": "nothing",
    "amount": "a whole number and a unit",
    "range": "a duration and where it starts",
    "calendar": "a unit",
    "next_range": "two distances into the future",
}


def settings_page() -> str:
    from kohort.settings import settings_table

    rows = [(f"`{name}`", kind, f"`{default}`" if default else "", text) for name, kind, default, text in settings_table()]
    intro = "Written in `kohort.toml` under `[settings]`, or as environment variables `KOHORT_<NAME>`, which win.\n\n"
    return "# Settings\n\n" + GENERATED + intro + table(("setting", "type", "default", "what it does"), rows)


def operators_page() -> str:
    from kohort.parent.definition import FieldType
    from kohort.rules.operators import ALL_TYPES, OPERATORS, operators_for

    order: tuple[FieldType, ...] = ("string", "number", "boolean", "timestamp", "date", "string_array", "number_array")
    columns = ("operator", "reads as", "with `not: true`", "compares with", "keys in YAML", "keys in JSON", "elements of arrays")
    rows = [
        (
            f"`{row.key}`",
            row.label,
            row.negated_label,
            OPERAND_WORDS[row.operand],
            _keys(row.yaml_keys),
            _keys(row.json_keys),
            "yes" if row.element else "",
        )
        for row in OPERATORS.values()
    ]
    assert set(order) == ALL_TYPES
    fits = [(f"`{kind}`", ", ".join(f"`{row.key}`" for row in operators_for(kind))) for kind in order]
    nulls = [f"`{row.key}`" for row in OPERATORS.values() if row.null_rule == "matches_null"]
    return (
        "# Operators\n\n"
        + GENERATED
        + "One row an operator. Every operator takes `not: true`. A comparison with null is false, negated or not; the test for null is "
        + f"{', '.join(nulls)}.\n\n"
        + table(columns, rows)
        + "\n## Which operators fit which type\n\n"
        + "On arrays an operator judges the elements and `arrayMatching` says how many must match; `IsNull` tests the array itself.\n\n"
        + table(("type", "operators"), fits)
    )


def _keys(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def text_page() -> str:
    import kohort.rules.text as text

    words = (text.__doc__ or "").strip()
    first, _, rest = words.partition("\n")
    rest = rest.replace("What the grammar does not say:", "## What the grammar does not say")
    return f"# Text form of rules\n\n{GENERATED}{first}\nExamples are in the guide [Write rules](../guides/rules.md).\n{rest}\n"


def commands_page() -> str:
    from kohort.cli.examples import EXAMPLES, commands_of
    from kohort.cli.main import app

    found = [(f"kohort {path}", command) for path, command in commands_of(typer.main.get_command(app))]
    commands = sorted(found, key=lambda found: found[0] != "kohort init")
    lines = [
        f"# Commands\n\n{GENERATED}"
        "`kohort -w DIR ...` works in another folder than the current one; `kohort --version` shows the version. `--json` prints JSON.\n\n"
        "Exit codes: 0 done, 1 findings or refused, 2 wrong usage, 130 stopped by Ctrl-C.\n",
        table(("command", "what it does"), [(heading_link(path), _sentence(command)) for path, command in commands]),
    ]
    for path, command in commands:
        lines.append(f"## {path}\n\n{(command.help or '').strip()}\n\n    {_usage(path, command)}\n")
        rows = [_parameter(p) for p in command.params if "--help" not in p.opts]
        if rows:
            lines.append(table(("argument", "default", "what it is"), rows))
        if examples := EXAMPLES.get(path.removeprefix("kohort ")):
            lines.append("For example:\n\n" + "".join(f"    {example}\n" for example in examples))
    return "\n".join(lines)


def _sentence(command: Any) -> str:
    return " ".join((command.help or "").strip().split("\n\n")[0].split())


def _usage(path: str, command: Any) -> str:
    arguments = [_argument(p) for p in command.params if p.param_type_name == "argument"]
    options = ["[OPTIONS]"] if any(p.param_type_name == "option" and "--help" not in p.opts for p in command.params) else []
    return " ".join([path, *options, *arguments])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or (parameter.name or "").upper()
    name = name if parameter.required or name.startswith("[") else f"[{name}]"
    return f"{name}..." if parameter.nargs == -1 and not name.endswith("...") else name


def _parameter(parameter: Any) -> tuple[str, str, str]:
    words = (getattr(parameter, "help", "") or "").strip()
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`", _default(parameter), words
    names = ", ".join(f"`{text}`" for text in (*parameter.opts, *parameter.secondary_opts))
    if parameter.is_flag:
        return names, "", words
    return f"{names} `{_wanted(parameter)}`", _default(parameter), words


def _wanted(parameter: Any) -> str:
    """What an option takes: its choices, its own word for it, or the type."""
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return parameter.metavar or {int: "N", Path: "PATH"}.get(kind, "TEXT")


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if callable(value) or value is None or str(value) in ("", "[]", "()") else f"`{value}`"


def codes_page() -> str:
    rows = [(f"`{code.code}`", code.message, code.hint, f"`{code.where}`") for code in all_codes(ROOT / "src" / "kohort")]
    intro = (
        "Codes are stable; messages are for people and may change. What differs from case to case stands in `<...>`. A code may come with\n"
        "other messages too: the first one is shown. How problems look is in [Read a message](../guides/messages.md).\n\n"
    )
    return "# Codes of problems\n\n" + GENERATED + intro + table(("code", "for example", "way out", "first said in"), rows)


def kernels_page() -> str:
    from kohort.index.coverage import KINDS, Answer

    words: dict[Answer, str] = {"kernel": "a kernel over the index", "sql": "SQL over the tables", "bitmap": "the members of that segment"}
    rows = [(kind.name, words[kind.answer], kind.unless) for kind in KINDS]
    intro = (
        "After a refresh its profile index answers conditions with compiled functions (kernels); SQL over the tables of the same refresh\n"
        "answers the rest, with the same result. Which way is decided condition by condition.\n\n"
    )
    return "# Kernels\n\n" + GENERATED + intro + table(("condition", "answered by", "by SQL when"), rows)


EXAMPLE_NAMES = (
    "Order Completed",
    "Order Completed Last 30days",
    "accountType",
    "total billed",
    "product.sku",
    "Signed Up!",
    "CamelCase123Key",
    "abc123def456",
    "HTTPServer",
    "productIDs",
    "iOS Version",
    "_private",
    "2FA Enabled",
    "Café Visité",
    "users",
    "order",
    "日本語",
)


def event_names_page() -> str:
    from kohort.events.columns import SOURCE_TABLES
    from kohort.events.identity import WITH_PROFILE
    from kohort.events.naming import MAX_NAME, RESERVED, column_name, table_name

    columns = ("written", "table of an event", "column of a key", "table, RudderStack's naming", "column, RudderStack's naming")
    rows = [
        (f"`{text}`", *(f"`{name(text, naming)}`" for naming in ("segment", "rudderstack") for name in (table_name, column_name)))
        for text in EXAMPLE_NAMES
    ]
    intro = (
        "Which table an event lands in and which column a key becomes. Each source follows Segment's rule or, when it was added with\n"
        "RudderStack's naming, RudderStack's. Only letters and digits of ASCII count; everything else separates words.\n\n"
    )
    rules = (
        "\n- Objects become columns of their own, their keys joined with `_`: `address.street` is `address_street`, `context.ip` is"
        " `context_ip`. Arrays are kept as JSON text. What is null, an empty text, array or object makes no column.\n"
        "- A name without any letter or digit gets a stable one from its SHA-256.\n"
        f"- Names longer than {MAX_NAME} characters are cut, and end in a mark of the whole name.\n"
        "- Of keys of one call with the same column the last with a value stands; the others go to `discards`.\n"
        f"- These tables belong to every source; an event of such a name gets a `_` before it: {_keys(tuple(sorted(SOURCE_TABLES)))}.\n"
        f"- Views of calls with their profiles end in `{WITH_PROFILE}`; an event of such a name gets `_event` behind it.\n"
        f"- Words that SQL reserves get a `_` before them, as tables and as columns: {_keys(tuple(sorted(RESERVED)))}.\n"
    )
    return "# Names of tables and columns of events\n\n" + GENERATED + intro + table(columns, rows) + rules


def event_codes_page() -> str:
    from kohort.events.columns import CALL_TABLES, COMMON_COLUMNS, DATA_KEYS, OWN_COLUMNS, REASONS
    from kohort.events.validation import CODES

    intro = (
        "Every call of a request is judged by itself; a bad one never takes its neighbours with it. What cannot be taken is kept in the\n"
        "table `rejects` of the source with the first code that applies. Of a call that is taken, a value that finds no column is kept in\n"
        "the table `discards`.\n\n"
    )
    layout = [
        (f"`{kind}`", f"`{name}`", f"`{DATA_KEYS[kind]}`", _keys((*COMMON_COLUMNS, *OWN_COLUMNS[kind])))
        for kind, name in CALL_TABLES.items()
    ]
    return (
        "# Calls: tables and codes\n\n"
        + GENERATED
        + intro
        + "## Why a call is rejected\n\n"
        + table(("code", "meaning"), [(f"`{code}`", words) for code, words in CODES.items()])
        + "\n## Why a value is discarded\n\n"
        + table(("reason", "meaning"), [(f"`{reason}`", words) for reason, words in REASONS.items()])
        + "\n## Which table a call lands in\n\n"
        + "A track call also lands in the table of its event, with its properties; an identify call with a `userId` also in `users`.\n\n"
        + table(("call", "table", "columns from", "columns of its own"), layout)
    )


PAGE_WRITERS: dict[str, Callable[[], str]] = {
    "operators.md": operators_page,
    "text-form.md": text_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "codes.md": codes_page,
    "kernels.md": kernels_page,
    "event-names.md": event_names_page,
    "event-codes.md": event_codes_page,
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
