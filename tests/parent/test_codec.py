"""Parent segment files: the printed forms as printed, all problems at once, and exact round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.parent.codec import parent_to_document, read_parent, written_path
from kohort.parent.definition import (
    AttributeTable,
    BehaviorTable,
    ColumnPick,
    Engine,
    Master,
    MasterColumn,
    ParentSegment,
    PopulationFilter,
    Schedule,
    TableRef,
)
from kohort.parent.table_entries import FIELD_TYPES, VISIBILITIES

TDX = """
name: "Customer 360"
description: "Complete customer view"
master:
  database: cdp_db
  table: customers
  filters:
    - column: status
      values: ["active", "trial"]
schedule:
  type: weekly
  time: "03:00:00"
  timezone: "America/Los_Angeles"
  repeat_sub_frequency: ["Monday", "Friday"]
engine:
  hive_only: false
  trino_pool: null
  hive_pool: null
attributes:
  - name: "User Profile"
    source: { database: cdp_db, table: user_profiles }
    join:   { parent_key: user_id, child_key: customer_id }
    columns:
      - { column: age, label: "Age", type: number }
behaviors:
  - name: "Purchases"
    source: { database: cdp_db, table: purchase_events }
    join:   { parent_key: user_id, child_key: customer_id }
    default_time_filter: false
    columns:
      - { column: amount, type: number }
  - name: "Page Views"
    source: { database: cdp_db, table: pageview_events }
    join:   { parent_key: visitor_id, child_key: customer_id }
    all_columns: true
"""

COMPOSABLE = """
name: Zero copy
timezone: Asia/Tokyo
master: { connection: lake, catalog: main, schema: crm, table: people, key_column: id }
attributes:
  - { name: tier, connection: lake, schema: crm, table: loyalty, join: { table_key: person, master_key: id }, column: level, type: string }
behaviors:
  - name: order
    connection: lake
    schema: shop
    table: orders
    join: { table_key: person, master_key: id }
    time_column: ordered_at
    columns: [{ name: price, type: number, column: amount }]
"""


def read(text: str) -> tuple[ParentSegment | None, list[str]]:
    document, problems = read_yaml(text)
    assert not problems
    parent, issues = read_parent(document)
    return parent, [f"{issue.line} {issue.code}" for issue in issues]


def test_the_tdx_form() -> None:
    parent, issues = read(TDX)
    assert parent is not None
    assert issues == ["4 KEY_COLUMN_GUESSED"]
    assert (parent.slug, parent.key_column, parent.timezone) == ("customer-360", "user_id", "America/Los_Angeles")
    assert parent.master == Master(TableRef("cdp_db", "customers"), "", (PopulationFilter("status", ("active", "trial")),))
    assert parent.schedule == Schedule("weekly", "03:00:00", "America/Los_Angeles", ("Monday", "Friday"))
    assert parent.attributes[0].columns == (ColumnPick("age", "age", "Age", "number"),)
    assert [(b.slug, b.all_columns, b.time_column) for b in parent.behaviors] == [("purchases", False, ""), ("page_views", True, "")]


def test_the_composable_form() -> None:
    parent, issues = read(COMPOSABLE)
    assert parent is not None
    assert issues == ["4 NO_EFFECT"] * 2 + ["6 NO_EFFECT", "9 NO_EFFECT"]
    assert parent.master == Master(TableRef("crm", "people"), "id")
    picks = (ColumnPick("level", "tier", type="string"),)
    assert parent.attributes == (AttributeTable("tier", TableRef("crm", "loyalty"), "id", "person", picks),)
    picks = (ColumnPick("amount", "price", type="number"),)
    assert parent.behaviors == (BehaviorTable("order", TableRef("shop", "orders"), "id", "person", picks, time_column="ordered_at"),)


def test_time_zone_is_the_schedules_unless_written() -> None:
    base = "name: A\nmaster: { database: d, table: t, key_column: k }\n"
    schedule = "schedule: { type: daily, timezone: Asia/Tokyo }\n"
    zones = [read(base + more)[0] for more in ("", schedule, schedule + "time_zone: UTC\n", "timezone: Europe/Paris\n")]
    assert [parent.timezone for parent in zones if parent] == ["UTC", "Asia/Tokyo", "UTC", "Europe/Paris"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", ["1 WRONG_TYPE"]),
        ("", ["0 WRONG_TYPE"]),
        ("{}", ["1 MISSING_NAME", "1 MISSING_KEY"]),
        ("name: A\nmaster: { database: d }", ["2 MISSING_KEY"]),
        ("name: A\nmaster: { database: d, table: t }", ["2 MISSING_KEY"]),
        ("name: '!'\nmaster: { database: d, table: t, key_column: k }", ["1 INVALID_NAME"]),
        ("name: A\nmaster: { database: d, table: t, key_column: k }\nmaster_table: {}", ["3 CONFLICT"]),
        ("name: A\nmaster: { database: d, table: t, key_column: k }\ntimezone: Mars", ["3 INVALID_TIMEZONE"]),
        ("name: A\nmaster: { database: d, table: t, key_colum: k }", ["2 UNKNOWN_KEY"]),
        (
            "name: A\nmaster:\n  database: d\n  table: t\n  key_column: k\n  filters:\n"
            "    - { column: a, values: [x] }\n    - { column: b, values: [2] }\n"
            "    - { column: c, values: [true, 1.5] }\n    - { values: [] }",
            ["9 TOO_MANY_FILTERS", "9 WRONG_TYPE", "9 WRONG_TYPE", "10 MISSING_KEY", "10 MISSING_KEY"],
        ),
    ],
)
def test_problems_at_the_top(text: str, expected: list[str]) -> None:
    parent, issues = read(text)
    assert (parent, issues) == (None, expected)


JOINED = "source: { database: d, table: a }, join: { parent_key: k, child_key: c }"
ENTRIES = f"""
name: A
master: {{ database: d, table: t, key_column: k }}
attributes:
  - {{ name: X, {JOINED}, columns: [c, time, age, ordinal] }}
  - {{ name: X, {JOINED}, columns: [{{ column: years, name: AGE }}] }}
  - {{ name: Y, source: {{ database: d }}, join: {{ parent_key: k }}, all_columns: true, columns: [z] }}
  - {{ name: Z, {JOINED} }}
  - {{ name: W, {JOINED}, columns: [{{ column: c, name: kept }}] }}
behaviors:
  - {{ name: Page Views, {JOINED}, columns: [x, X, {{ column: y, name: timestamp }}] }}
  - {{ name: page_views, {JOINED}, time_column: at, columns: [at] }}
  - {{ name: V, {JOINED}, time_column: at, timestamp_column: at, columns: [v] }}
"""


def test_problems_of_entries_are_all_reported() -> None:
    parent, issues = read(ENTRIES)
    assert parent is None
    assert issues == [
        "5 JOIN_KEY_LISTED",
        "5 TIME_LISTED",
        "5 RESERVED_NAME",
        "6 COLUMN_COLLISION",
        "6 DUPLICATE_NAME",
        "7 MISSING_KEY",
        "7 MISSING_KEY",
        "7 CONFLICT",
        "8 MISSING_KEY",
        "11 COLUMN_COLLISION",
        "11 RESERVED_NAME",
        "12 DUPLICATE_BEHAVIOR",
        "12 TIME_LISTED",
        "13 CONFLICT",
    ]


def test_a_near_key_is_named() -> None:
    document, _ = read_yaml("name: A\nmaster: { database: d, table: t, key_column: k }\natributes: []")
    (issue,) = read_parent(document)[1]
    assert (issue.line, issue.hint) == (3, 'did you mean "attributes"?')


def test_paths_of_the_canonical_form_lead_into_the_others() -> None:
    book = Document({"master_table": {}, "attributes": [{"key_column": "k", "table": "t", "value_column": "v"}]})
    assert written_path(book, ("master", "filters", 0)) == ("master_table", "filters", 0)
    assert written_path(book, ("attributes", 0, "columns", 0, "column")) == ("attributes", 0, "value_column")
    assert written_path(book, ("attributes", 0, "source", "table")) == ("attributes", 0, "table")
    assert written_path(book, ("attributes", 0, "join", "child_key")) == ("attributes", 0, "key_column")
    composable = read_yaml(COMPOSABLE)[0]
    assert written_path(composable, ("behaviors", 0, "timestamp_column")) == ("behaviors", 0, "time_column")
    assert written_path(composable, ("behaviors", 0, "join", "child_key")) == ("behaviors", 0, "join", "table_key")


# --- round trips -------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)
lines = st.text(max_size=12).map(str.strip)
keys = st.sampled_from(["id", "user_id", "person"])


@st.composite
def picks(draw: st.DrawFn, prefix: str) -> tuple[ColumnPick, ...]:
    count = draw(st.integers(1, 3))
    return tuple(
        ColumnPick(
            draw(words),
            f"{prefix}{number}{draw(st.sampled_from(['', ' é', '.x']))}",
            draw(lines),
            draw(st.none() | st.sampled_from(FIELD_TYPES)),
            draw(st.sampled_from(VISIBILITIES)),
        )
        for number in range(count)
    )


@st.composite
def parents(draw: st.DrawFn) -> ParentSegment:
    def table() -> TableRef:
        return TableRef(draw(words), draw(words))

    def columns(prefix: str) -> tuple[tuple[ColumnPick, ...], bool]:
        chosen = draw(st.none() | picks(prefix))
        return (chosen or (), chosen is None)

    attributes = tuple(
        AttributeTable(f"A{i}{draw(words)}", table(), draw(keys), draw(keys), *columns(f"a{i}_"), draw(lines))
        for i in range(draw(st.integers(0, 2)))
    )
    behaviors = tuple(
        BehaviorTable(f"B{i}x", table(), draw(keys), draw(keys), *columns(f"b{i}_"), draw(st.just("") | words), draw(st.booleans()))
        for i in range(draw(st.integers(0, 2)))
    )
    filters = tuple(
        PopulationFilter(draw(words), tuple(draw(st.lists(st.text(max_size=5), min_size=1)))) for _ in range(draw(st.integers(0, 2)))
    )
    said = tuple(
        MasterColumn(f"m{i}", draw(st.just("") | words), draw(st.sampled_from(VISIBILITIES))) for i in range(draw(st.integers(0, 2)))
    )
    return ParentSegment(
        f"P{draw(words)}",
        Master(table(), draw(keys), filters, said),
        draw(lines),
        attributes,
        behaviors,
        draw(st.sampled_from([Schedule(), Schedule("daily", "03:00:00", "Asia/Tokyo"), Schedule("monthly", "01:00:00", days=("1", "15"))])),
        draw(st.sampled_from([Engine(), Engine(True, "pool", None)])),
        draw(st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"])),
    )


@given(parents())
def test_documents_and_yaml_read_back_as_the_same_parent_segment(parent: ParentSegment) -> None:
    document = parent_to_document(parent)
    back, issues = read_parent(Document(document))
    assert issues.ok, list(map(str, issues))
    assert back == parent
    again, problems = read_yaml(write_yaml(document))
    assert not problems
    assert read_parent(again)[0] == parent
    assert parent_to_document(back) == document


MASTER_COLUMNS = """
name: People
{key}:
  database: crm
  table: people
  key_column: id
  columns:
    - {{ column: email, visibility: pii }}
    - {{ column: phone, label: Telephone, visibility: blocked }}
"""


@pytest.mark.parametrize("key", ["master", "master_table"])
def test_columns_of_the_master_are_marked_one_by_one(key: str) -> None:
    document, _ = read_yaml(MASTER_COLUMNS.format(key=key))
    parent, issues = read_parent(document)
    assert parent is not None, issues
    assert parent.master.columns == (MasterColumn("email", "", "pii"), MasterColumn("phone", "Telephone", "blocked"))
    assert parent.master.said_of("id") == MasterColumn("id")
    assert parent_to_document(parent)["master"]["columns"] == [
        {"column": "email", "visibility": "pii"},
        {"column": "phone", "label": "Telephone", "visibility": "blocked"},
    ]


@pytest.mark.parametrize(
    ("entry", "code", "line"),
    [
        ("{ column: email, visibility: secret }", "INVALID_VALUE", 8),
        ("{ column: email, name: mail }", "UNKNOWN_KEY", 8),
        ("{ visibility: pii }", "MISSING_KEY", 8),
        ("email", "WRONG_TYPE", 8),
        ("{ column: phone }", "DUPLICATE_NAME", 9),
    ],
)
def test_what_is_wrong_with_a_column_of_the_master_is_told_with_its_line(entry: str, code: str, line: int) -> None:
    document, _ = read_yaml(MASTER_COLUMNS.format(key="master").replace("{ column: email, visibility: pii }", entry))
    parent, issues = read_parent(document)
    assert parent is None
    assert [(issue.code, issue.line) for issue in issues] == [(code, line)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "master", "attributes", "behaviors", "columns", "source", "join", "schedule", "type", "filters", "values"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(values)
def test_nonsense_gives_issues_and_never_crashes(value: object) -> None:
    parent, issues = read_parent(Document(value))
    assert (parent is None) == (not issues.ok)
