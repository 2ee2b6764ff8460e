"""From a place in a rule tree to the place in the file that says it, whichever way it was written.

`rules.check` names places in the keys of the YAML form (see there). Files may use the JSON keys, `timeWindow` or a text rule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.documents.document import Document
from kohort.foundation.issues import Issues, Path

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
    """The same issues with the paths, lines and columns of `document`."""
    return document.located(Issues([replace(issue, path=path_in(document.value, issue.path)) for issue in issues]))


def path_in(value: Any, path: Path) -> Path:
    """The path in a file's value that a path in the keys of the YAML form means; where the file ends early, its last known part.

    >>> path_in({"leftValue": {"name": "age"}}, ("attribute",))
    ('leftValue', 'name')
    >>> path_in({"timeWindow": {}, "filter": {"type": "And", "conditions": [{}]}}, ("filter", "conditions", 1))
    ('filter', 'conditions', 0)
    """
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
    return found


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
