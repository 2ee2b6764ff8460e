"""JSON text to a `Document`. Positions are known for syntax errors only."""

from __future__ import annotations

import json
from typing import Any

from kohort.documents.document import Document
from kohort.foundation.issues import Issue, Issues


def read_json(text: str, file: str = "") -> tuple[Document, Issues]:
    """Parse one JSON document. Problems of syntax are issues with code JSON_SYNTAX; the value is then None."""
    issues = Issues()
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        issues.add(Issue("JSON_SYNTAX", error.msg, file=file, line=error.lineno, column=error.colno))
        return Document(None, file), issues
    except (RecursionError, ValueError) as error:
        issues.add(Issue("JSON_SYNTAX", str(error) or "nested too deeply", file=file))
        return Document(None, file), issues
    return Document(value, file, {}), issues
