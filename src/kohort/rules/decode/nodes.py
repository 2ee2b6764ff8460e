"""One mapping of a file while it is read: hands out its keys, collects every problem, keeps what it does not know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.rules.ast import Extras

Dialect = Literal["yaml", "json"]

SILENT_KEYS = frozenset({"visibility", "segmentInsightDashboardId", "audienceId", "createdAt", "updatedAt"})
"""Keys of real files that mean nothing to a rule: kept without a word."""

_MAX_DEPTH = 100
_MISTAKEN_KEYS = {
    "field": "attribute",
    "field_name": "attribute",
    "left_value": "leftValue",
    "values": "value",
    "right_value": "rightValue",
    "negate": "not",
    "time_window": "timeWindow",
    "group_by": "groupingColumns",
    "minimum": "min",
    "maximum": "max",
}


@dataclass(slots=True)
class Node:
    """A mapping at `path`. Unknown keys go to `kept` under their flat name, e.g. "leftValue.visibility".

    `kept` belongs to the condition the mapping is part of; `prefix` leads from there to the mapping. `closed` mappings
    (values such as {last, unit}) keep nothing: an unknown key is an error in every dialect.
    """

    value: dict[str, Any]
    path: Path
    issues: Issues
    dialect: Dialect
    kept: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""
    closed: bool = False

    def get(self, key: str) -> Any:
        return self.value.get(key)

    def has(self, key: str) -> bool:
        """True when the key is there with something in it: null counts as absent."""
        return self.value.get(key) is not None

    def at(self, *keys: str | int) -> Path:
        return (*self.path, *keys)

    def error(self, code: str, message: str, *keys: str | int, hint: str = "") -> None:
        self.issues.error(code, message, self.at(*keys), hint)

    def owner(self, value: dict[str, Any], path: Path) -> Node:
        """A mapping that keeps its own extras: a condition, a group, a row condition."""
        return Node(value, path, self.issues, self.dialect)

    def inner(self, key: str, code: str, hint: str) -> Node | None:
        """The mapping under `key`, whose unknown keys are kept with this one's; None, with an issue, when it is something else."""
        value = self.value[key]
        if not isinstance(value, dict):
            self.error(code, f"{key} must be a mapping, not {kind_of(value)}", key, hint=hint)
            return None
        return Node(value, self.at(key), self.issues, self.dialect, self.kept, f"{self.prefix}{key}.", self.closed)

    def shut(self, value: dict[str, Any], path: Path) -> Node:
        """A mapping that is one value and knows all its keys."""
        return Node(value, path, self.issues, self.dialect, closed=True)

    def either(self, *keys: str) -> str | None:
        """The one of `keys` that is written (null only when no other is); an issue when two are."""
        found = [key for key in keys if self.has(key)] or [key for key in keys if key in self.value][:1]
        if len(found) > 1:
            self.error("DUPLICATE_KEY", f"{found[0]} and {found[1]} say the same thing", found[1], hint="keep one of them")
        return found[0] if found else None

    def text(self, key: str, code: str = "INVALID_VALUE") -> str:
        """The text under `key`, "" when absent or when it is no text (an issue)."""
        value = self.value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.error(code, f"{key} must be text, not {kind_of(value)}", key, hint=quoted_hint(value))
            return ""
        return value

    def required(self, key: str, code: str, what: str, hint: str) -> str:
        """The text under `key`, which must say something; "" with an issue otherwise."""
        value = self.value.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is None or isinstance(value, str):
            self.error(code, f"{what} is missing", *((key,) if key in self.value else ()), hint=hint)
        else:
            self.error(code, f"{what} must be text, not {kind_of(value)}", key, hint=quoted_hint(value) or hint)
        return ""

    def flag(self, key: str) -> bool:
        """The true or false under `key`, false when absent."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, bool):
            self.error("INVALID_VALUE", f"{key} must be true or false, not {kind_of(value)}", key)
            return False
        return bool(value)

    def names(self, key: str) -> tuple[str, ...]:
        """The list of column names under `key`, () when absent."""
        value = self.value.get(key)
        if value is None:
            return ()
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            self.error("INVALID_VALUE", f"{key} must be a list of columns, not {kind_of(value)}", key, hint=f"write {key}: [column]")
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                self.error("EMPTY_COLUMN", f"{key} must hold names of columns, not {kind_of(item)}", key, index)
        return tuple(item for item in value if isinstance(item, str) and item.strip())

    def close(self, known: Iterable[str]) -> None:
        """Report (yaml) or keep (json) every key that is not in `known`."""
        names = list(known)
        for key, value in self.value.items():
            if key in names:
                continue
            if self.closed or (self.dialect == "yaml" and key not in SILENT_KEYS):
                self.error("UNKNOWN_KEY", f'"{key}" has no meaning here', key, hint=key_hint(key, names))
                continue
            self.kept[self.prefix + key] = value
            if key not in SILENT_KEYS:
                self.issues.warning("UNKNOWN_KEY", f'"{key}" is kept but has no effect', self.at(key), key_hint(key, names, listed=False))

    def extras(self) -> Extras:
        """What this condition keeps: its unknown keys and those under its key `extras`."""
        written = self.value.get("extras")
        if written is not None and not isinstance(written, dict):
            self.error("INVALID_EXTRAS", f"extras must be a mapping, not {kind_of(written)}", "extras")
            written = None
        return Extras.of({**self.kept, **(written or {})})


def key_hint(key: str, known: list[str], listed: bool = True) -> str:
    """The key that was probably meant; without a near one, those there are (`listed`) or nothing."""
    mistaken = _MISTAKEN_KEYS.get(key)
    if mistaken in known:
        return f'did you mean "{mistaken}"?'
    hint = did_you_mean(key, known)
    return hint if listed or hint.startswith("did") else ""


def kind_of(value: object) -> str:
    """What a value is, for messages.

    >>> kind_of([1]), kind_of(True), kind_of("x")
    ('a list', 'true', 'the text "x"')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"' if value else "an empty text"
        case _:
            return f"the number {value}"


def quoted_hint(value: object) -> str:
    return f'put it in quotes: "{value}"' if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def is_sound(value: object, path: Path, issues: Issues) -> bool:
    """False, with an issue, for a value that is nested too deeply or holds text that cannot be stored."""
    waiting: list[tuple[object, Path]] = [(value, path)]
    while waiting:
        found, at = waiting.pop()
        if len(at) - len(path) > _MAX_DEPTH:
            issues.error("NESTED_TOO_DEEPLY", f"more than {_MAX_DEPTH} levels inside each other", path, "split it into several segments")
            return False
        if isinstance(found, str) and not _is_storable(found):
            issues.error("INVALID_TEXT", "the text holds half a character (a lone surrogate)", at, "write the whole character")
            return False
        if isinstance(found, list):
            waiting.extend((item, (*at, index)) for index, item in enumerate(found))
        elif isinstance(found, dict):
            waiting.extend((key, at) for key in found)
            waiting.extend((item, (*at, key)) for key, item in found.items())
    return True


def _is_storable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
