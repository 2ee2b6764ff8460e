"""Finds every code of a problem in the source, with the message it is said with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
LEFT_OUT = ("testing",)
SAYING = ("Issue", "UserError", "error", "warning", "problem", "report", "show_error", "_note", "_problem", "__init__")
SAID: dict[str, tuple[str, str]] = {
    "AGGREGATION_TYPE_MISMATCH": ('Sum needs numbers, "category" is string', "use Count, CountDistinct, Min, Max, First or Last"),
    "AMBIGUOUS_SEGMENT": ('"VIP" is the name of 2 segments: Europe/VIP, US/VIP', "write the whole path"),
    "AMBIGUOUS_SEGMENT_REFERENCE": ('"VIP" is the name of 2 segments: Europe/VIP, US/VIP', "write the whole path"),
    "BLOCKED_FIELD": ('"email" is blocked: rules may not use it', "ask the owner of the parent segment"),
    "COLUMN_COLLISION": ('the column "age" comes from "Profile" and from "Survey"', "give one of them another name: name: ..."),
    "COLUMN_NOT_FOUND": ('shop.customers has no column "emial"', 'did you mean "email"?'),
    "DUPLICATE_ATTRIBUTE_KEYS": (
        "1 keys of shop.metrics stand in several rows (7); the smallest row of each is taken, 1 rows are left out",
        "one row per customer, or make it a behavior",
    ),
    "DUPLICATE_KEY": ("column and columns say the same thing", "keep one of them"),
    "DUPLICATE_KEYS": (
        '1 values of the key "customer_id" stand in several rows of shop.customers, for example 7',
        "one row per customer: remove the extra rows, or filter them out",
    ),
    "EMPTY_ATTRIBUTE": ("the attribute is missing", "add attribute: ..."),
    "EMPTY_COLUMN": ("the column is missing", "add column: ..."),
    "EXPR_TOO_MANY_CONDITIONS": ("26 conditions can be named A-Z, the group has 27", "move some of them into a group of their own"),
    "EXPR_UNKNOWN_IDENTIFIER": ('there is no condition "D"', "the conditions are A, B, C"),
    "INTERNAL": ("KeyError: 'x'", "this is a mistake in Kohort; details are in .kohort/crash.log"),
    "INVALID_INSTANT": ('"yesterday" is not an instant', "write 2024-01-31, 2024-01-31T10:00:00Z or now"),
    "INVALID_SOURCE": ('a behavior\'s table begins with behavior_, "purchase" does not', "write behavior_purchase"),
    "INVALID_TIME_UNIT": ('"days" is plural', "write day"),
    "INVALID_TIMEZONE": ('there is no time zone "Tokyo"', "write an IANA name such as Asia/Tokyo"),
    "JSON_SYNTAX": ("Expecting ',' delimiter", ""),
    "KEPT_AS_TEXT": ("shop.customers.tags: a STRUCT is kept as text", ""),
    "KEY_TYPE": ('"tags" is VARCHAR[], which cannot be a key', ""),
    "LINT_ALWAYS": ('"purchase count >= 0" always holds', "remove it, or correct its value"),
    "LINT_CONTRADICTION": ('"age > 5", "age < 3" cannot hold together', "join them with any, or remove one"),
    "LINT_DUPLICATE": ('"age >= 6" says the same as "age > 5"', "remove one of them"),
    "LINT_EMPTY": ('nobody is in "VIP"', 'see which condition drops all: kohort sg preview "VIP"'),
    "LINT_EVERYBODY": ('everybody is in "VIP"', "its rule keeps nobody out"),
    "LINT_FUTURE_WINDOW": (
        'no event is later than the instant of the evaluation: "within next 7 days" never holds',
        "events have a past only; use an attribute for planned times",
    ),
    "LINT_KEEPS_EVERYBODY": ('"country is not null" holds for everybody', "today it makes no difference"),
    "LINT_KEEPS_NOBODY": ("\"loyalty_tier = 'gold'\" holds for nobody", "is its value written as in the data?"),
    "LINT_NEVER": ('"age = 1.5" never holds', "remove it, or correct its value"),
    "LINT_NO_ROWS_LEFT_OUT": (
        'customers without such rows of "purchase" have no sum and are left out',
        "if they belong in: or not purchase",
    ),
    "LINT_NULLS_LEFT_OUT": (
        '"loyalty_tier != \'Gold\'" leaves out everybody without a value of "loyalty_tier"',
        "if they belong in: or loyalty_tier is null",
    ),
    "LINT_NULLS_LET_IN": (
        '"not loyalty_tier = \'Gold\'" lets in everybody without a value of "loyalty_tier"',
        "if they do not belong in: and loyalty_tier is not null",
    ),
    "LINT_SAME_MEMBERS": (
        '"Active" and "Buyers" have the same members: 24 in both, 24 in one or the other',
        "one may do, or one may refer to the other: in segment 'Buyers'",
    ),
    "LINT_SUBSUMED": ('"age > 5" changes nothing beside "age > 10"', 'remove "age > 5"'),
    "LINT_TAUTOLOGY": ('one of "age > 5", "age <= 5" holds for everybody who has a value', "remove them, or join them with all"),
    "LINT_UNUSED_IGNORE": ("LINT_SUBSUMED is silenced but not found", "remove it from lint.ignore"),
    "LINT_UNITS_MIXED": (
        '"within past 30 days" and "within past 1 month" are nearly, but not exactly, the same days',
        "past 1 month ends now and is 28 to 31 days long; last month is the calendar month before this one",
    ),
    "MISSING_AGGREGATION_COLUMN": ("Sum needs one column", "add column: ..."),
    "MISSING_CONDITIONS": ("the list of conditions is missing", "add conditions: [...]"),
    "MISSING_NAME": ("the name of the segment is missing", "add name: ..."),
    "MISSING_TIME_UNIT": ("the unit of time is missing", "add unit: day (or year, quarter, month, week, hour, minute, second)"),
    "OPERATOR_TYPE_MISMATCH": (
        'Contain does not fit "lifetime_value", which is number',
        "operators for number: Equal, NotEqual, Greater, ...",
    ),
    "REFRESH_WARNING": ("what the refresh warns about, in words", ""),
    "RULE_SYNTAX": ('"lifetime_value" is an attribute and needs a test', "write an operator after it, such as = 'Gold' or is null"),
    "SEGMENT_CYCLE": ("segments need each other: A -> B -> A", "remove one of these references"),
    "SEGMENT_NOT_FOUND": ('there is no segment "Lapsng"', 'did you mean "Lifecycle/Lapsing"?'),
    "SETTINGS_SYNTAX": ("Expected '=' after a key in a key/value pair", "this file is TOML"),
    "SQL_ERROR": ("the statement cannot be read", ""),
    "STORE_DAMAGED": (
        "the store .kohort/kohort.db is not a definition store, or it is damaged",
        "restore it from a copy, or move it away and push your files again",
    ),
    "STORE_IO": ("the disk failed while using the store .kohort/kohort.db", "check the disk and try again"),
    "STORE_LOCKED": (
        "another program has been writing to the store .kohort/kohort.db for too long",
        "wait for it to finish, or end it, and try again",
    ),
    "STORE_READ_ONLY": ("the store .kohort/kohort.db cannot be written", "check the permissions of the file or the user"),
    "TABLE_NOT_FOUND": ("there is no table shop.custmers", 'did you mean "shop.customers"?'),
    "UNKNOWN_ATTRIBUTE": ('there is no attribute "lifetme_value"', 'did you mean "lifetime_value"?'),
    "UNKNOWN_BEHAVIOR": ('there is no behavior "purchases"', 'did you mean "purchase"?'),
    "UNKNOWN_COLUMN": ('behavior "purchase" has no column "amout"', 'did you mean "amount"?'),
    "UNKNOWN_KEY": ('the segment has no key "rul"', 'did you mean "rule"?'),
    "UNKNOWN_PARAMETER": ('there is no parameter "foldr"', 'did you mean "folder"? this route takes folder, search, cursor, limit'),
    "YAML_SYNTAX": ("mapping values are not allowed here", "check indentation, quotes and colons on this line and the one before"),
}
"""The examples of codes whose message the source does not say in one place, or says with too many blanks."""
HINTED = {"did_you_mean": 'did you mean "<name>"?'}


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its first message and way out; what is only known at run time stands in <...>."""

    code: str
    message: str
    hint: str
    where: str


def all_codes(package: Path) -> list[Code]:
    """Every code of the package, once, by name."""
    found: dict[str, Code] = {}
    for file in sorted(package.rglob("*.py")):
        where = file.relative_to(package).as_posix()
        if where.split("/")[0] in LEFT_OUT:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for code in _codes_of(tree, where):
            found.setdefault(code.code, code)
        for name in _constants(tree) & SAID.keys():
            found[name] = Code(name, *SAID[name], found[name].where if name in found else where)
    return [found[name] for name in sorted(found)]


def _constants(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _codes_of(tree: ast.Module, where: str) -> Iterator[Code]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes = list(_own_nodes(scope))
            for node in nodes:
                yield from _codes_in(node, _Names(nodes, getattr(node, "lineno", 0)), where)


def _codes_in(node: ast.AST, names: _Names, where: str) -> Iterator[Code]:
    values = _values(node)
    hint = next((_text(k.value, names) for k in node.keywords if k.arg == "hint"), "") if isinstance(node, ast.Call) else ""
    for position, value in enumerate(values[:-1]):
        for code in _literals(value):
            message = _text(values[position + 1], names)
            if CODE.fullmatch(code) and " " in message:
                rest = [_text(item, names) for item in values[position + 2 :] if not isinstance(item, ast.Tuple)]
                yield Code(code, message, hint or next((text for text in rest if " " in text), ""), where)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, those of inner functions left out."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _values(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in SAYING:
            return list(args)
        case ast.Tuple(elts=elements):
            return list(elements)
        case _:
            return []


class _Names:
    """What the names of a function were last set to before a line."""

    def __init__(self, nodes: list[ast.AST], line: int) -> None:
        self._set: dict[str, ast.expr] = {}
        for node in sorted((n for n in nodes if isinstance(n, ast.Assign) and n.lineno <= line), key=lambda n: n.lineno):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._set[name] = value
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                    self._set |= {t.id: v for t, v in zip(targets, values, strict=False) if isinstance(t, ast.Name)}

    def get(self, name: str) -> ast.expr | None:
        """The expression, or None."""
        return self._set.get(name)


def _literals(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return _literals(body) + _literals(other)
        case _:
            return []


def _text(node: ast.expr, names: _Names, depth: int = 0) -> str:
    """The text of an expression as far as the source says it."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"\{(\w+)\}", r"<\1>", text)
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, names, depth) for part in parts)
        case ast.FormattedValue(value=value, conversion=conversion):
            inner = _inner(value, names, depth)
            return f"'{inner}'" if conversion == ord("r") and inner.startswith("<") else inner
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, names, depth) + _text(right, names, depth)
        case ast.IfExp(body=body, orelse=other):
            return _text(body, names, depth) or _text(other, names, depth)
        case ast.Name(id=name) if (value := names.get(name)) is not None and depth < 4:
            return _text(value, names, depth + 1)
        case ast.Call(func=ast.Name(id=name)) if name in HINTED:
            return HINTED[name]
        case _:
            return ""


def _inner(node: ast.expr, names: _Names, depth: int) -> str:
    """What a `{...}` of a message shows: its own words when it has any, else <name>."""
    if isinstance(node, ast.IfExp | ast.Constant) and (words := _text(node, names, depth)):
        return words
    return f"<{_label(node)}>"


def _label(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name.strip("_")
        case ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript(value=value):
            return _label(value)
        case ast.Call(args=[first, *_]):
            return _label(first)
        case ast.Call(func=ast.Attribute(value=value)):
            return _label(value)
        case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
            return _label(inner)
        case ast.JoinedStr(values=parts):
            return next((_label(part.value) for part in parts if isinstance(part, ast.FormattedValue)), "...")
        case ast.IfExp(body=body):
            return _label(body)
        case ast.BinOp(left=left) | ast.BoolOp(values=[left, *_]):
            return _label(left)
        case _:
            return "..."
