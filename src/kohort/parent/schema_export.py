"""The fields of a parent segment for people and other tools: two YAML lists, and the schema of the output database."""

from __future__ import annotations

from typing import Any, assert_never

from kohort.documents.yaml import write_yaml
from kohort.parent.catalog import TIME_FIELD, Field, FieldCatalog
from kohort.parent.layout import CUSTOMER_ID, TIMESTAMP, output_database


def fields_text(catalog: FieldCatalog) -> str:
    """The two lists as YAML: attributes with their types, behaviors with the names of their fields.

    >>> print(fields_text(FieldCatalog((Field("age", "number", "int64"),), ())), end="")
    attributes:
    - name: age
      type: number
    """
    parts = []
    if catalog.attributes:
        parts.append("attributes:\n" + "".join(f"- name: {_word(f.name)}\n  type: {f.type}\n" for f in catalog.attributes))
    if catalog.behaviors:
        lines = (f"- name: {_word(b.name)}\n  fields: [{', '.join(_word(f.name) for f in b.fields)}]\n" for b in catalog.behaviors)
        parts.append("behaviors:\n" + "".join(lines))
    return "\n".join(parts)


def fields_document(catalog: FieldCatalog) -> dict[str, Any]:
    """The same lists as JSON."""
    return {
        "attributes": [{"name": f.name, "type": f.type} for f in catalog.attributes],
        "behaviors": [{"name": b.name, "fields": [f.name for f in b.fields]} for b in catalog.behaviors],
    }


def editor_document(catalog: FieldCatalog) -> dict[str, Any]:
    """What an editor of rules shows of every field: its type, its words for people, and whether its values may be seen."""
    return {
        "attributes": [{**_described(field), "group": field.group} for field in catalog.attributes],
        "behaviors": [
            {"name": b.name, "label": b.label, "columns": [_described(field) for field in (*b.fields, TIME_FIELD)]}
            for b in catalog.behaviors
        ],
    }


def _described(field: Field) -> dict[str, Any]:
    return {"name": field.name, "type": field.type, "label": field.label, "visibility": field.visibility}


def schema_document(catalog: FieldCatalog, parent_name: str, parent_id: int) -> dict[str, Any]:
    """The tables of the output database with their columns."""
    identity = {"name": CUSTOMER_ID, "type": "varchar"}
    times = [{"name": TIMESTAMP, "type": "timestamp"}, {"name": "time", "type": "bigint"}]
    return {
        "database": output_database(parent_id),
        "parent_segment": parent_name,
        "parent_id": str(parent_id),
        "customers": {"table": "customers", "columns": [identity, *(_column(field) for field in catalog.attributes)]},
        "behaviors": [
            {"table": f"behavior_{b.name}", "columns": [identity, *(_column(field) for field in b.fields), *times]}
            for b in catalog.behaviors
        ],
    }


def _column(field: Field) -> dict[str, str]:
    return {"name": field.name, "type": column_type(field)}


def column_type(field: Field) -> str:
    """The type of a field's column in the words of the schema export."""
    match field.storage:
        case "text":
            return "varchar"
        case "int64":
            return "bigint"
        case "float64":
            return "double"
        case "decimal":
            return f"decimal(38,{field.scale})"
        case "boolean" | "timestamp" | "date":
            return field.storage
        case "text_array":
            return "array(varchar)"
        case "int64_array":
            return "array(bigint)"
        case "float64_array":
            return "array(double)"
        case _ as unknown:
            assert_never(unknown)


def _word(name: str) -> str:
    """A name as YAML inside a flow list: quoted where it would read back as something else."""
    if any(mark in name for mark in ",[]{}\n"):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return write_yaml([name]).removeprefix("- ").rstrip("\n")
