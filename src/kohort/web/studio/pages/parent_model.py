"""What a parent segment is made of: its tables, how they join, and what of them the last refresh took in."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, Response

from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.definition import AttributeTable, BehaviorTable, ParentSegment
from kohort.parent.layout import output_database
from kohort.parent.report import AttributeReport, BehaviorReport, RefreshReport, report_from_document
from kohort.parent.schedule import describe_schedule
from kohort.services.definitions.stored import parent_of
from kohort.web.api.desk import AtDesk, ParentName
from kohort.web.api.masking import Eyes
from kohort.web.studio.losses import Loss, losses
from kohort.web.studio.pages.parent_frame import render_parent
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@dataclass(frozen=True, slots=True)
class Part:
    """One table of the model. matched: a share of what `of` says; None before a refresh with this table."""

    kind: str
    name: str
    source: str
    join: str
    columns: str
    rows: int | None = None
    matched: float | None = None
    of: str = ""
    losses: tuple[Loss, ...] = ()


@routes.page("/audiences/{parent}/model", "parents.read")
def model_page(request: Request, desk: AtDesk, parent: ParentName) -> Response:
    """Master, attributes and behaviors with rows and join rates of the last refresh."""
    record = desk.parent(parent, "parents.read")
    definition, last = parent_of(record), desk.kohort.store.last_refresh(record.id)
    report = report_from_document(last.report) if last else None
    catalog = catalog_from_document(last.catalog) if last else FieldCatalog((), ())
    lost = losses(report, Eyes.of(catalog, definition, desk.access, record.id)) if report else []
    changed = last is not None and record.updated_at > last.started_at
    facts = {
        "schedule": describe_schedule(definition.schedule),
        "output": output_database(record.id),
        "definition": definition,
        "is_changed": changed,
        "parts": parts_of(definition, report, lost),
    }
    return render_parent(request, "parents/model.html", desk, record, "model", **facts)


def parts_of(definition: ParentSegment, report: RefreshReport | None, lost: list[Loss]) -> list[Part]:
    """Master, attributes and behaviors as written, each with the figures of a report when it has any."""
    attributes = {part.name: part for part in report.attributes} if report else {}
    behaviors = {part.name: part for part in report.behaviors} if report else {}
    filters = "; ".join(f"{item.column} in ({', '.join(item.values)})" for item in definition.master.filters)
    rows = report.master.rows_in if report else None
    matched = report.master.customers / report.master.rows_in if report and report.master.rows_in else None
    of = "of rows are customers"
    master = Part(
        "master", "Master", str(definition.master.source), f"key {definition.key_column}", filters, rows, matched, of, _of("Master", lost)
    )
    found = [master]
    found += [_joined("attribute", table, attributes.get(table.name), "of customers", lost) for table in definition.attributes]
    found += [_joined("behavior", table, behaviors.get(table.name), "of rows", lost) for table in definition.behaviors]
    return found


def _joined(
    kind: str, table: AttributeTable | BehaviorTable, report: AttributeReport | BehaviorReport | None, of: str, lost: list[Loss]
) -> Part:
    columns = "all columns" if table.all_columns else ", ".join(pick.name for pick in table.columns)
    rows, matched = (report.rows_in, report.match_rate) if report else (None, None)
    join = f"{table.parent_key} = {table.child_key}"
    return Part(kind, table.name, str(table.source), join, columns, rows, matched, of, _of(table.name, lost))


def _of(name: str, lost: list[Loss]) -> tuple[Loss, ...]:
    return tuple(loss for loss in lost if loss.part == name)
