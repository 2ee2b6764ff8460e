"""What is odd about rules by themselves."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from kohort.evaluation.reference import members
from kohort.foundation.instants import to_micros
from kohort.parent.catalog import Behavior, FieldCatalog
from kohort.rules import lint as rules_lint
from kohort.rules import lint_windows
from kohort.rules.ast import Group
from kohort.rules.lint import lint_rule
from kohort.rules.lint_codes import LINT_CODES
from kohort.rules.text import parse_rule
from kohort.rules.value_sets import ValueSet
from kohort.services.insight import lint as services_lint
from kohort.testing.dataset import Dataset, field_of

CATALOG = FieldCatalog(
    (
        field_of("age", "int64"),
        field_of("value", "float64"),
        field_of("cents", "decimal(2)"),
        field_of("tier", "text"),
        field_of("country", "text"),
        field_of("optin", "boolean"),
        field_of("seen", "timestamp"),
        field_of("tags", "text_array"),
    ),
    (Behavior("buy", (field_of("amount", "decimal(2)"), field_of("shop", "text"))),),
)


def codes(text: str) -> list[str]:
    rule, issues = parse_rule(text, CATALOG)
    assert issues.ok, list(map(str, issues))
    return sorted(issue.code for issue in lint_rule(rule, CATALOG))


@pytest.mark.parametrize(
    "text",
    [
        "age > 5 and age < 3",
        "tier = 'Gold' and tier = 'Silver'",
        "tier in ('Gold', 'Silver') and tier = 'Bronze'",
        "age > 5 and age < 6",
        "age > 5 and age is null",
        "value > 1.5 and (value < 1.5 and country = 'US')",
        "optin = true and optin = false",
        "buy count > 3 and buy count < 2",
        "seen > 2024-01-02 and seen < 2024-01-01",
        "buy in last 30 days and not buy in last 30 days",
        "tags contains 'x' and not tags contains 'x'",
    ],
)
def test_contradictions(text: str) -> None:
    assert "LINT_CONTRADICTION" in codes(text)


@pytest.mark.parametrize(
    "text", ["value > 5 and value < 6", "age > 5 and age < 7", "tier = 'Gold' or tier = 'Silver'", "age > 3 or age < 2"]
)
def test_nothing_is_odd_about_these(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "age > 5 or age <= 5",
        "age > 5 or age < 6",
        "age is null or age is not null",
        "buy count >= 1 or buy count = 0",
        "optin = true or optin = false",
        "tags contains 'x' or not tags contains 'x'",
    ],
)
def test_tautologies(text: str) -> None:
    assert "LINT_TAUTOLOGY" in codes(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("age > 10 and age > 5", "LINT_SUBSUMED"),
        ("age > 10 or age > 5", "LINT_SUBSUMED"),
        ("tier = 'Gold' and tier in ('Gold', 'Silver')", "LINT_SUBSUMED"),
        ("age > 10 and age is not null", "LINT_SUBSUMED"),
        ("buy in last 30 days and buy in last 90 days", "LINT_SUBSUMED"),
        ("buy count >= 3 in last 30 days and buy count >= 2", "LINT_SUBSUMED"),
        ("age > 5 and country = 'US' and age > 5", "LINT_DUPLICATE"),
        ("age > 5 and age >= 6", "LINT_DUPLICATE"),
        ("tags contains 'x' or tags contains 'x'", "LINT_DUPLICATE"),
        ("buy where shop = 'a' and shop = 'b'", "LINT_CONTRADICTION"),
        ("buy where amount > 5 and amount > 3", "LINT_SUBSUMED"),
        ("buy count >= 0", "LINT_ALWAYS"),
        ("buy count < 0", "LINT_NEVER"),
        ("age = 1.5", "LINT_NEVER"),
        ("tier != 'Gold'", "LINT_NULLS_LEFT_OUT"),
        ("not tier = 'Gold'", "LINT_NULLS_LET_IN"),
        ("buy sum(amount) < 100", "LINT_NO_ROWS_LEFT_OUT"),
        ("buy in next 7 days", "LINT_FUTURE_WINDOW"),
        ("buy in last 1 month and not buy sum(amount) > 5 in last 30 days", "LINT_UNITS_MIXED"),
        ("seen within last month or seen within past 30 days", "LINT_UNITS_MIXED"),
    ],
)
def test_findings(text: str, code: str) -> None:
    assert codes(text) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "tier != 'Gold' or tier is null",
        "not tier = 'Gold' and tier is not null",
        "buy sum(amount) < 100 or not buy",
        "buy count < 5",
        "buy in last 90 days and not buy in last 30 days",
        "buy count >= 3 in last 90 days and buy count >= 2 in last 30 days",
        "buy count < 3 in last 30 days and buy count < 5 in last 90 days",
        "buy in last 30 days and seen within past 7 days",
        "buy count by shop >= 2 and buy count by shop < 2",
        "seen within next 7 days",
        "buy where shop = 'a' or shop = 'b'",
    ],
)
def test_traps_that_were_seen_to(text: str) -> None:
    assert codes(text) == []


def test_what_is_said_many_times_is_told_once_each() -> None:
    assert Counter(codes(" and ".join(["not age = 1"] * 3_000))) == {"LINT_DUPLICATE": 2_999, "LINT_NULLS_LET_IN": 3_000}


def test_long_lists_and_many_conditions_on_one_attribute_are_compared() -> None:
    evens = ", ".join(map(str, range(0, 40_000, 2)))
    assert codes(f"age in ({evens}) and age not in ({evens})")[0] == "LINT_CONTRADICTION"
    others = " and ".join(f"age != {number}" for number in range(1_000))
    assert Counter(codes(f"age > 5 and {others}"))["LINT_SUBSUMED"] == 6
    assert Counter(codes(f"age < 1000 and age >= 0 and {others}"))["LINT_CONTRADICTION"] == 1


def test_of_many_nested_conditions_each_idle_one_is_told_about() -> None:
    ranges = [f"age between {number} and {20_000 - number}" for number in range(2_000)]
    assert Counter(codes(" or ".join(ranges)))["LINT_SUBSUMED"] >= 1_999
    apart = [f"age between {3 * number} and {3 * number + 1}" for number in range(2_000)]
    assert codes(" or ".join(apart)) == []
    assert codes(" or ".join([*apart, "age between 2999 and 3002"])) == ["LINT_SUBSUMED"]


def test_ten_thousand_conditions_on_one_attribute_are_compared_with_few_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Counter[str]()
    is_within = ValueSet.is_within

    def counted(one: ValueSet, other: ValueSet) -> bool:
        compared["pairs"] += 1
        return is_within(one, other)

    monkeypatch.setattr(ValueSet, "is_within", counted)
    assert codes(" or ".join(f"age = {number}" for number in range(10_000))) == []
    assert compared["pairs"] < 200_000


def test_findings_say_where() -> None:
    rule, _ = parse_rule("country = 'US' and (age > 5 or buy where amount > 5 and amount > 3)", CATALOG)
    (finding,) = lint_rule(rule, CATALOG, ("rule",))
    assert finding.path == ("rule", "conditions", 1, "conditions", 1, "filter", "conditions", 1)
    assert finding.severity == "warning"


def test_fields_without_nulls_set_no_traps() -> None:
    rule, _ = parse_rule("tier != 'Gold' and not country = 'US'", CATALOG)
    assert [issue.code for issue in lint_rule(rule, CATALOG, (), lambda name: name == "country")] == ["LINT_NULLS_LET_IN"]


def test_what_is_said_holds_on_data() -> None:
    """Contradictions match nobody, tautologies everybody with a value, idle conditions change nothing: checked on every value."""
    ages = [None, *range(-1, 9)]
    data = Dataset.from_mapping({"attributes": {"age": "int64"}, "profiles": {f"p{age}": {"age": age} for age in ages}})
    as_of, random = to_micros(datetime(2024, 1, 1, tzinfo=UTC)), Random(7)
    seen = set()
    for _ in range(600):
        word = random.choice(["and", "or"])
        parts = [
            random.choice(
                [
                    f"age {random.choice(['>', '>=', '<', '<=', '=', '!='])} {random.randint(0, 6)}",
                    f"not age > {random.randint(0, 6)}",
                    f"age in ({random.randint(0, 6)}, {random.randint(0, 6)})",
                    f"age between {random.randint(0, 3)} and {random.randint(3, 6)}",
                    "age is null",
                    "age is not null",
                ]
            )
            for _ in range(random.randint(2, 3))
        ]
        rule, _ = parse_rule(f" {word} ".join(parts), data.catalog)
        whole = members(rule, data, as_of)
        for issue in lint_rule(rule, data.catalog):
            seen.add(issue.code)
            match issue.code:
                case "LINT_CONTRADICTION":
                    assert not whole, (parts, word)
                case "LINT_TAUTOLOGY":
                    assert len(whole) >= len(ages) - 1, (parts, word)
                case "LINT_SUBSUMED" | "LINT_DUPLICATE":
                    position = int(issue.path[-1])
                    rest = tuple(one for index, one in enumerate(rule.conditions) if index != position)
                    assert members(Group(rule.match, rest) if rule.match == "all" else _without(rule, position), data, as_of) == whole
    assert seen >= {"LINT_CONTRADICTION", "LINT_TAUTOLOGY", "LINT_SUBSUMED", "LINT_DUPLICATE"}


def _without(rule: Group, position: int) -> Group:
    """The rule without the condition at a position of its one inner group."""
    (inner,) = rule.conditions if len(rule.conditions) == 1 else (rule,)
    assert isinstance(inner, Group)
    return Group(inner.match, tuple(one for index, one in enumerate(inner.conditions) if index != position))


def test_every_finding_can_be_silenced() -> None:
    """The codes a segment file may name are those the linter says."""
    said = {
        code
        for module in (rules_lint, lint_windows, services_lint)
        for code in re.findall(r'"(LINT_[A-Z_]+)"', Path(module.__file__).read_text())
    }
    assert said == set(LINT_CODES)
    assert len(LINT_CODES) == len(set(LINT_CODES))
