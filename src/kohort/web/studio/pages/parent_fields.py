"""The fields of a parent segment: types, how filled they are, and how their values are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query, Request, Response

from kohort.foundation.errors import InvalidInput, UserError
from kohort.parent.catalog import TIME_FIELD, Field, FieldCatalog
from kohort.services.parents.field_statistics import FieldStatistics
from kohort.services.parents.fields import parent_fields
from kohort.services.parents.suggestions import field_statistics, kept_statistics
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.studio.pages.parent_frame import render_parent
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes
from kohort.web.studio.values import Values

routes = PageRoutes()
FieldPath = Annotated[str, Query(alias="field", max_length=600)]


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field. path: as rules name it; statistics None: not measured yet, or blocked."""

    path: str
    field: Field
    statistics: FieldStatistics | None

    @property
    def filled(self) -> float | None:
        """The share of rows that have a value."""
        share = self.statistics.null_share if self.statistics else None
        return None if share is None else 1 - share


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Attributes under one heading, or the columns of a behavior. source: the table."""

    kind: str
    title: str
    name: str
    source: str
    lines: tuple[FieldLine, ...]


@routes.page("/audiences/{parent}/fields", "parents.read")
def fields_page(
    request: Request, desk: AtDesk, parent: ParentName, wanted: FieldPath = "", search: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Every field with what is known of its values; `field` opens one."""
    record = desk.parent(parent, "parents.read")
    store, known, problem = desk.kohort.store, dict[str, FieldStatistics](), None
    catalog = FieldCatalog((), ())
    if store.last_refresh(record.id) is not None:
        with desk.engine(record) as engine:
            catalog, known = engine.catalog, kept_statistics(engine, desk.kohort.fields)
    else:
        try:
            with desk.kohort.shared_warehouse.use() as warehouse:
                catalog = parent_fields(warehouse, store, record).catalog
        except InvalidInput as error:
            problem = error
    groups = [group for group in _groups(catalog, known, search.strip().casefold()) if group.lines]
    context = {"groups": groups, "search": search, "wanted": wanted, "problem": problem, "catalog": catalog}
    detail = (
        _detail(desk, parent, wanted) if wanted and not problem else {"line": None, "statistics": None, "trouble": None, "values": None}
    )
    return render_parent(request, "parents/fields.html", desk, record, "fields", **context, **detail)


@routes.page("/audiences/{parent}/fields/one", "values.read")
def field_part(request: Request, desk: AtDesk, parent: ParentName, wanted: FieldPath) -> Response:
    """How the values of one field are spread; measured now when that was not done yet."""
    record = desk.parent(parent, "values.read")
    return render(request, "parents/field_part.html", desk, parent=record, record=record, **_detail(desk, parent, wanted))


def _detail(desk: Desk, parent: str, path: str) -> dict[str, Any]:
    record = desk.parent(parent, "values.read")
    try:
        with desk.engine(record) as engine:
            statistics = field_statistics(engine, desk.kohort.fields, path)
            field = _field_of(engine.catalog, statistics.field)
            values = Values(ZoneInfo(engine.catalog.timezone))
    except UserError as error:
        return {"line": None, "statistics": None, "trouble": error, "values": None}
    return {"line": FieldLine(statistics.field, field, statistics), "statistics": statistics, "trouble": None, "values": values}


def _field_of(catalog: FieldCatalog, path: str) -> Field:
    if path in catalog.attribute:
        return catalog.attribute[path]
    behavior, _, column = path.rpartition(".")
    return catalog.behavior[behavior].by_name[column]


def _groups(catalog: FieldCatalog, known: Mapping[str, FieldStatistics], needle: str) -> Iterator[FieldGroup]:
    def lines(fields: list[tuple[str, Field]]) -> tuple[FieldLine, ...]:
        shown = [(path, field) for path, field in fields if needle in f"{path} {field.label}".casefold()]
        return tuple(FieldLine(path, field, known.get(path)) for path, field in shown)

    for heading, fields in groupby(catalog.attributes, lambda field: field.group):
        of_group = list(fields)
        sources = dict.fromkeys(field.source.rpartition(".")[0] for field in of_group)
        yield FieldGroup("attribute", heading or "Attributes", "", ", ".join(sources), lines([(f.name, f) for f in of_group]))
    for behavior in catalog.behaviors:
        own = [(f"{behavior.name}.{field.name}", field) for field in (TIME_FIELD, *behavior.fields)]
        yield FieldGroup("behavior", behavior.label or behavior.name, behavior.name, behavior.source, lines(own))
