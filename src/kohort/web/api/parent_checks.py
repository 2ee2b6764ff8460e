"""Definitions of parent segments as people write them: YAML checked with lines before anything is saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.foundation.issues import Issues
from kohort.parent.codec import located, parent_to_document, read_parent
from kohort.parent.definition import ParentSegment
from kohort.ports.definitions import ParentRecord
from kohort.services.issue_document import issue_document
from kohort.services.parents.scaffold import MasterKind, scaffold
from kohort.services.parents.validate import ParentCheck, validate_parent
from kohort.services.refresh.measure import resolve_parent
from kohort.services.sources.registry import require_source
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.api.guard import Routes
from kohort.web.api.sources import SourceName

routes = Routes("Parent segments")
_ISSUE = {"code": "TABLE_NOT_FOUND", "severity": "error", "path": "master.table", "message": "...", "hint": "", "line": 4, "column": 3}
_CHECKED = {"ok": False, "definition": {"name": "All Customers"}, "issues": [_ISSUE], "tables": []}


_BEGUN = {"yaml": "name: Web Shop\nmaster: { database: web_shop, table: users, key_column: id }\n"}
Master = Annotated[MasterKind, Query(description="Who is a customer: users who said who they are, or the profiles of all visitors.")]
NewName = Annotated[str, Query(max_length=200, description="The name of the parent segment; empty: that of the source.")]


class ParentText(Body):
    """A parent segment as text (YAML, or JSON). measure: also read its tables: rows, join rates, keys, values that do not fit."""

    text: Annotated[str, Field(max_length=400_000, examples=["name: All Customers\nmaster: { database: shop, table: customers }\n"])]
    measure: bool = False


@routes.on("POST", "/parents/check", "parents.add", problems=(409,), example=_CHECKED)
def check_new_parent(desk: AtDesk, body: ParentText) -> Json:
    """What is wrong with a new parent segment, each issue with its line. Nothing is saved."""
    return Json(_checked(desk, body, None))


@routes.on("POST", "/parents/{parent}/check", "parents.write", problems=(409,), example=_CHECKED)
def check_parent(desk: AtDesk, parent: ParentName, body: ParentText) -> Json:
    """What is wrong with a changed definition, each issue with its line. Nothing is saved.

    `definition` is null while the text cannot be read; with issues of tables only, it can be saved but not refreshed.
    """
    return Json(_checked(desk, body, desk.parent(parent, "parents.write")))


@routes.on("GET", "/sources/{source}/scaffold", "parents.add", problems=("SOURCE_EMPTY", 503), example=_BEGUN)
def begin_parent(desk: AtDesk, source: SourceName, master: Master = "users", name: NewName = "") -> Json:
    """A parent segment over the tables of a source, to begin with: YAML with remarks that say what to choose. Nothing is saved."""
    record = require_source(desk.kohort.store, source)
    with desk.kohort.shared_warehouse.use() as warehouse:
        return Json({"yaml": scaffold(warehouse, record, name, master)})


def _checked(desk: Desk, body: ParentText, record: ParentRecord | None) -> dict[str, Any]:
    document, issues = read_yaml(body.text)
    parent: ParentSegment | None = None
    if issues.ok:
        parent, found = read_parent(document)
        issues.extend(document.located(found))
    tables: list[dict[str, Any]] = []
    if parent is not None:
        _check_slug(desk, parent, record, document, issues)
        check = _with_tables(desk, parent, body.measure)
        issues.extend(located(document, check.issues))
        tables = list(_figures(check)) if body.measure else []
    distinct = list(dict.fromkeys(issues))
    return {
        "ok": parent is not None and issues.ok,
        "definition": parent_to_document(parent) if parent is not None else None,
        "issues": [issue_document(issue) for issue in sorted(distinct, key=lambda issue: (issue.line, issue.column))],
        "tables": tables,
    }


def _check_slug(desk: Desk, parent: ParentSegment, record: ParentRecord | None, document: Document, issues: Issues) -> None:
    own = Issues()
    if record is not None and parent.slug != record.slug:
        message = f'the slug of "{record.name}" is {record.slug} for life, the document gives {parent.slug}'
        own.error("SLUG_CHANGES", message, ("name",), f"keep the name {record.name}, or write one with that slug")
    elif record is None and any(other.slug == parent.slug for other in desk.kohort.store.parents()):
        own.error("NAME_TAKEN", f'there is already a parent segment with the slug "{parent.slug}"', ("name",), "choose another name")
    issues.extend(document.located(own))


def _with_tables(desk: Desk, parent: ParentSegment, measure: bool) -> ParentCheck:
    """The tables and columns it names; measure: and what is in them."""
    with desk.kohort.shared_warehouse.use() as warehouse:
        if measure:
            return validate_parent(warehouse, parent)
        _, found = resolve_parent(warehouse, parent)
        return ParentCheck(found, None, (), ())


def _figures(check: ParentCheck) -> Iterator[dict[str, Any]]:
    if check.master is None:
        return
    master = check.master
    share = master.customers / master.rows_in if master.rows_in else None
    yield {"part": "master", "name": "Master", "source": master.source, "rows": master.rows_in, "matched": share}
    for kind, tables in (("attribute", check.attributes), ("behavior", check.behaviors)):
        for table in tables:
            yield {"part": kind, "name": table.name, "source": table.source, "rows": table.rows_in, "matched": table.match_rate}
