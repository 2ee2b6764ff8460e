"""Segment files: read, refused with reasons, and written back the same."""

from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.foundation.issues import Issues
from kohort.rules.ast import EVERYBODY, AttributeCondition, Comparison, Extras, Group, In, ReferenceCondition
from kohort.rules.lint_codes import LINT_CODES
from kohort.segments.codec import read_segment, segment_to_document
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.testing.trees import json_values, names, rules, texts

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str, folder: str = "") -> tuple[Segment | None, Issues]:
    document, issues = read_yaml(dedent(text), "segment.yml")
    assert not issues
    return read_segment(document, folder)


def test_a_whole_segment() -> None:
    segment, issues = read(
        """\
        name: High Value US Customers
        description: text
        kind: batch
        visible: true
        rule:
          type: And
          conditions:
            - type: Value
              attribute: country
              operator: { type: In, value: ["US", "CA"] }
            - type: include
              segment: "Existing Segment Name"
        activations:
          - name: SFMC Contact Sync
            connection: salesforce-marketing
            all_columns: true
            schedule: { type: daily, timezone: America/Los_Angeles }
        """,
        "Marketing",
    )
    assert not issues
    activation = {
        "name": "SFMC Contact Sync",
        "connection": "salesforce-marketing",
        "all_columns": True,
        "schedule": {"type": "daily", "timezone": "America/Los_Angeles"},
    }
    assert segment == Segment(
        "High Value US Customers",
        "Marketing",
        Group("all", (AttributeCondition("country", In(("US", "CA"))), ReferenceCondition("Existing Segment Name"))),
        "text",
        activations=Extras.of({"activations": [activation]}),
    )


def test_a_composable_segment_says_its_folder() -> None:
    segment, issues = read(
        """\
        type: composable_segment
        name: VIP
        folder: Marketing/VIP
        rule:
          type: And
          conditions:
            - type: Value
              leftValue: { name: tier }
              operator: { type: Equal, not: false, rightValue: Gold }
              exclude: false
        """,
        "elsewhere",
    )
    assert not issues
    assert segment == Segment("VIP", "Marketing/VIP", Group("all", (AttributeCondition("tier", Comparison("Equal", "Gold")),)))
    assert segment.path == "Marketing/VIP/VIP"


def test_a_name_alone_is_everybody() -> None:
    for rule in ("", "rule: null\n", "rule: {}\n"):
        assert read(f"name: All\n{rule}", "A/B") == (Segment("All", "A/B", EVERYBODY), Issues())


def test_variants() -> None:
    segment, issues = read(
        """\
        name: bota_test
        base: Lifecycle/Active
        ab_test:
          id: spring
          key_column: email
          variants: [{ name: A, ratio: 33.3 }, { name: B, ratio: 33.3 }]
          control: 33.4
        """
    )
    assert not issues
    assert segment is not None
    assert segment.ab_test == ABTest((Variant("A", 33.3), Variant("B", 33.3)), 33.4, "Control", "spring", "email")
    assert segment.variant_paths == ("bota_test/A-bota_test", "bota_test/B-bota_test", "bota_test/Control-bota_test")
    assert segment.base == "Lifecycle/Active"


def test_the_canonical_document_is_short() -> None:
    assert segment_to_document(Segment("All", "A/B")) == {"name": "All"}
    test = ABTest((Variant("A", 50),), 10, "Rest")
    segment = Segment("T", rule=Group("all", (ReferenceCondition("x"),)), kind="realtime", visible=False, ab_test=test)
    assert segment_to_document(segment) == {
        "name": "T",
        "kind": "realtime",
        "visible": False,
        "rule": {"type": "And", "conditions": [{"type": "include", "segment": "x"}]},
        "ab_test": {"variants": [{"name": "A", "ratio": 50}], "control": {"name": "Rest", "ratio": 10}},
    }


AB = "name: T\nab_test:\n"
CASES: list[tuple[str, str, int, str]] = [
    ("[1]", "INVALID_SEGMENT", 1, "name"),
    ("rule: {}", "MISSING_NAME", 1, "name"),
    ("name: ''", "MISSING_NAME", 1, "name"),
    ("name: 2024", "MISSING_NAME", 1, '"2024"'),
    ("name: A/B", "INVALID_NAME", 1, "folder"),
    ("name: ..", "INVALID_NAME", 1, "another name"),
    ("name: .", "INVALID_NAME", 1, "another name"),
    ('name: "a\\x07b"', "INVALID_NAME", 1, '"a b"'),
    ("name: ' A'", "INVALID_NAME", 1, '"A"'),
    ("name: A\nkind: batsh", "INVALID_KIND", 2, 'did you mean "batch"?'),
    ("name: A\nkind: 0", "INVALID_KIND", 2, "batch"),
    ("name: A\ntype: journey", "INVALID_SEGMENT_TYPE", 2, ""),
    ("name: A\nrules: {}", "UNKNOWN_KEY", 2, 'did you mean "rule"?'),
    ("name: A\nvisible: 1", "INVALID_VALUE", 2, ""),
    ("name: A\ndescription: [x]", "INVALID_VALUE", 2, ""),
    ("name: A\nfolder: a//b", "INVALID_FOLDER", 2, "Marketing/VIP"),
    ("name: A\nfolder: ../b", "INVALID_FOLDER", 2, "Marketing/VIP"),
    ("name: A\nfolder: a/./b", "INVALID_FOLDER", 2, "Marketing/VIP"),
    ('name: A\nfolder: "a\\x1bb"', "INVALID_FOLDER", 2, "Marketing/VIP"),
    ("name: A\nactivations: {}", "INVALID_ACTIVATIONS", 2, "- name"),
    ("name: A\nactivations:\n  - x", "INVALID_ACTIVATIONS", 3, ""),
    ("name: A\nextras: 5", "INVALID_EXTRAS", 2, ""),
    ("name: A\nrule:\n  type: And\n  conditions:\n    - type: include", "MISSING_SEGMENT_REFERENCE", 5, "segment"),
    ("name: A\nrule: ltv >", "RULE_SYNTAX", 2, ""),
    ("name: T\nab_test: 50", "INVALID_AB_TEST", 2, "variants"),
    (AB + "  control: 10", "INVALID_AB_TEST", 2, "ratio: 50"),
    (AB + "  variants: []", "INVALID_AB_TEST", 3, "ratio: 50"),
    (AB + "  variants: [A]", "INVALID_AB_TEST", 3, "ratio: 50"),
    (AB + "  variants: [{ name: A }]", "INVALID_AB_TEST", 3, "ratio: 50"),
    (AB + "  variants: [{ ratio: 50 }]", "INVALID_AB_TEST", 3, "name: A"),
    (AB + "  variants: [{ name: A/B, ratio: 50 }]", "INVALID_AB_TEST", 3, ""),
    (AB + "  variants: [{ name: A, ratio: 0 }]", "INVALID_AB_TEST", 3, ""),
    (AB + "  variants: [{ name: A, ratio: 60 }, { name: B, ratio: 40.1 }]", "INVALID_AB_TEST", 3, "lower"),
    (AB + "  variants: [{ name: A, ratio: 60 }]\n  control: 50", "INVALID_AB_TEST", 3, "lower"),
    (AB + "  variants: [{ name: A, ratio: 60 }]\n  control: true", "INVALID_AB_TEST", 4, "control: 10"),
    (AB + "  variants:\n    - { name: A, ratio: 1 }\n    - { name: A, ratio: 1 }", "DUPLICATE_NAME", 5, "own name"),
    (AB + "  variants:\n    - { name: Control, ratio: 1 }\n  control: 5", "DUPLICATE_NAME", 5, "own name"),
    (AB + f"  variants: [{', '.join(f'{{ name: v{index}, ratio: 1 }}' for index in range(9))}]", "INVALID_AB_TEST", 3, ""),
    (AB + "  varaints: []", "UNKNOWN_KEY", 3, 'did you mean "variants"?'),
]


@pytest.mark.parametrize(("text", "code", "line", "hint"), CASES, ids=[f"{row[1]}-{index}" for index, row in enumerate(CASES)])
def test_mistake(text: str, code: str, line: int, hint: str) -> None:
    segment, issues = read(text)
    found = [issue for issue in issues if issue.code == code]
    assert len(found) == 1, issues.items
    assert (found[0].file, found[0].line) == ("segment.yml", line), str(found[0])
    assert hint in found[0].hint
    assert (segment is None) == (code in ("INVALID_SEGMENT", "MISSING_NAME", "INVALID_NAME"))


def test_all_problems_at_once() -> None:
    _, issues = read("name: A/B\nkind: x\nfolder: 5\nrule: { type: Also }\nab_test: {}\nwhat: 1")
    assert issues.codes() == ["INVALID_NAME", "INVALID_FOLDER", "INVALID_RULE_TYPE", "INVALID_KIND", "INVALID_AB_TEST", "UNKNOWN_KEY"]


def test_keys_of_exported_segments_are_kept() -> None:
    document = {"name": "A", "id": "12", "segmentInsightDashboardId": None, "extras": {"note": 1}}
    segment, issues = read_segment(Document(document), "")
    assert not issues
    assert segment is not None
    assert segment.extras == Extras.of({"id": "12", "segmentInsightDashboardId": None, "note": 1})
    assert segment_to_document(segment) == document


def test_findings_of_the_linter_are_silenced_by_their_codes() -> None:
    segment, issues = read("name: A\nlint: { ignore: [LINT_SUBSUMED, LINT_EMPTY, LINT_SUBSUMED] }\n")
    assert not issues
    assert segment is not None
    assert segment.lint_ignore == ("LINT_SUBSUMED", "LINT_EMPTY")
    assert segment_to_document(segment) == {"name": "A", "lint": {"ignore": ["LINT_SUBSUMED", "LINT_EMPTY"]}}
    for text in ("lint: {}", "lint:", "lint: { ignore: }", "lint: { ignore: [] }"):
        found, issues = read(f"name: A\n{text}\n")
        assert (found, len(issues)) == (Segment("A"), 0)
    one, issues = read("name: A\nlint: { ignore: LINT_EMPTY }\n")
    assert one is not None
    assert (one.lint_ignore, len(issues)) == (("LINT_EMPTY",), 0)


@pytest.mark.parametrize(
    ("text", "code", "column", "hint"),
    [
        ("lint: [LINT_EMPTY]", "INVALID_LINT", 1, "write lint: { ignore: [LINT_SUBSUMED] }"),
        ("lint: { ignore: [LINT_EMPTY, LINT_SUBSUME] }", "INVALID_LINT", 30, 'did you mean "LINT_SUBSUMED"?'),
        ("lint: { ignore: [subsumed] }", "INVALID_LINT", 18, 'did you mean "LINT_SUBSUMED"?'),
        ("lint: { ignore: E501 }", "INVALID_LINT", 9, "known: LINT_CONTRADICTION"),
        ("lint: { ignore: [3] }", "INVALID_LINT", 18, "write lint: { ignore: [LINT_SUBSUMED] }"),
        ("lint: { ignored: [LINT_EMPTY] }", "UNKNOWN_KEY", 9, 'did you mean "ignore"?'),
    ],
)
def test_what_silences_nothing_is_refused(text: str, code: str, column: int, hint: str) -> None:
    segment, issues = read(f"name: A\n{text}\n")
    assert segment is not None
    assert [(issue.code, issue.line, issue.column) for issue in issues] == [(code, 2, column)]
    assert issues.errors[0].hint.startswith(hint)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Any valid segment."""
    name = names().map(lambda text: text.replace("/", "-"))
    ratios = st.one_of(st.integers(1, 12), st.floats(0.5, 12))
    variants = st.lists(st.builds(Variant, name, ratios), min_size=1, max_size=7, unique_by=lambda variant: variant.name)
    control = st.one_of(st.just(0), ratios)
    ab_test = st.builds(ABTest, variants.map(tuple), control, st.sampled_from(["Control", "ctl x"]), names() | st.just(""), names())
    ab_test = ab_test.filter(lambda test: test.control_name not in [variant.name for variant in test.variants])
    extras = st.dictionaries(st.sampled_from(["id", "x", "rule", "note"]), json_values(), max_size=2).map(Extras.of)
    activations = st.lists(st.dictionaries(texts(), json_values(), max_size=2), max_size=2)
    return Segment(
        draw(name),
        "/".join(draw(st.lists(name, max_size=2))),
        draw(rules()),
        draw(texts()),
        draw(st.sampled_from(["batch", "realtime", "funnel_stage"])),
        draw(st.booleans()),
        draw(names() | st.just("")),
        draw(st.none() | ab_test),
        draw(activations.map(lambda items: Extras.of({"activations": items} if items else {}))),
        draw(extras),
        tuple(draw(st.lists(st.sampled_from(LINT_CODES), max_size=2, unique=True))),
    )


@QUICK
@given(segments())
def test_segments_are_written_and_read_exactly(segment: Segment) -> None:
    document = segment_to_document(segment)
    found, issues = read_segment(Document(document), segment.folder)
    assert issues.ok, issues.errors
    assert found == segment
    read_back, _ = read_yaml(write_yaml(document))
    assert read_segment(read_back, segment.folder)[0] == segment


KEYS = [
    "name",
    "rule",
    "kind",
    "ab_test",
    "variants",
    "ratio",
    "control",
    "folder",
    "activations",
    "extras",
    "type",
    "conditions",
    "visible",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)


@QUICK
@given(ANYTHING)
def test_any_value_is_read_without_failing(value: Any) -> None:
    segment, issues = read_segment(Document(value), "")
    assert segment is None or isinstance(segment, Segment)
    assert segment is not None or not issues.ok


@QUICK
@given(segments(), st.sampled_from([*KEYS, "base", "description"]), ANYTHING)
def test_a_segment_with_one_part_replaced_is_read_without_failing(segment: Segment, key: str, value: Any) -> None:
    document = {**segment_to_document(segment), key: value}
    found, issues = read_segment(Document(document), segment.folder)
    if found is not None and issues.ok:
        assert read_segment(Document(segment_to_document(found)), found.folder)[0] == found
