"""From a place in a rule tree to the place in the file that says it, whichever way it was written.

`rules.check` names places in the keys of the YAML form (see there). Files may use the JSON keys, `timeWindow` or a text rule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.documents.document import Document
from kohort.foundation.issues import Issue, Issues, Path
from kohort.parent.catalog import FieldCatalog
from kohort.rules.decode.conditions import inside_text
from kohort.rules.text import parse_with_places
from kohort.rules.text.marks import Places
from kohort.rules.text.tokens import in_text

_JSON_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "attribute": (("leftValue", "name"),),
    "source": (("leftValue", "source", "name"), ("source", "name")),
    "aggregation": (("leftValue", "aggregation"),),
    "filter": (("leftValue", "filter"),),
    "window": (("leftValue", "window"),),
    "value": (("rightValue",), ("rightValues",)),
    "min": (("minValue",),),
    "max": (("maxValue",),),
    "segment": (("id",),),
}


def located(issues: Issues, document: Document) -> Issues:
    """The same issues with the paths, lines and columns of `document`; inside a text rule also the place in the text."""
    return document.located(Issues([_in_document(issue, document) for issue in issues]))


def located_in_text(issues: Issues, text: str, catalog: FieldCatalog | None = None, path: Path = ()) -> Issues:
    """The same issues of the rule that `text` says with their lines and columns in it. path: leads to the rule in their paths."""
    places = parse_with_places(text, catalog)[2]
    placed = Issues()
    for issue in issues:
        inside = issue.path[: len(path)] == path and not issue.line and issue.path != ()
        placed.add(in_text(issue, text, _start(places, issue.path[len(path) :])) if inside and places else issue)
    return placed


def _in_document(issue: Issue, document: Document) -> Issue:
    path, rest, value = _followed(document.value, issue.path)
    if not rest or not isinstance(value, str) or issue.line:
        return replace(issue, path=path)
    rule, _, places = parse_with_places(value)
    if not places:
        return replace(issue, path=path)
    alone = rest if rest[0] == "conditions" or len(rule.conditions) != 1 else ("conditions", 0, *rest)
    return inside_text(in_text(issue, value, _start(places, alone)), path)


def _start(places: Places, path: Path) -> int:
    """Where the part at `path`, or its nearest known parent, begins."""
    return next((places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in places), 0)


def path_in(value: Any, path: Path) -> Path:
    """The path in a file's value that a path in the keys of the YAML form means; where the file ends early, its last known part.

    >>> path_in({"leftValue": {"name": "age"}}, ("attribute",))
    ('leftValue', 'name')
    >>> path_in({"timeWindow": {}, "filter": {"type": "And", "conditions": [{}]}}, ("filter", "conditions", 1))
    ('filter', 'conditions', 0)
    """
    return _followed(value, path)[0]


def _followed(value: Any, path: Path) -> tuple[Path, Path, Any]:
    """(the path as the file has it, what is left of `path` where the file ends early, the value there)."""
    found: Path = ()
    rest = path
    while rest:
        if isinstance(value, dict) and "timeWindow" in value and rest[:2] == ("filter", "conditions"):
            rest = _beside_time_window(value, rest)
        keys = _keys(value, rest[0])
        if keys is None:
            break
        for key in keys:
            value = value[key]
        found, rest = (*found, *keys), rest[1:]
    return found, rest, value


def _beside_time_window(node: dict[str, Any], path: Path) -> Path:
    """A timeWindow is the first condition of the tree's filter; a filter that is no And is the second."""
    index, inner = path[2:3], path[3:]
    if index == (0,):
        return ("timeWindow",)
    held = node.get("filter")
    if isinstance(held, dict) and held.get("type") == "And" and not held.get("exclude"):
        return ("filter", "conditions", *(at - 1 for at in index if isinstance(at, int)), *inner)
    return ("filter", *inner)


def _keys(value: Any, part: str | int) -> Path | None:
    """The keys that lead from a value to its part; None when it has none."""
    if isinstance(part, int):
        return (part,) if isinstance(value, list) and 0 <= part < len(value) else None
    for keys in ((part,), *_JSON_KEYS.get(part, ())):
        if _has(value, keys):
            return keys
    return None


def _has(value: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
