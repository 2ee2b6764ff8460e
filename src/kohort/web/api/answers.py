"""JSON answers and problems (RFC 9457): codes, paths and hints as everywhere else, never a traceback."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from fastapi.responses import JSONResponse

from kohort.foundation.errors import InvalidInput, UserError
from kohort.services.issue_document import issue_document
from kohort.services.users import LockedOut

PROBLEM = "application/problem+json"
STATUSES: Mapping[str, int] = {
    "SIGN_IN_FIRST": 401,
    "WRONG_PASSWORD": 401,
    "LINK_INVALID": 401,
    "FORBIDDEN": 403,
    "CROSS_SITE": 403,
    "PROFILE_NOT_FOUND": 404,
    "UNKNOWN_FIELD": 404,
    "NAME_TAKEN": 409,
    "KEY_TAKEN": 409,
    "SCHEMA_TAKEN": 409,
    "SOURCE_EMPTY": 409,
    "SOURCE_ENABLED": 409,
    "SOURCE_HAS_CALLS": 409,
    "SOURCE_IN_USE": 409,
    "TABLE_IN_USE": 409,
    "UNKNOWN_KEYS_TAKEN": 409,
    "LAST_ADMIN": 409,
    "NOT_REFRESHED": 409,
    "NOT_EVALUATED": 409,
    "REFRESH_RUNNING": 409,
    "RUN_CANCELED": 409,
    "RUN_NOT_RUNNING": 409,
    "SEGMENT_MOVES": 409,
    "SEGMENT_REFERENCED": 409,
    "SLUG_CHANGES": 409,
    "CHANGED_MEANWHILE": 412,
    "REQUEST_TOO_LARGE": 413,
    "MEDIA_TYPE_UNSUPPORTED": 415,
    "REVISION_MISSING": 428,
    "LOCKED_OUT": 429,
    "WAREHOUSE_BUSY": 503,
    "WAREHOUSE_LOCKED": 503,
    "STORE_LOCKED": 503,
    "TOO_MANY_STREAMS": 503,
    "DISK_FULL": 507,
}
"""Of codes that are neither `..._NOT_FOUND` (404) nor something else to correct (422)."""

TITLES = {
    400: "The request cannot be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible as things are",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Not JSON",
    422: "Something to correct",
    428: "Say which revision you read",
    429: "Wait a while",
    500: "A mistake in Kohort",
    503: "Busy, try again",
    507: "No space left",
}


class Json(JSONResponse):
    """JSON whatever the values: instants in ISO 8601 UTC, no NaN, no broken characters."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(plain(content), allow_nan=False, separators=(",", ":")).encode("ascii")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted(plain(item) for item in value)
        case datetime():
            aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            return aware.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else plain(float(value))
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case _:
            return str(value)


def status_of(error: UserError) -> int:
    """The HTTP status that a problem is answered with."""
    if error.code in STATUSES:
        return STATUSES[error.code]
    return 404 if error.code.endswith("_NOT_FOUND") and not isinstance(error, InvalidInput) else 422


def problem_of(error: UserError) -> Json:
    """The answer to a problem, with every issue there is."""
    status = 422 if isinstance(error, InvalidInput) else status_of(error)
    issues = [issue_document(issue) for issue in error.issues] if isinstance(error, InvalidInput) else []
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, LockedOut):
        headers["Retry-After"] = str(error.wait_seconds)
    elif status == 503:
        headers["Retry-After"] = "2"
    return problem(status, error.code, error.message, error.hint, issues, headers)


def problem(
    status: int,
    code: str,
    detail: str,
    hint: str = "",
    issues: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Json:
    """A problem in words."""
    content = {
        "type": "about:blank",
        "title": TITLES.get(status, "A problem"),
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        "issues": issues or [],
    }
    kept = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Json(content, status_code=status, media_type=PROBLEM, headers={**kept, **(headers or {})})
