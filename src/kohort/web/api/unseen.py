"""Names that are not for the one who asks: folders and parent segments outside of their grants, wherever a text would tell them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issue, Issues
from kohort.ports.definitions import DefinitionStore
from kohort.ports.runs import RunRecord
from kohort.services.access import Access

SOMETHING = "something that you may not see"
_AS_TYPED = ("PARENT_NOT_FOUND", "SEGMENT_NOT_FOUND", "FOLDER_NOT_FOUND")
"""Refusals that repeat what was asked for: to change some of them would tell which ones exist."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Takes names out of texts. paths: of segments, longest first; parents: names and slugs; names: of both, as hints quote them."""

    paths: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    @staticmethod
    def of(store: DefinitionStore, access: Access) -> Unseen:
        """What somebody may not see; nothing for those without grants."""
        if not access.is_limited:
            return Unseen()
        paths, names, seen, parents = set[str](), set[str](), set[str](), set[str]()
        for parent in store.parents():
            if not access.may("parents.read", parent.id):
                parents |= {parent.name, parent.slug}
                continue
            for segment in store.segments(parent.id):
                if access.may("segments.read", parent.id, segment.folder):
                    seen |= {segment.path, segment.name}
                else:
                    paths.add(segment.path)
                    names.add(segment.name)
        hidden = tuple(sorted(paths - seen, key=len, reverse=True))
        return Unseen(hidden, tuple(sorted(parents)), frozenset((names - seen) | parents))

    def text(self, said: str) -> str:
        """A sentence without paths that may not be seen."""
        for name in self.parents:
            said = said.replace(f'"{name}"', SOMETHING)
        for path in self.paths:
            if path in said:
                written = re.escape(path)
                said = re.sub(rf"""(["']){written}(?:/[^"']*)?\1""", SOMETHING, said)
                said = re.sub(rf"(?<![\w/]){written}(?![\w/])", SOMETHING, said) if "/" in path else said
        return said

    def hint(self, said: str) -> str:
        """A hint; "" when it would tell a name that may not be seen."""
        told = {part for pair in re.findall(r"\"([^\"]*)\"|'([^']*)'", said) for part in pair if part}
        return "" if told & self.names or self.text(said) != said else said

    def issue(self, issue: Issue) -> Issue:
        """A problem without such names."""
        return replace(issue, message=self.text(issue.message), hint=self.hint(issue.hint))

    def issues(self, issues: Issues) -> Issues:
        """All problems without such names."""
        return Issues([self.issue(issue) for issue in issues]) if self.names else issues

    def error(self, error: UserError) -> UserError:
        """A refusal without such names; the same object."""
        if self.names:
            error.message = error.message if error.code in _AS_TYPED else self.text(error.message)
            error.hint = self.hint(error.hint)
            if isinstance(error, InvalidInput):
                error.issues = self.issues(error.issues)
        return error

    def run(self, run: RunRecord) -> RunRecord:
        """A run whose message and problem name nothing of that."""
        return replace(run, message=self.text(run.message), problem=self.document(dict(run.problem))) if self.names else run

    def document(self, value: Any) -> Any:
        """JSON with all its texts as `text` writes them; `hint` under keys of that name."""
        if not self.names:
            return value
        match value:
            case dict():
                told = {key: self.document(item) for key, item in value.items()}
                return told | {"hint": self.hint(value["hint"])} if isinstance(value.get("hint"), str) else told
            case list() | tuple():
                return [self.document(item) for item in value]
            case str():
                return self.text(value)
            case _:
                return value


def without_hidden_segments(explanation: dict[str, Any], sees: Callable[[str], bool]) -> dict[str, Any]:
    """An explanation's document: of segments that may not be seen it tells whether the profile is in them, and not why.

    sees: whether the segment (or variant) at a path may be seen.
    """
    found = {**explanation, "explanation": {key: _pruned(item, sees) for key, item in explanation["explanation"].items()}}
    if found == explanation:
        return found
    told = set(_texts(found["explanation"]))
    turns = explanation["smallest_change"]
    found["smallest_change"] = turns if turns is None else [turn if turn["text"] in told else _untold(turn) for turn in turns]
    return found


def _pruned(value: Any, sees: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_pruned(item, sees) for item in value]
    if not isinstance(value, dict):
        return value
    if "base" in value and "rule" in value and not sees(value["path"]):
        return {**value, "path": SOMETHING, "base": None, "variant": None, "rule": None}
    return {key: _pruned(item, sees) for key, item in value.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in _texts(item)]
    return []


def _untold(turn: dict[str, Any]) -> dict[str, Any]:
    return {**turn, "text": f"a condition of {SOMETHING}", "missing": None, "until": None}
