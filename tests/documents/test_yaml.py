"""YAML is read with places and written so that it reads back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kohort.documents.yaml import read_yaml, write_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)


def test_only_the_core_types_are_typed() -> None:
    document, issues = read_yaml("time: 03:00:00\ncountry: NO\nday: 2024-01-01\nn: 0x1F\nf: 1e3\nquoted: '1'\nempty:\n")
    assert not issues.items
    expected = {"time": "03:00:00", "country": "NO", "day": "2024-01-01", "n": 31, "f": 1000.0, "quoted": "1", "empty": None}
    assert document.value == expected


def test_every_part_knows_its_place() -> None:
    document, _ = read_yaml("a:\n  b:\n    - x\n    - {c: 1}\n", "f.yml")
    assert document.place(("a", "b", 1, "c")) == (4, 8)
    assert document.place(("a", "b", 1, "nowhere")) == (4, 7)
    assert document.at(("a", "b")).place((0,)) == (3, 7)


def test_syntax_errors_and_double_keys_are_issues_with_their_line() -> None:
    _, issues = read_yaml("a: 1\nb: [1, 2\nc: 3\n", "f.yml")
    assert issues.codes() == ["YAML_SYNTAX"]
    assert issues.items[0].line == 3
    _, issues = read_yaml("a: 1\na: 2\n", "f.yml")
    assert [(i.code, i.line) for i in issues] == [("YAML_DUPLICATE_KEY", 2)]


def test_a_document_that_contains_itself_is_refused() -> None:
    _, issues = read_yaml("a: &x [*x]\n")
    assert issues.codes() == ["YAML_SYNTAX"]


@given(VALUES)
def test_what_is_written_reads_back(value: Any) -> None:
    document, issues = read_yaml(write_yaml(value))
    assert not issues.items
    assert document.value == value


@given(st.text())
def test_any_text_gives_a_value_or_issues(text: str) -> None:
    document, issues = read_yaml(text)
    assert document.value is None or issues is not None
