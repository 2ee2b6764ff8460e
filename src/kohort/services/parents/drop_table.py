"""Drop a table that nobody needs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.parent.definition import ParentSegment, TableRef
from kohort.ports.definitions import DefinitionStore
from kohort.ports.warehouse import TableInfo, Warehouse
from kohort.services.definitions.stored import parent_of
from kohort.services.tables import writable_table


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on a table in the warehouse. views: names of views that read it; of_source: calls of a source are written to it."""

    views: tuple[str, ...]
    of_source: bool


def require_droppable(store: DefinitionStore, info: TableInfo, standing: Standing) -> None:
    """Raises UserError NAME_RESERVED, TABLE_IN_USE when something else needs the table; says what."""
    ref = writable_table(str(info.ref))
    users = [f'the {place} of the parent segment "{name}"' for name, place in _parent_uses(store, ref)]
    users += [f"the view {view}" for view in standing.views]
    if standing.of_source:
        name = next((record.name for record in store.sources() if record.slug == ref.database.lower()), "")
        hint = f'its tables go with it: kohort source remove "{name}" --drop-tables'
        if name:
            raise UserError("TABLE_IN_USE", f'calls of the source "{name}" are written to {ref}', hint=hint)
    if users:
        hint = "change or remove that first; a new import under the same name replaces the table at once"
        raise UserError("TABLE_IN_USE", f"{ref} is needed by {', '.join(users)}", hint=hint)


def drop_table(warehouse: Warehouse, info: TableInfo) -> None:
    """Drop a table or view for good; see `require_droppable`."""
    target = exp.table_(info.ref.table, db=info.ref.database, quoted=True)
    warehouse.execute(exp.Drop(tables=[target], kind=info.kind.upper()))


def _parent_uses(store: DefinitionStore, ref: TableRef) -> list[tuple[str, str]]:
    """(name of a parent segment, what reads the table there)."""
    found = []
    for record in store.parents():
        try:
            parent = parent_of(record)
        except UserError:
            continue
        found += [(record.name, place) for place, source in _sources(parent) if str(source).lower() == str(ref).lower()]
    return found


def _sources(parent: ParentSegment) -> list[tuple[str, TableRef]]:
    attributes = [(f'attribute "{attribute.name}"', attribute.source) for attribute in parent.attributes]
    behaviors = [(f'behavior "{behavior.name}"', behavior.source) for behavior in parent.behaviors]
    return [("master table", parent.master.source), *attributes, *behaviors]
