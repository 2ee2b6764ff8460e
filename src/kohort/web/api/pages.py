"""Long lists in pages: an opaque cursor leads to what comes after what was seen, also when something was added meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from kohort.foundation.errors import UserError

T = TypeVar("T")
Cursor = Annotated[str, Query(max_length=2000, description="`next` of the page before; empty for the first page.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]


def page_of(items: Sequence[T], key: Callable[[T], Any], shown: Callable[[T], Any], cursor: str, limit: int) -> dict[str, Any]:
    """A page of items that are all known. key: what they are sorted by, as JSON; no two are equal."""
    ordered = sorted(items, key=key)
    if cursor:
        after = read_cursor(cursor)
        if ordered and _shape(after) != _shape(key(ordered[0])):
            raise _broken()
        ordered = [item for item in ordered if key(item) > after]
    chosen = ordered[:limit]
    return {"items": [shown(item) for item in chosen], "next": write_cursor(key(chosen[-1])) if len(ordered) > limit else None}


def write_cursor(key: Any) -> str:
    """A cursor that stands behind the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Any:
    """The key; lists as they were. Raises UserError CURSOR_INVALID."""
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _broken() from None


def read_number(cursor: str, first: int) -> int:
    """The key of a cursor that is a number; `first` for the first page. Raises UserError CURSOR_INVALID."""
    if not cursor:
        return first
    found = read_cursor(cursor)
    if not isinstance(found, int) or isinstance(found, bool) or not -1 <= found < 2**31:
        raise _broken()
    return found


def _shape(key: Any) -> list[str]:
    """The types of a key; those of one part alone are no list of it."""
    return ["list", *(type(part).__name__ for part in key)] if isinstance(key, list) else [type(key).__name__]


def _broken() -> UserError:
    return UserError("CURSOR_INVALID", "this is not a cursor of this list", hint="send `next` of the page before, or none")
