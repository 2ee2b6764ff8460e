"""Fields for people and other tools."""

from __future__ import annotations

from kohort.documents.yaml import read_yaml
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document, catalog_to_document
from kohort.parent.schema_export import editor_document, fields_document, fields_text, schema_document

CATALOG = FieldCatalog(
    (
        Field("lifetime_value", "number", "float64", label="Lifetime value", group="Value", source="a.b.c", visibility="pii"),
        Field("loyalty_tier", "string", "text"),
        Field("last_purchase_date", "timestamp", "timestamp"),
        Field("email_opt_in", "boolean", "boolean"),
    ),
    (
        Behavior(
            "purchase",
            (Field("amount", "number", "decimal", 2), Field("product_id", "string", "text"), Field("tags", "string_array", "text_array")),
        ),
        Behavior("page_view", (Field("url", "string", "text"),), "Page view", "web.pages"),
    ),
    "Asia/Tokyo",
)

PRINTED = """\
attributes:
- name: lifetime_value
  type: number
- name: loyalty_tier
  type: string
- name: last_purchase_date
  type: timestamp
- name: email_opt_in
  type: boolean

behaviors:
- name: purchase
  fields: [amount, product_id, tags]
- name: page_view
  fields: [url]
"""


def test_fields_have_the_printed_shape() -> None:
    assert fields_text(CATALOG) == PRINTED
    assert read_yaml(PRINTED)[0].value == fields_document(CATALOG)


def test_an_editor_knows_the_type_and_the_words_of_every_field() -> None:
    document = editor_document(CATALOG)
    value, url = document["attributes"][0], document["behaviors"][1]["columns"][0]
    assert value == {"name": "lifetime_value", "type": "number", "label": "Lifetime value", "visibility": "pii", "group": "Value"}
    assert url == {"name": "url", "type": "string", "label": "", "visibility": "clear"}
    assert [c["name"] for c in document["behaviors"][0]["columns"]] == ["amount", "product_id", "tags", "timestamp"]


def test_odd_names_read_back() -> None:
    names = ["a, b", "[x]", "yes", "12", 'say "x"', "é: ü", "{", "#c", "line\nbreak", "back\\slash, x"]
    fields = tuple(Field(name, "string", "text") for name in names)
    catalog = FieldCatalog(fields, (Behavior("b", fields),))
    assert read_yaml(fields_text(catalog))[0].value == fields_document(catalog)


def test_the_schema_of_the_output_database() -> None:
    document = schema_document(CATALOG, "Customer 360", 12345)
    assert (document["database"], document["parent_segment"], document["parent_id"]) == ("cdp_audience_12345", "Customer 360", "12345")
    assert document["customers"]["table"] == "customers"
    assert [c["type"] for c in document["customers"]["columns"]] == ["varchar", "double", "varchar", "timestamp", "boolean"]
    purchase = document["behaviors"][0]
    assert purchase["table"] == "behavior_purchase"
    assert [(c["name"], c["type"]) for c in purchase["columns"]] == [
        ("cdp_customer_id", "varchar"),
        ("amount", "decimal(38,2)"),
        ("product_id", "varchar"),
        ("tags", "array(varchar)"),
        ("timestamp", "timestamp"),
        ("time", "bigint"),
    ]


def test_catalogs_read_back() -> None:
    assert catalog_from_document(catalog_to_document(CATALOG)) == CATALOG
