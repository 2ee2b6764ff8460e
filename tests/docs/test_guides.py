"""The pages of the documentation hold together: links lead somewhere, blocks can be read, commands print what is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.parent.codec import parent_to_document, read_parent
from kohort.rules.ast import Rule
from kohort.rules.decode import read_rule
from kohort.rules.encode import rule_to_json, rule_to_yaml
from kohort.rules.normalize import meaning
from kohort.rules.text import parse_rule, write_rule
from kohort.segments.codec import read_segment
from tests.docs.steps import check_page
from tools.reference import PAGE_WRITERS, PAGES
from tools.transcripts import GUIDES, ROOT, Block, blocks_of

DOCS = sorted((ROOT / "docs").rglob("*.md"))
ALL_PAGES = [*DOCS, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md"))]
NOUNS = [
    "parent-segment",
    "attribute",
    "behavior",
    "refresh",
    "profile",
    "segment",
    "rule",
    "folder",
    "membership",
    "ab-test",
    "as-of",
    "version",
    "workspace",
    "warehouse",
    "profile-index",
    "call",
    "source",
    "source-tables",
    "server",
    "run",
    "event-log",
    "user",
]
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[tuple[str, Block]]:
    """Every block of these languages in the hand-written pages, with a name for the test."""
    texts = [(shown(page), page.read_text(encoding="utf-8")) for page in DOCS]
    found = [(name, text, block) for name, text in texts for block in blocks_of(text) if block.language in languages]
    return [(f"{name}:{text.count(chr(10), 0, block.start)}", block) for name, text, block in found]


def cases(*languages: str) -> list[object]:
    return [pytest.param(block, id=name) for name, block in blocks(*languages)]


@pytest.mark.parametrize("page", ALL_PAGES, ids=shown)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if link.startswith(("https:", "http:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
            assert anchor in anchors, link


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [shown(page) for page in DOCS if page != index and page.resolve() not in linked] == []


def test_every_noun_has_a_page() -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / "nouns").glob("*.md")) == sorted(NOUNS)


@pytest.mark.parametrize("block", cases("yaml", "yml"))
def test_yaml_blocks_are_what_they_look_like(block: Block) -> None:
    document, problems = read_yaml(block.body, "page")
    assert problems.codes() == []
    assert document.value is not None
    value = document.value
    if isinstance(value, list):
        return _read_conditions(value)
    if "master" in value or "master_table" in value:
        return _read_parent(document)
    if "rule" in value or "conditions" in value or "name" in value:
        return _read_segment(document)
    if "scrape_configs" in value:  # of Prometheus
        return None
    assert set(value) <= {"schedule", "attributes", "behaviors", "operator"}, "a kind of block this test does not know"
    if "schedule" in value:
        _read_parent(Document({"name": "X", "master": {"database": "d", "table": "t", "key_column": "k"}, **value}))
    if "operator" in value:
        _read_conditions([{"type": "Value", "attribute": "x", **value}])


def _read_conditions(value: list[object]) -> None:
    _check_rule({"type": "And", "conditions": value})


def _read_parent(document: Document) -> None:
    parent, problems = read_parent(document)
    assert [str(problem) for problem in problems.errors] == []
    assert parent is not None
    assert read_parent(Document(parent_to_document(parent)))[0] == parent


def _read_segment(document: Document) -> None:
    assert isinstance(document.value, dict)
    if "name" not in document.value:
        _check_rule(document.value)
        return
    segment, problems = read_segment(document, "")
    assert [str(problem) for problem in problems.errors] == []
    assert segment is not None
    _check_round_trips(segment.rule)


def _check_rule(value: object) -> None:
    rule, problems = read_rule(Document(value))
    assert [str(problem) for problem in problems.errors] == []
    _check_round_trips(rule)


def _check_round_trips(rule: Rule) -> None:
    assert parse_rule(write_rule(rule))[0] == rule
    assert read_rule(Document(rule_to_yaml(rule)))[0] == rule
    assert read_rule(Document(rule_to_json(rule)), "json")[0] == rule


@pytest.mark.parametrize("block", cases("json"))
def test_json_blocks_are_json(block: Block) -> None:
    lines = block.body.splitlines() if block.title.endswith(".jsonl") else [block.body]
    for line in lines:
        value = json.loads(line)
        if isinstance(value, dict) and "conditions" in value:
            rule, problems = read_rule(Document(value), "json")
            assert [str(problem) for problem in problems.errors] == []
            _check_round_trips(rule)


@pytest.mark.parametrize("block", cases("rule"))
def test_typed_rules_are_understood(block: Block) -> None:
    for line in block.body.splitlines():
        rule, problems = parse_rule(line)
        assert [str(problem) for problem in problems] == [], line
        _check_round_trips(rule)


def test_the_three_forms_of_the_guide_mean_the_same() -> None:
    text = (GUIDES / "rules.md").read_text(encoding="utf-8")
    part = text[text.index("## One rule, three forms") : text.index("## Where a rule stands")]
    found = {block.language: block.body for block in blocks_of(part)}
    read = [
        parse_rule(found["rule"].strip())[0],
        read_rule(Document(read_yaml(found["yaml"], "page")[0].value))[0],
        read_rule(Document(json.loads(found["json"])), "json")[0],
    ]
    assert len({meaning(rule) for rule in read}) == 1


@pytest.mark.parametrize("page", [page for page in sorted(GUIDES.glob("*.md")) if "```console" in page.read_text()], ids=shown)
def test_guides_print_what_they_show(page: Path, shop: Path) -> None:
    check_page(page, shop.parent, "shop")


def test_reference_pages_are_what_the_code_says() -> None:
    for name, write in PAGE_WRITERS.items():
        assert (PAGES / name).read_text(encoding="utf-8") == write(), "run: make docs"


def test_the_page_of_codes_names_every_code_of_the_tests_and_the_commands() -> None:
    page = (PAGES / "codes.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([A-Z_0-9]+)`", page, re.MULTILINE)
    assert len(named) == len(set(named))
    said = re.compile(r"""(?:Issue|UserError|error|warning|problem|report)\(\s*"([A-Z][A-Z_0-9]{3,})",""")
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py") if "testing" not in file.parts)
    assert set(said.findall(source)) - set(named) == set()
