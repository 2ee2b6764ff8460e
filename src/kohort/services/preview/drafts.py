"""Segments as somebody is writing them: from a text, a file or a saved segment; sound, or only in parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from kohort.documents.document import Document
from kohort.documents.json import read_json
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issue, Issues, Path
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import Condition, Group, Rule
from kohort.rules.decode import Dialect, is_sound, read_rule_value
from kohort.rules.decode.conditions import GROUPS
from kohort.rules.places import located, located_in_text
from kohort.rules.text import parse_rule
from kohort.segments.codec import read_segment
from kohort.segments.definition import Segment
from kohort.services.evaluation.evaluate import Engine, resolve_path
from kohort.workspace.files import read_document
from kohort.workspace.reading import SUFFIXES, folder_of
from kohort.workspace.workspace import Workspace

RULE: Path = ("rule",)
_NAMELESS = "\0draft"
UNREADABLE = Group("any", ())


@dataclass(frozen=True)
class Draft:
    """A segment that need not be saved.

    segment: what could be read of it; a condition that could not stands as an empty group in its place. issues: what could not be
    read, paths as in a segment file (rule.conditions[0]...). document: where it was read from. typed: the text of a typed rule, with
    the catalog it was read with. is_named: False for a rule alone.
    """

    segment: Segment
    issues: Issues = field(default_factory=Issues)
    document: Document | None = None
    typed: tuple[str, FieldCatalog] | None = None

    def located(self, issues: Issues) -> Issues:
        """Every issue once, with its line and column where they are known; paths stay."""
        if self.typed is not None and issues:
            issues = located_in_text(issues, *self.typed, RULE)
        return Issues(list(dict.fromkeys(self._located(issue) for issue in issues)))

    def _located(self, issue: Issue) -> Issue:
        if issue.line or self.document is None:
            return issue
        [placed] = located(Issues([issue]), self.document)
        return replace(placed, path=issue.path)

    @property
    def is_named(self) -> bool:
        return self.segment.name != _NAMELESS

    def standing_for(self, path: str) -> Draft:
        """The same rule as a new form of the segment at `path`."""
        folder, _, name = path.rpartition("/")
        return replace(self, segment=replace(self.segment, folder=folder, name=name))


def draft_of_rule(rule: Rule, folder: str = "", base: str = "") -> Draft:
    """A rule alone."""
    return Draft(Segment(_NAMELESS, folder, rule, base=base))


def draft_of_text(text: str, catalog: FieldCatalog) -> Draft:
    """A rule typed on a line."""
    rule, issues = parse_rule(text, catalog)
    if issues.ok or parse_rule(text)[1].ok:
        return Draft(Segment(_NAMELESS, rule=rule), typed=(text, catalog))
    found = Issues([replace(issue, path=(*RULE, *issue.path)) for issue in issues])
    return Draft(Segment(_NAMELESS, rule=UNREADABLE), found)


def draft_of_saved(engine: Engine, target: str) -> Draft:
    """A saved segment (of a variant: its segment). Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT."""
    graph = engine.graph
    return Draft(graph.by_path[graph.owners[resolve_path(engine, target)]])


def draft_of_file(path: FilePath, workspace: Workspace, parent_slug: str) -> Draft:
    """The segment or the rule alone in a YAML or JSON file. Raises InvalidInput when it is no YAML or JSON at all."""
    shown = workspace.shown(path)
    document, issues = _read_json(path, shown) if path.suffix.lower() == ".json" else read_document(path, shown)
    if document is None:
        raise InvalidInput(issues)
    if isinstance(document.value, list) and len(document.value) == 1:
        document = document.at((0,))
    dialect: Dialect = "json" if path.suffix.lower() == ".json" else "yaml"
    return draft_of_document(document, folder_of(path, workspace.segments_folder(parent_slug)), dialect)


def is_file(name: str) -> bool:
    """True for what looks like the name of a definition file, whether there is one or not."""
    return name.lower().endswith((*SUFFIXES, ".json"))


def _read_json(path: FilePath, shown: str) -> tuple[Document | None, Issues]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("FILE_NOT_READABLE", f"{shown} cannot be read: {error}") from error
    document, issues = read_json(text, shown)
    return (document if issues.ok else None), issues


def draft_of_document(document: Document, folder: str = "", dialect: Dialect = "yaml") -> Draft:
    """A segment (a mapping with a name) or a rule alone, each condition read by itself when the whole cannot be."""
    value, unsound = document.value, Issues()
    if not is_sound(value, RULE, unsound):
        return Draft(Segment(_NAMELESS, folder, UNREADABLE), document.located(unsound))
    if isinstance(value, dict) and "name" in value and ("rule" in value or "conditions" not in value):
        segment, issues = read_segment(document, folder)
        if segment is None:
            rule, base = read_rule_value(value.get("rule"), RULE, Issues(), dialect), value.get("base")
            segment = Segment(_NAMELESS, folder, rule, base=base if isinstance(base, str) else "")
        return Draft(_sound_parts(segment, value.get("rule"), issues, dialect), issues, document)
    inner = document.at(RULE) if isinstance(value, dict) and "rule" in value else document
    issues = Issues()
    rule = read_rule_value(inner.value, RULE, issues, dialect)
    return Draft(_sound_parts(Segment(_NAMELESS, folder, rule), inner.value, issues, dialect), _placed(issues, inner), None)


def _placed(issues: Issues, inner: Document) -> Issues:
    """Issues of a rule alone with their lines; their paths begin with `rule` all the same."""
    return Issues([_with_line(issue, inner) for issue in issues])


def _with_line(issue: Issue, inner: Document) -> Issue:
    line, column = inner.place(issue.path[1:])
    return issue if issue.line else issue.with_place(inner.file, line, column)


def _sound_parts(segment: Segment, value: Any, issues: Issues, dialect: Dialect) -> Segment:
    if not any(issue.path[:1] == RULE for issue in issues.errors):
        return segment
    return replace(segment, rule=_rule_in_parts(value, dialect))


def _rule_in_parts(value: Any, dialect: Dialect) -> Rule:
    found = _in_parts(value, dialect)
    return found if isinstance(found, Group) else Group("all", (found,))


def _in_parts(value: Any, dialect: Dialect) -> Condition:
    """What can be read of a value by itself; an empty group for what cannot."""
    if not isinstance(value, dict):
        return _alone(value, dialect)
    kind, conditions = value.get("type"), value.get("conditions")
    if not (isinstance(kind, str) and kind in GROUPS and isinstance(conditions, list)):
        return _alone(value, dialect)
    shell = read_rule_value({**value, "conditions": []}, (), Issues(), dialect)
    return replace(shell, conditions=tuple(_in_parts(item, dialect) for item in conditions))


def _alone(value: Any, dialect: Dialect) -> Condition:
    issues = Issues()
    rule = read_rule_value({"type": "And", "conditions": [value]}, (), issues, dialect)
    return rule.conditions[0] if issues.ok and len(rule.conditions) == 1 else UNREADABLE
