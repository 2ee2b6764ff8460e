"""A problem in what was written as a document, for programs and pages."""

from __future__ import annotations

from typing import Any

from kohort.foundation.issues import Issue, path_text


def issue_document(issue: Issue) -> dict[str, Any]:
    """An issue with its path as people write it; file, line and column only where they are known."""
    place = {"file": issue.file, "line": issue.line, "column": issue.column}
    known = {name: value for name, value in place.items() if value}
    facts = {"code": issue.code, "severity": issue.severity, "path": path_text(issue.path), "message": issue.message, "hint": issue.hint}
    return {**facts, **known}
