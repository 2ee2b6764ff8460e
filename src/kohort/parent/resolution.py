"""A parent segment met with the real tables: every column found, typed and named, or an issue that says what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.parent.casting import Casting, cast_column, family, key_text
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.parent.definition import AttributeTable, BehaviorTable, ColumnPick, Master, ParentSegment, TableRef
from kohort.parent.statements import quoted
from kohort.parent.table_entries import BEHAVIOR_RESERVED, PROFILE_RESERVED, SYSTEM_TIME


@dataclass(frozen=True)
class SourceTable:
    """A table as the warehouse has it: column name -> type in its words. `has_rowid`: rows know their order of arrival."""

    ref: TableRef
    columns: Mapping[str, str]
    has_rowid: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedColumn:
    """One field and the SQL it comes from, over the source under the alias `s`."""

    field: Field
    column: str
    casting: Casting
    path: Path


@dataclass(frozen=True, slots=True)
class Join:
    """The join of a child table to the master. Whole-number keys join as BIGINT, all others as text."""

    parent_key: str
    child_key: str
    parent_sql: str
    child_sql: str


@dataclass(frozen=True, slots=True)
class ResolvedMaster:
    """The master: `key_sql` is the key as text, `filter_sql` the population filter ("TRUE": everybody)."""

    source: SourceTable
    key: ResolvedColumn
    key_sql: str
    filter_sql: str
    columns: tuple[ResolvedColumn, ...]


@dataclass(frozen=True, slots=True)
class ResolvedAttribute:
    table: AttributeTable
    source: SourceTable
    join: Join
    columns: tuple[ResolvedColumn, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class ResolvedBehavior:
    table: BehaviorTable
    source: SourceTable
    join: Join
    time: ResolvedColumn
    columns: tuple[ResolvedColumn, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class ResolvedParent:
    """Everything a refresh needs to know."""

    parent: ParentSegment
    master: ResolvedMaster
    attributes: tuple[ResolvedAttribute, ...]
    behaviors: tuple[ResolvedBehavior, ...]

    @property
    def profile_columns(self) -> tuple[ResolvedColumn, ...]:
        """The columns of `customers`, in order: the master's, then those of the attribute tables."""
        return (*self.master.columns, *(column for table in self.attributes for column in table.columns))

    @property
    def catalog(self) -> FieldCatalog:
        """The fields that rules may use after a refresh."""
        behaviors = tuple(
            Behavior(b.table.slug, tuple(c.field for c in b.columns), b.table.name, str(b.table.source)) for b in self.behaviors
        )
        return FieldCatalog(tuple(c.field for c in self.profile_columns), behaviors, self.parent.timezone)


@dataclass
class _Resolver:
    """Collects issues while it meets one parent segment with its tables."""

    parent: ParentSegment
    tables: Mapping[TableRef, SourceTable]
    known_tables: tuple[str, ...]
    issues: Issues = field(default_factory=Issues)

    def source(self, ref: TableRef, path: Path) -> SourceTable | None:
        found = self.tables.get(ref)
        if found is None:
            hint = did_you_mean(str(ref), self.known_tables) or "run: kohort tables import"
            self.issues.error("TABLE_NOT_FOUND", f"there is no table {ref} in the warehouse", path, hint)
        return found

    def has(self, source: SourceTable, column: str, path: Path, what: str = "column") -> bool:
        if column in source.columns:
            return True
        self.issues.error("COLUMN_NOT_FOUND", f'{source.ref} has no {what} "{column}"', path, did_you_mean(column, source.columns))
        return False

    def column(self, source: SourceTable, pick: ColumnPick, group: str, path: Path, *, chosen: bool = True) -> ResolvedColumn | None:
        """A picked column. One that was not chosen by name (all columns) and cannot be held is left out with a warning."""
        sql_type = source.columns[pick.column]
        casting = cast_column(f"s.{quoted(pick.column)}", sql_type, pick.type, self.parent.timezone)
        if casting is None and pick.type:
            message = f'{source.ref}.{pick.column} is {sql_type}, which cannot be read as "{pick.type}"'
            self.issues.error("TYPE_MISMATCH", message, path, "change or remove type:")
        elif casting is None:
            message = f"{source.ref}.{pick.column} is {sql_type}, which no field can hold"
            self._note("TYPE_NOT_SUPPORTED", message, path, chosen)
        if casting is None:
            return None
        if casting.note:
            self.issues.warning("KEPT_AS_TEXT", f"{source.ref}.{pick.column}: {casting.note}", path)
        name = f"{source.ref}.{pick.column}"
        made = Field(pick.name, casting.type, casting.storage, casting.scale, pick.label, group, name, pick.visibility)
        return ResolvedColumn(made, pick.column, casting, path)

    def _note(self, code: str, message: str, path: Path, chosen: bool) -> None:
        if chosen:
            self.issues.error(code, message, path, "remove the column")
        else:
            self.issues.warning(code, f"{message}; it is left out", path)

    def picked(self, source: SourceTable, picks: tuple[ColumnPick, ...], group: str, path: Path) -> tuple[ResolvedColumn, ...]:
        columns: list[ResolvedColumn] = []
        for position, pick in enumerate(picks):
            at = (*path, "columns", position)
            if self.has(source, pick.column, (*at, "column")) and (made := self.column(source, pick, group, at)):
                columns.append(made)
        return tuple(columns)

    def all_of(
        self, source: SourceTable, group: str, left_out: Iterable[str], reserved: frozenset[str], path: Path, master: Master | None = None
    ) -> tuple[ResolvedColumn, ...]:
        """Every column of a table that a field can hold. master: what is said of them, where the table is the master."""
        columns: list[ResolvedColumn] = []
        silent = set(left_out)
        for name in source.columns:
            if name in silent:
                continue
            if name.lower() in reserved:
                message = f'{source.ref}.{name} is left out: "{name}" is a name of the system'
                self.issues.warning("RESERVED_NAME", message, path, "list it under columns with another name: name: ...")
            elif made := self.column(source, _pick_of(name, master), group, path, chosen=False):
                columns.append(made)
        return tuple(columns)

    def join(self, table: AttributeTable | BehaviorTable, child: SourceTable, master: SourceTable | None, path: Path) -> Join | None:
        parent_type = master.columns.get(table.parent_key) if master else ""
        child_type = child.columns.get(table.child_key)
        if master and parent_type is None:
            self.has(master, table.parent_key, (*path, "join", "parent_key"))
        if child_type is None:
            self.has(child, table.child_key, (*path, "join", "child_key"))
        if not parent_type or not child_type:
            return None
        parent_sql, child_sql = f"s.{quoted(table.parent_key)}", f"s.{quoted(table.child_key)}"
        for kind, key in ((parent_type, table.parent_key), (child_type, table.child_key)):
            if family(kind) in ("binary", "array", "other"):
                self.issues.error("KEY_TYPE", f'"{key}" is {kind}, which cannot be a key', (*path, "join"))
        if family(parent_type) == family(child_type) == "int":
            return Join(table.parent_key, table.child_key, f"CAST({parent_sql} AS BIGINT)", f"CAST({child_sql} AS BIGINT)")
        return Join(table.parent_key, table.child_key, key_text(parent_sql, parent_type), key_text(child_sql, child_type))


def _pick_of(column: str, master: Master | None) -> ColumnPick:
    """A column under its own name, with what the master says of it."""
    if master is None:
        return ColumnPick(column, column)
    said = master.said_of(column)
    return ColumnPick(column, column, said.label, None, said.visibility)


def resolve(
    parent: ParentSegment, tables: Mapping[TableRef, SourceTable], known_tables: Iterable[str] = ()
) -> tuple[ResolvedParent | None, Issues]:
    """Meet a parent segment with its tables. Paths of issues are those of the `tdx ps` form.

    With errors the result holds only what could be found and may not be refreshed; it is None when the master could not be.
    tables: what `sources_of(parent)` names, as far as it exists. known_tables: "database.table" names for hints.
    """
    work = _Resolver(parent, tables, tuple(known_tables))
    master_source = work.source(parent.master.source, ("master", "table"))
    master = _master(work, master_source) if master_source else None
    attributes = tuple(_attribute(work, t, master_source, ("attributes", i)) for i, t in enumerate(parent.attributes))
    behaviors = tuple(_behavior(work, t, master_source, ("behaviors", i)) for i, t in enumerate(parent.behaviors))
    whole_attributes, whole_behaviors = tuple(a for a in attributes if a), tuple(b for b in behaviors if b)
    if master:
        _check_collisions(work, master, whole_attributes)
    if master is None:
        return None, work.issues
    return ResolvedParent(parent, master, whole_attributes, whole_behaviors), work.issues


def sources_of(parent: ParentSegment) -> tuple[TableRef, ...]:
    """Every table a parent segment reads, each once."""
    refs = [parent.master.source, *(t.source for t in parent.attributes), *(t.source for t in parent.behaviors)]
    return tuple(dict.fromkeys(refs))


def _master(work: _Resolver, source: SourceTable) -> ResolvedMaster | None:
    parent, path = work.parent, ("master",)
    key = parent.key_column
    conditions: list[str] = []
    for position, item in enumerate(parent.master.filters):
        if work.has(source, item.column, (*path, "filters", position, "column")):
            values = ", ".join(quoted(value, "'") for value in item.values)
            conditions.append(f"CAST(s.{quoted(item.column)} AS VARCHAR) IN ({values})")
    for position, said in enumerate(parent.master.columns):
        work.has(source, said.column, (*path, "columns", position, "column"))
    columns = work.all_of(source, "Master", (), PROFILE_RESERVED, path, parent.master)
    if not work.has(source, key, (*path, "key_column"), "key column"):
        return None
    if family(source.columns[key]) in ("binary", "array", "other"):
        work.issues.error("KEY_TYPE", f'"{key}" is {source.columns[key]}, which cannot be a key', (*path, "key_column"))
        return None
    key_column = work.column(source, _pick_of(key, parent.master), "Master", (*path, "key_column"))
    if key_column is None:
        return None
    key_sql = key_text(f"s.{quoted(key)}", source.columns[key])
    return ResolvedMaster(source, key_column, key_sql, " AND ".join(conditions) or "TRUE", columns)


def _attribute(work: _Resolver, table: AttributeTable, master: SourceTable | None, path: Path) -> ResolvedAttribute | None:
    source = work.source(table.source, (*path, "source", "table"))
    if source is None:
        return None
    join = work.join(table, source, master, path)
    group = table.group or table.name
    if table.all_columns:
        columns = work.all_of(source, group, (table.child_key, SYSTEM_TIME), PROFILE_RESERVED, (*path, "all_columns"))
    else:
        columns = work.picked(source, table.columns, group, path)
    return ResolvedAttribute(table, source, join, columns, path) if join else None


def _behavior(work: _Resolver, table: BehaviorTable, master: SourceTable | None, path: Path) -> ResolvedBehavior | None:
    source = work.source(table.source, (*path, "source", "table"))
    if source is None:
        return None
    join = work.join(table, source, master, path)
    time_name = table.time_column or SYSTEM_TIME
    time = _time(work, source, time_name, path)
    if table.all_columns:
        left_out = {table.child_key, time_name} | ({SYSTEM_TIME} & set(source.columns))
        columns = work.all_of(source, "", left_out, BEHAVIOR_RESERVED, (*path, "all_columns"))
    else:
        columns = work.picked(source, table.columns, "", path)
    return ResolvedBehavior(table, source, join, time, columns, path) if join and time else None


def _time(work: _Resolver, source: SourceTable, name: str, path: Path) -> ResolvedColumn | None:
    at = (*path, "timestamp_column")
    if name not in source.columns:
        times = [column for column, kind in source.columns.items() if family(kind) in ("timestamp", "timestamptz", "date")]
        hint = did_you_mean(name, source.columns)
        if times and not hint.startswith("did"):
            hint = f"write timestamp_column: {times[0]}"
        work.issues.error("TIME_COLUMN_NOT_FOUND", f'{source.ref} has no time column "{name}"', at, hint)
        return None
    casting = cast_column(f"s.{quoted(name)}", source.columns[name], "timestamp", work.parent.timezone)
    if casting is None:
        work.issues.error("TYPE_MISMATCH", f"{source.ref}.{name} is {source.columns[name]}, which is no time", at)
        return None
    return ResolvedColumn(Field("timestamp", "timestamp", "timestamp", source=f"{source.ref}.{name}"), name, casting, at)


def _check_collisions(work: _Resolver, master: ResolvedMaster, attributes: tuple[ResolvedAttribute, ...]) -> None:
    """All columns of `customers` have names of their own, upper and lower case being the same."""
    owner = {column.field.name.lower(): f"the master {master.source.ref}" for column in master.columns}
    for table in attributes:
        for column in table.columns:
            key = column.field.name.lower()
            if key in owner:
                message = f'the column "{column.field.name}" of "{table.table.name}" has the name of one of {owner[key]}'
                hint = "list the columns you want instead of all_columns" if table.table.all_columns else "give it another name: name: ..."
                work.issues.error("COLUMN_COLLISION", message, column.path, hint)
            owner.setdefault(key, f'"{table.table.name}"')
