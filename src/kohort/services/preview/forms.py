"""A segment that somebody is writing, in all its forms: YAML, text and document; whichever was typed last gives the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.foundation.issues import Issues, path_text
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import EVERYBODY
from kohort.rules.decode import is_sound
from kohort.rules.text import parse_with_places, write_rule
from kohort.rules.text.tokens import place
from kohort.segments.codec import segment_to_document
from kohort.services.definitions.push import check_segment
from kohort.services.preview.drafts import RULE, Draft, draft_of_document, draft_of_rule, draft_of_text

_OF_SEGMENTS = {"rule", "base", "kind", "visible", "ab_test", "activations", "lint"}


@dataclass(frozen=True, slots=True)
class Forms:
    """What was written, in every form.

    definition: canonical, as `segment_to_document` has it, without a name when none was written; None when it could not be read.
    yaml, text: "" when there is no such form. lines: path -> line (from 1) of what was typed.
    """

    definition: dict[str, Any] | None
    yaml: str
    text: str
    issues: Issues
    lines: Mapping[str, int] = field(default_factory=dict)


def forms_of_yaml(text: str, folder: str, catalog: FieldCatalog | None) -> Forms:
    """The segment, or the rule alone, that a YAML text says; its issues with line and column."""
    document, issues = read_yaml(text)
    if not issues.ok:
        return Forms(None, text, "", issues)
    lines = {path_text(path): line for path, (line, _) in document.places.items()}
    return _forms(_draft(document, folder), catalog, text, lines)


def forms_of_text(text: str, catalog: FieldCatalog | None) -> Forms:
    """The rule that a text says; its issues with line and column."""
    rule, issues, places = parse_with_places(text, catalog)
    alone = Draft(draft_of_rule(rule).segment, Issues([replace(issue, path=(*RULE, *issue.path)) for issue in issues]))
    draft = alone if catalog is None else draft_of_text(text, catalog)
    lines = {path_text((*RULE, *path)): place(text, start)[0] for path, start in places.items()}
    return _forms(draft, catalog, "", lines)


def forms_of_document(value: Any, folder: str, catalog: FieldCatalog | None) -> Forms:
    """A definition in its other forms; as YAML also when it is wrong, just as it stands there."""
    sound = is_sound(value, (), Issues())
    written = write_yaml(value) if sound and value else ""
    return _forms(_draft(Document(value), folder), catalog, written, {})


def _draft(document: Document, folder: str) -> Draft:
    """A segment without a name is a segment all the same when it says what only segments say."""
    value = document.value
    if not isinstance(value, dict) or "name" in value or not (value.keys() & _OF_SEGMENTS or set(value) == {"description"}):
        return draft_of_document(document, folder)
    found = draft_of_document(replace(document, value={**value, "name": "draft"}), folder)
    return replace(found, segment=replace(found.segment, name=draft_of_rule(EVERYBODY).segment.name))


def _forms(draft: Draft, catalog: FieldCatalog | None, written: str, lines: Mapping[str, int]) -> Forms:
    issues = draft.located(Issues([*draft.issues, *check_segment(draft.segment, catalog)]))
    if not draft.issues.ok:
        return Forms(None, written, "", issues, lines)
    document = segment_to_document(draft.segment)
    if not draft.is_named:
        del document["name"]
    elif draft.segment.folder:
        document = {"name": document.pop("name"), "folder": draft.segment.folder, **document}
    return Forms(document, write_yaml(_placeless(document)) if document else "", write_rule(draft.segment.rule), issues, lines)


def _placeless(document: Mapping[str, Any]) -> dict[str, Any]:
    """As a file has it, whose place says the folder."""
    return {key: value for key, value in document.items() if key != "folder"}
