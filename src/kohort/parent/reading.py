"""Reads mappings and lists of a document, noting every problem at its path instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kohort.foundation.issues import Issues, Path, did_you_mean

_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


def in_order(issues: Issues) -> Issues:
    """The same issues from the top of the file to its end."""
    return Issues(sorted(issues, key=lambda issue: (issue.line, issue.column)))


def kind_of(value: Any) -> str:
    """What a value is, in words.

    >>> kind_of([1])
    'a list'
    """
    return _KINDS.get(type(value), type(value).__name__)


class Reader:
    """One mapping of a document. Keys asked for are known; `finish` reports the others.

    A key with nothing after it counts as not written.
    """

    def __init__(self, value: Any, path: Path, issues: Issues, what: str) -> None:
        self.path, self.issues, self.what = path, issues, what
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        self.is_mapping = isinstance(value, dict)
        self.known: list[str] = []
        if not self.is_mapping:
            issues.error("WRONG_TYPE", f"{what} must be a mapping of keys and values, not {kind_of(value)}", path, "write key: value")

    def has(self, *keys: str) -> bool:
        """True when one of the keys is written with a value."""
        return any(self.values.get(key) is not None for key in keys)

    def raw(self, key: str) -> Any:
        """The value as it is; None when not written."""
        if key not in self.known:
            self.known.append(key)
        return self.values.get(key)

    def wrong(self, key: str, wanted: str, hint: str = "") -> None:
        self.issues.error(
            "WRONG_TYPE", f'"{key}" of {self.what} must be {wanted}, not {kind_of(self.values[key])}', (*self.path, key), hint
        )

    def text(self, key: str, *, required: bool = False, hint: str = "") -> str:
        """Text without space around it; "" when not written or wrong."""
        value = self.raw(key)
        if value is None:
            if required and self.is_mapping:
                self.missing(key, hint)
            return ""
        if not isinstance(value, str):
            self.wrong(key, "text", f'put it in quotes: {key}: "{value}"' if isinstance(value, int | float) else "")
            return ""
        if not value.strip():
            self.issues.error("EMPTY_VALUE", f'"{key}" of {self.what} is empty', (*self.path, key), hint)
        return value.strip()

    def first_text(self, *keys: str) -> str:
        """The text of the first of several keys for one thing that is written."""
        texts = [self.text(key) for key in keys]
        return next((text for text in texts if text), "")

    def missing(self, key: str, hint: str = "") -> None:
        code = "MISSING_NAME" if key == "name" else "MISSING_KEY"
        self.issues.error(code, f'{self.what} needs "{key}"', self.path, hint or f"add {key}: ...")

    def flag(self, key: str) -> bool:
        """true or false; false when not written."""
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, "true or false")
        return value is True

    def whole(self, key: str, *, low: int, high: int) -> int:
        """A whole number in [low, high]; 0 when not written or wrong."""
        value = self.raw(key)
        if value is None:
            return 0
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong(key, "a whole number")
            return 0
        if not low <= value <= high:
            self.issues.error("INVALID_VALUE", f'"{key}" of {self.what} must be from {low} to {high}, not {value}', (*self.path, key))
            return 0
        return value

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """One of the known words; "" when not written or wrong."""
        value = self.raw(key)
        if value is None:
            return ""
        if not isinstance(value, str) or value not in known:
            hint = did_you_mean(str(value), known)
            self.issues.error("INVALID_VALUE", f'"{key}" of {self.what} cannot be {value!r}', (*self.path, key), hint)
            return ""
        return value

    def mapping(self, key: str, what: str, *, required: bool = False) -> Reader | None:
        """The mapping under a key; None when not written."""
        value = self.raw(key)
        if value is None:
            if required and self.is_mapping:
                self.missing(key)
            return None
        return Reader(value, (*self.path, key), self.issues, what)

    def items(self, key: str) -> Iterator[tuple[Any, Path]]:
        """The entries of a list with their paths; none when not written or not a list."""
        value = self.raw(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.wrong(key, "a list", "start each entry with a dash: - ...")
            return
        for position, item in enumerate(value):
            yield item, (*self.path, key, position)

    def finish(self) -> None:
        """Report the keys nobody asked for."""
        for key in self.values:
            if key not in self.known:
                hint = did_you_mean(key, self.known)
                self.issues.error("UNKNOWN_KEY", f'{self.what} has no key "{key}"', (*self.path, key), hint)
