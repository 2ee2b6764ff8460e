"""Problems in what a user wrote, as values: collected, located, all reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem: a stable code, where it is, what is wrong, and the way out.

    `path` leads to the value inside the document (keys and list positions); `line` and `column`
    count from 1 and are 0 when unknown. `excerpt` is the line of a text rule that it is about, and
    `excerpt_column` where in it (from 1).
    """

    code: str
    message: str
    path: Path = ()
    severity: Severity = "error"
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    excerpt: str = field(default="", compare=False)
    excerpt_column: int = field(default=0, compare=False)

    def with_place(self, file: str, line: int, column: int) -> Issue:
        return replace(self, file=file, line=line, column=column)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        where = place or path_text(self.path)
        text = f"{where}: " if where else ""
        text += f"{self.severity}[{self.code}] {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


def path_text(path: Path) -> str:
    """A path as people write it.

    >>> path_text(("rule", "conditions", 0, "operator"))
    'rule.conditions[0].operator'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(slots=True)
class Issues:
    """A growing list of issues. Truthy when it holds any; `ok` when none of them is an error."""

    items: list[Issue] = field(default_factory=list)

    def error(self, code: str, message: str, path: Path = (), hint: str = "") -> None:
        self.items.append(Issue(code, message, path, "error", hint))

    def warning(self, code: str, message: str, path: Path = (), hint: str = "") -> None:
        self.items.append(Issue(code, message, path, "warning", hint))

    def add(self, issue: Issue) -> None:
        self.items.append(issue)

    def extend(self, issues: Iterable[Issue]) -> None:
        self.items.extend(issues)

    @property
    def errors(self) -> list[Issue]:
        return [issue for issue in self.items if issue.severity == "error"]

    @property
    def ok(self) -> bool:
        return not self.errors

    def codes(self) -> list[str]:
        return [issue.code for issue in self.items]

    def __iter__(self) -> Iterator[Issue]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def raise_if_errors(self) -> None:
        if not self.ok:
            from kohort.foundation.errors import InvalidInput

            raise InvalidInput(self)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or lists the first few.

    >>> did_you_mean("lifetme_value", ["lifetime_value", "email"])
    'did you mean "lifetime_value"?'
    >>> did_you_mean("zzz", ["email", "age"])
    'known: email, age'
    """
    names = list(known)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{lowered[close[0]]}"?'
    if not names:
        return ""
    shown = ", ".join(names[:8])
    return f"known: {shown}" + (", ..." if len(names) > 8 else "")
