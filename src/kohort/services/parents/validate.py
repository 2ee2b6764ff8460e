"""Check a parent segment against the warehouse without refreshing it: tables, columns, joins, keys, types and times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.parent.definition import ParentSegment
from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, Misfit
from kohort.parent.resolution import ResolvedAttribute, ResolvedBehavior, ResolvedColumn, ResolvedParent
from kohort.ports.warehouse import Warehouse
from kohort.services.refresh.measure import measure_attribute, measure_behavior, measure_master, resolve_parent
from kohort.services.refresh.refresh import duplicate_key_issues

Part = Literal["all", "master", "attribute", "behavior"]


@dataclass(frozen=True)
class ParentCheck:
    """Problems (paths of the `tdx ps` form; see `parent.codec.located`) and the figures of every table that could be read."""

    issues: Issues
    master: MasterReport | None
    attributes: tuple[AttributeReport, ...]
    behaviors: tuple[BehaviorReport, ...]


def validate_parent(warehouse: Warehouse, parent: ParentSegment, *, part: Part = "all", name: str = "") -> ParentCheck:
    """Everything a refresh would refuse (errors) or leave out (warnings).

    part and name: only the master, the attributes or the behaviors, or one of them. Raises UserError NAME_NOT_FOUND.
    """
    check_name(parent, part, name)
    resolved, found = resolve_parent(warehouse, parent)
    issues = Issues([issue for issue in found if _concerns(parent, issue.path, part, name)])
    if resolved is None:
        return ParentCheck(issues, None, (), ())
    master = measure_master(warehouse, resolved)
    if part in ("all", "master"):
        _note_master(resolved, master, issues)
    attributes = tuple(
        measure_attribute(warehouse, resolved, table, master.customers)
        for table in resolved.attributes
        if part in ("all", "attribute") and name in ("", table.table.name)
    )
    behaviors = tuple(
        measure_behavior(warehouse, resolved, table, master.customers)
        for table in resolved.behaviors
        if part in ("all", "behavior") and name in ("", table.table.name, table.table.slug)
    )
    for attribute in attributes:
        _note_attribute(attribute, next(t for t in resolved.attributes if t.table.name == attribute.name), issues)
    for behavior in behaviors:
        _note_behavior(behavior, next(t for t in resolved.behaviors if t.table.name == behavior.name), issues)
    return ParentCheck(issues, master, attributes, behaviors)


def check_name(parent: ParentSegment, part: Part, name: str) -> None:
    """Raises UserError NAME_NOT_FOUND when the parent segment has no attribute or behavior of that name."""
    known = {"attribute": [t.name for t in parent.attributes], "behavior": [b for t in parent.behaviors for b in (t.name, t.slug)]}
    if name and part in known and name not in known[part]:
        hint = did_you_mean(name, dict.fromkeys(known[part]))
        raise UserError("NAME_NOT_FOUND", f'{parent.name} has no {part} named "{name}"', hint=hint)


def _concerns(parent: ParentSegment, path: Path, part: Part, name: str) -> bool:
    match path:
        case ("master", *_) | ():
            return True
        case ("attributes", int(position), *_):
            return part in ("all", "attribute") and name in ("", parent.attributes[position].name)
        case ("behaviors", int(position), *_):
            return part in ("all", "behavior") and name in ("", parent.behaviors[position].name, parent.behaviors[position].slug)
    return True


def _note_master(resolved: ResolvedParent, master: MasterReport, issues: Issues) -> None:
    if master.duplicate_keys:
        issues.extend(duplicate_key_issues(resolved, master))
    if not master.customers:
        hint = "check the filters" if master.filtered_out else "import rows first"
        issues.warning("NO_CUSTOMERS", f"{master.source} gives no customers", ("master",), hint)
    if master.null_keys:
        issues.warning("NULL_KEYS", f"{master.null_keys} rows of {master.source} have no key and are left out", ("master", "key_column"))
    _note_misfits(master.source, master.misfits, resolved.master.columns, issues)


def _note_attribute(table: AttributeReport, resolved: ResolvedAttribute, issues: Issues) -> None:
    join: Path = (*resolved.path, "join")
    if table.null_keys:
        issues.warning("NULL_KEYS", f"{table.null_keys} rows of {table.source} have no key and are left out", (*join, "child_key"))
    if table.duplicate_keys:
        message = (
            f"{table.duplicate_keys} keys of {table.source} stand in several rows ({_list(table.duplicate_samples)}); "
            f"the smallest row of each is taken, {table.extra_rows} rows are left out"
        )
        issues.warning("DUPLICATE_ATTRIBUTE_KEYS", message, (*join, "child_key"), "one row per customer, or make it a behavior")
    if table.customers and not table.customers_matched:
        _note_nobody(table.source, table.unmatched_samples, join, issues)
    elif table.unmatched_keys:
        message = f"{table.unmatched_keys} keys of {table.source} belong to no customer ({_list(table.unmatched_samples)})"
        issues.warning("UNMATCHED_KEYS", message, join)
    _note_misfits(table.source, table.misfits, resolved.columns, issues)


def _note_behavior(table: BehaviorReport, resolved: ResolvedBehavior, issues: Issues) -> None:
    join: Path = (*resolved.path, "join")
    if table.null_keys:
        issues.warning("NULL_KEYS", f"{table.null_keys} rows of {table.source} have no key and are left out", (*join, "child_key"))
    if table.no_time:
        issues.warning("NO_TIME", f"{table.no_time} rows of {table.source} have no time and are left out", resolved.time.path)
    if table.customers and table.unmatched_rows and not table.customers_matched:
        _note_nobody(table.source, table.unmatched_samples, join, issues)
    elif table.unmatched_rows:
        message = f"{table.unmatched_rows} rows of {table.source} belong to no customer ({_list(table.unmatched_samples)})"
        issues.warning("UNMATCHED_ROWS", message, join)
    _note_misfits(table.source, table.misfits, (*resolved.columns, resolved.time), issues)


def _note_nobody(source: str, samples: Iterable[str], path: Path, issues: Issues) -> None:
    hint = "check the join: are these the values of the customers' key?"
    issues.warning("NOTHING_MATCHES", f"no row of {source} belongs to a customer ({_list(samples) or 'no rows'})", path, hint)


def _note_misfits(source: str, misfits: tuple[Misfit, ...], columns: tuple[ResolvedColumn, ...], issues: Issues) -> None:
    paths = {column.column: column.path for column in columns}
    for misfit in misfits:
        message = (
            f'{misfit.count} values of {source}.{misfit.column} cannot be read as "{misfit.type}" ({_list(misfit.samples)}) and become null'
        )
        issues.warning("VALUES_DO_NOT_FIT", message, paths[misfit.column], _misfit_hint(misfit))


def _misfit_hint(misfit: Misfit) -> str:
    if misfit.type == "timestamp" and any(sample.lstrip("-").isdecimal() and len(sample) >= 13 for sample in misfit.samples):
        return "these look like milliseconds; times are seconds since 1970: divide by 1000"
    return ""


def _list(samples: Iterable[str]) -> str:
    return ", ".join(samples)
