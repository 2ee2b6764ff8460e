"""Changes single values inside a YAML file's text, so that comments and the writer's own form stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.foundation.issues import Path
from kohort.rules.text.tokens import quote_text
from kohort.segments.codec import read_segment
from kohort.segments.definition import Segment
from kohort.segments.rewriting import named_targets

_VALUE = re.compile(
    r"""(\s*:[ \t]+)("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s"'#&*!|>{\[,\]}](?:[^\n#]|(?<!\s)#)*?)(?=[ \t]*(?:\n|$|[ \t]#|\Z))"""
)
_FLOW_VALUE = re.compile(r"""(\s*:[ \t]+)("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s"'#&*!|>{\[,\]}][^\n,}\]#]*?)(?=[ \t]*[,}\]])""")


def edited_segment(text: str, before: Document, folder: str, old: Segment, new: Segment) -> str | None:
    """The text of a segment's file with what changed from `old` to `new` changed in place; None when that cannot be done exactly.

    before: the document of the text; folder: where the new file stands.
    """
    if not isinstance(before.value, dict):
        return None
    wanted = _wanted(before.value, folder, old, new)
    found = edited(text, before, wanted)
    if found is None:
        return None
    document, issues = read_yaml(found)
    return found if not issues and read_segment(document, folder)[0] == new else None


def edited(text: str, before: Document, wanted: Mapping[str, Any]) -> str | None:
    """The text with every value that differs replaced, and keys of the top that are new or gone; None when that cannot be done."""
    edits: list[tuple[int, int, str]] = []
    for path, value in _different(before.value, wanted):
        found = _edit(text, before, path, value)
        if found is None:
            return None
        edits.append(found)
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    return text if read_yaml(text)[0].value == wanted else None


def _wanted(value: dict[str, Any], folder: str, old: Segment, new: Segment) -> dict[str, Any]:
    """The file's value as it is to be."""
    found = {**value, "name": new.name}
    found.pop("folder", None)
    if new.folder != folder:
        found = {"name": new.name, "folder": new.folder, **found}
    targets = {a: b for a, b in zip(named_targets(old), named_targets(new), strict=True) if a != b}
    if "base" in value:
        found["base"] = new.base
    if "rule" in value:
        found["rule"] = _retargeted(value["rule"], targets)
    if new.ab_test is not None and old.ab_test is not None and isinstance(value.get("ab_test"), dict) and new.ab_test != old.ab_test:
        found["ab_test"] = {"id": new.ab_test.test_id, **value["ab_test"]}
    return found


def _retargeted(value: Any, targets: Mapping[str, str]) -> Any:
    """A rule as a file has it, with the segments it names called otherwise."""
    match value:
        case str():
            for old, new in targets.items():
                value = value.replace(quote_text(old), quote_text(new))
            return value
        case list():
            return [_retargeted(part, targets) for part in value]
        case dict():
            return {
                key: targets.get(part, part) if key == "segment" and isinstance(part, str) else _retargeted_part(key, part, targets)
                for key, part in value.items()
            }
        case _:
            return value


def _retargeted_part(key: str, value: Any, targets: Mapping[str, str]) -> Any:
    return (
        value
        if isinstance(value, str)
        else _retargeted(value, targets)
        if key != "conditions"
        else [_retargeted(p, targets) for p in value]
    )


def _different(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The paths of the values that differ, with their new ones; None: the value is gone."""
    if isinstance(old, dict) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _different(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _different(one, other, (*path, index))
    elif old != new:
        yield path, new


def _edit(text: str, before: Document, path: Path, value: Any) -> tuple[int, int, str] | None:
    """(start, end, new text) of one change."""
    place = before.places.get(path)
    written = _written(value)
    if written is None:
        return None
    if place is None:
        return _insertion(text, before, path, written)
    start = _offset(text, *place)
    key = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s:]+").match(text, start)
    if key is None or isinstance(path[-1], int):
        return None
    found = _FLOW_VALUE.match(text, key.end()) if _is_flow(text, start) else _VALUE.match(text, key.end())
    if found is None:
        return None
    return (found.start(2), found.end(2), written) if value is not None else _removal(text, start, found.end())


def _insertion(text: str, before: Document, path: Path, written: str) -> tuple[int, int, str] | None:
    """A new key on a line of its own: at the top after the first key, below it as the first of its mapping."""
    if len(path) == 1:
        line, column = before.places.get(("name",), (0, 0))
        at = text.find("\n", _offset(text, line, column)) + 1
        return (at, at, f"{path[0]}: {written}\n") if line and column == 1 and at else None
    inner = min((place for known, place in before.places.items() if len(known) == len(path) and known[:-1] == path[:-1]), default=None)
    if inner is None:
        return None
    start = _offset(text, *inner)
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        return start, start, f"{path[-1]}: {written}, "
    return line_start, line_start, f"{text[line_start:start]}{path[-1]}: {written}\n"


def _removal(text: str, start: int, end: int) -> tuple[int, int, str] | None:
    """The whole line of a key."""
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end) + 1
    alone = not text[line_start:start].strip() and line_end and not text[end : line_end - 1].strip()
    return (line_start, line_end, "") if alone else None


def _written(value: Any) -> str | None:
    """A value on one line as YAML writes it."""
    if not isinstance(value, str | int | float | bool | None):
        return None
    text = write_yaml({"k": value}).removeprefix("k: ").rstrip("\n")
    return text if "\n" not in text else None


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def _is_flow(text: str, start: int) -> bool:
    """Whether a key stands inside { ... } that begins on its line."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return before.count("{") > before.count("}")
