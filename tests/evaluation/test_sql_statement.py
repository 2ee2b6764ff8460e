"""The standalone statement: its shape, its words for other engines, and the same members as everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlglot import parse_one

from kohort.evaluation.statement import rule_sql, rule_statement
from kohort.foundation.calendar import Duration
from kohort.foundation.instants import DAY, parse_instant
from kohort.foundation.windows import Edge, Window
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.ast import ArrayMatching
from kohort.rules.core import (
    EVERYBODY,
    Aggregate,
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    InWindow,
    IsNullTest,
    Matches,
    MemberLeaf,
    Not,
    OneOf,
    RowTest,
    SequenceLeaf,
    SequenceStep,
    Test,
    TextAny,
    Top,
    TopOrder,
    VariantLeaf,
)
from kohort.segments.graph import bind_segments
from kohort.sql.dialects import DIALECTS, DialectName
from kohort.testing.cases import Case, load_folder
from kohort.testing.evaluators import SqlEvaluator

AS_OF = parse_instant("2024-06-01T00:00:00Z", ZoneInfo("UTC")) or 0
CATALOG = FieldCatalog(
    (
        Field("gender", "string", "text"),
        Field("ltv", "number", "float64"),
        Field("balance", "number", "decimal", 2),
        Field("born", "date", "date"),
        Field("tags", "string_array", "text_array"),
    ),
    (Behavior("buy", (Field("sku", "string", "text"), Field("amount", "number", "float64"), Field("cents", "number", "decimal", 2))),),
)


def sql(expr: Expr, dialect: DialectName = "duckdb", segments: dict[str, Expr] | None = None) -> str:
    return rule_sql(expr, parent_id=1, catalog=CATALOG, as_of=AS_OF, segments=segments, dialect=dialect)


MALE = AttributeLeaf("gender", Test(TextAny("contain", ("Male",)), "text"))
RICH = AttributeLeaf("ltv", Test(Compare(">", 1500.0), "float64"))
PAST_WEEK = Window(Edge("as_of", False, ((-1, Duration.of(7, "day")),)), Edge("as_of"))
BUYS = BehaviorLeaf(Aggregate("buy", windows=(PAST_WEEK,)), Test(Compare(">=", 3), "int64"))


def test_everybody_has_no_where() -> None:
    assert sql(EVERYBODY) == 'select\n  a.*\nfrom "cdp_audience_1"."customers" a'


def test_one_condition_has_the_shape_that_other_tools_cut_up() -> None:
    written = sql(MALE)
    assert written == ('select\n  a.*\nfrom "cdp_audience_1"."customers" a\nwhere (\n  (position(\'Male\' in a."gender") > 0)\n)')
    assert written.split()[1] == "a.*"
    assert 'customers" a\n' in written


def test_values_of_a_contain_are_alternatives() -> None:
    either = AttributeLeaf("gender", Test(TextAny("contain", ("it's", "MALE")), "text"))
    assert "position('it''s' in a.\"gender\") > 0 or position('MALE' in a.\"gender\") > 0" in sql(either)


def test_groups_are_nested_conditions() -> None:
    written = sql(All((AnyOf((MALE, RICH)), Not(RICH))))
    assert 'or (a."ltv" > 1500)' in written
    assert 'and not coalesce((a."ltv" > 1500), false)' in written


def test_behaviors_are_read_from_the_public_views() -> None:
    assert (
        sql(BUYS)
        == """\
select
  a.*
from "cdp_audience_1"."customers" a
where (
  (
    a."cdp_customer_id" in (
      select
        "cdp_customer_id"
      from "cdp_audience_1"."behavior_buy"
      where (
        "timestamp" <= cast('2024-06-01 00:00:00' as timestamp)
        and "timestamp" > cast('2024-05-25 00:00:00' as timestamp)
      )
      group by
        "cdp_customer_id"
      having
        count(*) >= 3
    )
  )
)"""
    )


def test_having_done_nothing_is_not_having_failed() -> None:
    rare = BehaviorLeaf(Aggregate("buy"), Test(Compare("<", 2), "int64"))
    assert 'a."cdp_customer_id" not in (' in sql(rare)
    assert "having not coalesce(count(*) < 2, false)" in " ".join(sql(rare).split())


def test_negations_read_as_people_write_them() -> None:
    assert 'a."gender" is not null' in sql(AttributeLeaf("gender", Test(IsNullTest(), "text", negated=True)))
    assert "a.\"gender\" not in ('x', 'y')" in sql(AttributeLeaf("gender", Test(OneOf(("x", "y")), "text", negated=True)))


def test_references_are_written_out() -> None:
    assert sql(MemberLeaf("Rich"), segments={"Rich": RICH}) == sql(RICH)


EVERYTHING: Expr = All(
    (
        MALE,
        Not(AttributeLeaf("gender", Test(Matches("^M"), "text", negated=True))),
        AttributeLeaf("gender", Test(TextAny("end", ("é\\'\"",)), "text")),
        AttributeLeaf("balance", Test(Compare("<=", Decimal("1.5")), "decimal")),
        AttributeLeaf("born", Test(InWindow(PAST_WEEK), "date")),
        AttributeLeaf("tags", Test(TextAny("start", ("a",)), "text_array", False, ArrayMatching("at_most", 2))),
        BUYS,
        BehaviorLeaf(Aggregate("buy", "Sum", ("amount",), "decimal", "float64"), Test(Compare(">", Decimal("0.3")), "decimal")),
        BehaviorLeaf(Aggregate("buy", "Average", ("cents",), "decimal", "decimal", 2), Test(Compare(">", Decimal("0.333")), "decimal")),
        BehaviorLeaf(Aggregate("buy", "Last", ("sku",), "text", "text"), Test(Compare("=", "x"), "text")),
        BehaviorLeaf(Aggregate("buy", "CountDistinct", ("sku", "amount"), grouping=("sku",)), Test(Compare("=", 2), "int64")),
        BehaviorLeaf(Aggregate("buy", sliding_micros=DAY), Test(Compare("=", 2), "int64")),
        SequenceLeaf(
            (SequenceStep("buy"), SequenceStep("buy", RowTest("sku", Test(Compare("=", "x"), "text")), (), DAY)),
        ),
        VariantLeaf("test", "gender", 1, 2**63),
        Top(RICH, "Percent", Decimal("12.5"), (TopOrder("ltv", True), TopOrder(BUYS.aggregate, False))),
    )
)


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_every_engine_can_read_its_statement(dialect: DialectName) -> None:
    written = sql(EVERYTHING, dialect)
    parsed = parse_one(written, dialect=dialect)
    assert parsed.sql(dialect) == parse_one(parsed.sql(dialect), dialect=dialect).sql(dialect)
    assert "SELECT" not in written
    assert "é" in written


def test_engines_have_their_own_words() -> None:
    trino, spark = sql(EVERYTHING, "trino"), sql(EVERYTHING, "spark")
    assert "as timestamp(6))" in trino
    assert "max_by(" in trino
    assert "starts_with(reverse(" in trino
    assert "timestamp_ntz" in spark
    assert "`cdp_audience_1`.`customers` a" in spark
    assert "struct(" in spark
    assert "arg_max" not in trino + spark
    assert "hugeint" not in trino + spark


# --- the same members as everywhere ---------------------------------------------------------------------------------

CASES = load_folder(Path(__file__).parents[1] / "cases")


@pytest.fixture(scope="module")
def tables() -> Iterator[SqlEvaluator]:
    with SqlEvaluator() as evaluator:
        yield evaluator


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_statement_selects_the_members(case: Case, tables: SqlEvaluator) -> None:
    parent_id = tables.load(case.dataset)
    segments = bind_segments(case.segments.values(), case.dataset.catalog, "")
    statement = rule_statement(segments[case.asked], parent_id=parent_id, catalog=case.dataset.catalog, as_of=case.as_of, segments=segments)
    ids = tables.warehouse.query(statement).column("cdp_customer_id").to_pylist()
    assert sorted(ids) == sorted(case.members)
