"""Case files: a small parent segment, an instant, rules and who matches them, written by hand; run on every evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.foundation.instants import Micros, parse_instant
from kohort.foundation.issues import Issues
from kohort.rules.ast import Rule
from kohort.rules.check import check_rule
from kohort.rules.decode import read_rule
from kohort.rules.text import parse_rule
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.segments.graph import SegmentGraph
from kohort.testing.dataset import Dataset

SUBJECT = "The case"
"""The path of the segment that holds a case's own rule."""

_ABOUT_CASE = {"name", "note", "as_of", "members", "members_of"}
_RULE_FORMS = ("rule", "json", "json_condition", "text")


@dataclass(frozen=True)
class Case:
    """One question and its answer. `asked` is the path, in `segments`, of the segment or variant that is evaluated."""

    file: str
    line: int
    name: str
    dataset: Dataset
    as_of: Micros
    segments: Mapping[str, Segment]
    asked: str
    members: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"

    @property
    def rule(self) -> Rule:
        """The rule of the segment asked for (of a variant: of its segment)."""
        owners = SegmentGraph.of(self.segments.values()).owners
        return self.segments[owners[self.asked]].rule


class BrokenCase(Exception):
    """A case file that cannot be read as one."""


def load_folder(folder: Path) -> list[Case]:
    """All cases of all files in a folder, in order."""
    return [case for path in sorted(folder.glob("*.yaml")) for case in load_file(path)]


def load_file(path: Path) -> Iterator[Case]:
    """The cases of one file.

    about: what the file is about. dataset: see `Dataset.from_mapping`. as_of: text. segments: {path: rule and perhaps base, ab_test}.
    cases: each `members` and a rule - as keys of one YAML condition (`where: {column: operator}` is short for a filter),
    as `rule` (YAML), `json`, `json_condition` or `text` - or `members_of`, a path of `segments`; perhaps its own as_of.
    """
    document, issues = read_yaml(path.read_text("utf-8"), path.name)
    _refuse(issues, path.name)
    data = document.value
    dataset = Dataset.from_mapping(data["dataset"])
    shared = {name: _segment(name, body, f"{path.name}: {name}") for name, body in data.get("segments", {}).items()}
    for index, body in enumerate(data["cases"]):
        line = document.place(("cases", index))[0]
        where = f"{path.name}:{line}"
        segments, asked = shared, body.get("members_of", SUBJECT)
        if asked == SUBJECT:
            segments = {**shared, SUBJECT: Segment(SUBJECT, rule=read_case_rule(body, where))}
        strangers = set(body["members"]) - {profile.id for profile in dataset.profiles}
        if strangers:
            raise BrokenCase(f"{where}: not among the profiles: {sorted(strangers)}")
        as_of = _instant(body.get("as_of", data["as_of"]), where)
        case = Case(path.name, line, _name(body), dataset, as_of, segments, asked, frozenset(body["members"]))
        _refuse(check_rule(case.rule, dataset.catalog, list(SegmentGraph.of(segments.values()).owners)), where)
        yield case


def read_case_rule(body: Mapping[str, Any], where: str) -> Rule:
    """The rule of a case, whichever way it is written."""
    form = next((key for key in _RULE_FORMS if key in body), None)
    if form == "text":
        rule, issues = parse_rule(body["text"])
    elif form == "json_condition":
        rule, issues = read_rule(Document({"type": "And", "conditions": [body[form]]}), "json")
    elif form is not None:
        rule, issues = read_rule(Document(body[form]), "json" if form == "json" else "yaml")
    else:
        rule, issues = read_rule(Document({"type": "And", "conditions": [_condition(body)]}))
    _refuse(issues, where)
    return rule


def _condition(body: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a case that make up one condition, with what can be left out put in."""
    condition = {"type": "Value", **{key: value for key, value in body.items() if key not in _ABOUT_CASE}}
    if "source" in condition:
        rows = condition.pop("where", {})
        columns = [{"type": "Column", "column": column, "operator": operator} for column, operator in rows.items()]
        condition = {"attribute": "", "filter": {"type": "And", "conditions": columns}, **condition}
    return condition


def _segment(path: str, body: Mapping[str, Any], where: str) -> Segment:
    folder, _, name = path.rpartition("/")
    rule = read_case_rule({key: value for key, value in body.items() if key not in ("base", "ab_test")}, where)
    test = body.get("ab_test")
    segment = Segment(name, folder, rule, base=body.get("base", ""))
    return segment if test is None else replace(segment, ab_test=_ab_test(test))


def _ab_test(test: Mapping[str, Any]) -> ABTest:
    variants = tuple(Variant(name, ratio) for name, ratio in test["variants"].items())
    return ABTest(variants, test.get("control", 0), test.get("control_name", "Control"), test.get("test_id", ""), test["key_column"])


def _name(body: Mapping[str, Any]) -> str:
    if "name" in body:
        return str(body["name"])
    if "members_of" in body:
        return f"members of {body['members_of']}"
    aggregation = body.get("aggregation", {})
    operator = body.get("operator", {})
    words = [body.get("attribute") or body.get("source"), aggregation.get("type"), *_columns(aggregation)]
    words += [operator.get("type"), operator.get("unit"), "not" if operator.get("not") else "", "excluded" if body.get("exclude") else ""]
    return " ".join(str(word) for word in words if word)


def _columns(aggregation: Mapping[str, Any]) -> list[str]:
    return [aggregation.get("column", ""), *aggregation.get("columns", [])]


def _instant(text: str, where: str) -> Micros:
    micros = parse_instant(text, ZoneInfo("UTC"))
    if micros is None:
        raise BrokenCase(f"{where}: {text!r} is not an instant")
    return micros


def _refuse(issues: Issues, where: str) -> None:
    if not issues.ok:
        raise BrokenCase("\n".join([f"{where}:", *(str(issue) for issue in issues.errors)]))
