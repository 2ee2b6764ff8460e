"""Names in a statement that are not there: which ones, what they may have meant, and what there is instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher

import sqlglot
from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.foundation.issues import did_you_mean

Known = Callable[[], Mapping[str, Sequence[str]]]
"""Every table by its whole name, with its columns."""

_TABLE = re.compile(r'Table with name "?(?P<name>[^"\n]+?)"? does not exist')
_COLUMN = re.compile(r'Referenced column "(?P<name>[^"\n]+)" not found in FROM clause')
_COLUMN_OF = re.compile(r'Table "(?P<table>[^"\n]+)" does not have a column named "(?P<name>[^"\n]+)"')
_BINDINGS = re.compile(r"Candidate (?:bindings|tables): (?:: )?(?P<names>.+)")
_NAME = re.compile(r'(?:(?:"[^"]+"|\w+)\.)*(?:"[^"]+"|\w+)')
_BUILT = re.compile(r"(cdp_audience_\d+_.+|kohort_\w+)")
_NEAR = 0.6
_ALSO_NEAR = 0.2
_MOST_NEAR = 3
_MOST_TABLES = 10
_MOST_COLUMNS = 24


def missing_table(text: str, near: str, known: Known) -> UserError | None:
    """The statement reads a table that is not there. near: what the engine points at, where the name is whole."""
    found = _TABLE.search(text)
    if found is None:
        return None
    name = found["name"]
    pointed = _NAME.match(near)
    whole = pointed[0].replace('"', "") if pointed else ""
    return table_not_found(whole if whole.lower().endswith(f".{name.lower()}") else name, list(known()))


def missing_column(text: str, place: str, sql: str, known: Known) -> UserError | None:
    """The statement names a column that is not there. place: where, in brackets."""
    found = _COLUMN_OF.search(text) or _COLUMN.search(text)
    if found is None:
        return None
    name = found["name"]
    tables = _tables_around(sql, name, found.groupdict().get("table") or "", known())
    if not tables:
        return UserError("COLUMN_NOT_FOUND", f"there is no column {name}{place}", hint=engine_names(text))
    columns = list(dict.fromkeys(column for names in tables.values() for column in names))
    near = did_you_mean(name, columns)
    there = "; ".join(f"{table} has {_listed(names, _MOST_COLUMNS, f'kohort tables show {table}')}" for table, names in tables.items())
    hint = f"{near} {there}" if near.startswith("did you mean") else there
    return UserError("COLUMN_NOT_FOUND", f"there is no column {name} in {' or '.join(tables)}{place}", hint=hint)


def table_not_found(name: str, known: Sequence[str]) -> UserError:
    """There is no such table: the nearest names, in whichever database they are, and the tables there are."""
    shown = _for_people(name, known)
    near = [f'"{full}"' for full in _nearest(name, shown)]
    asked = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError("TABLE_NOT_FOUND", f"there is no table {name}", hint=f"{asked}{_there(name, shown)}".rstrip())


def engine_names(text: str) -> str:
    """The names that the engine itself takes for near, "" when it says none."""
    found = _BINDINGS.search(text)
    return f"known: {found['names'].strip()}".replace('"', "") if found else ""


def _for_people(name: str, known: Sequence[str]) -> list[str]:
    """Without what refreshes and the server keep for themselves, unless that is what was asked for."""
    database = name.rpartition(".")[0].lower()
    return [full for full in known if not _BUILT.fullmatch(_database(full)) or _database(full).lower() == database]


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three tables of a similar name, the nearest first; the same database counts, too."""
    database, _, table = name.lower().rpartition(".")
    scores = []
    for full in known:
        its_database, _, its_table = full.lower().rpartition(".")
        likeness = _alike(table, its_table)
        if likeness >= _NEAR:
            scores.append((likeness + (_alike(database, its_database) / 2 if database else 0.0), full))
    best = max(scores, default=(0.0, ""))[0]
    near = sorted((found for found in scores if found[0] >= best - _ALSO_NEAR), key=lambda found: -found[0])
    return [full for _, full in near[:_MOST_NEAR]]


def _there(name: str, known: Sequence[str]) -> str:
    """The tables of the database that was asked for; all of them when there is no such database."""
    database = name.rpartition(".")[0].lower()
    beside = [full.rpartition(".")[2] for full in known if _database(full).lower() == database]
    if beside:
        return f"tables of {database}: {_listed(beside, _MOST_TABLES, 'kohort tables list')}"
    return f"tables: {_listed(known, _MOST_TABLES, 'kohort tables list')}" if known else "there are no tables yet: kohort tables import"


def _listed(names: Sequence[str], most: int, command: str) -> str:
    more = f", ... (all {len(names)}: {command})" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _database(full: str) -> str:
    return full.rpartition(".")[0]


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _tables_around(sql: str, column: str, alias: str, known: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The tables that the SELECT with this column reads, with their columns; none when it also reads anything else."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return {}
    whole_names = {full.lower(): full for full in known}
    for named in tree.find_all(exp.Column):
        select = named.find_ancestor(exp.Select)
        if select is None or named.name.lower() != column.lower():
            continue
        read = [source for source in select.find_all(exp.Table, exp.Subquery) if _is_read_by(source, select)]
        chosen = [source for source in read if not alias or source.alias_or_name.lower() == alias.lower()]
        names = [whole_names.get(f"{source.db}.{source.name}".lower(), "") if isinstance(source, exp.Table) else "" for source in chosen]
        return {name: known[name] for name in names} if names and all(names) else {}
    return {}


def _is_read_by(source: exp.Expression, select: exp.Select) -> bool:
    return isinstance(source.parent, exp.From | exp.Join) and source.parent.parent is select
