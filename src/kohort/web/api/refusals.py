"""Which problems a route may answer: their statuses, and the codes that programs can tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kohort.web.api.answers import PROBLEM, STATUSES

SAID: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "Nobody has signed in, or what was sent is not valid any more",
    403: "The role, or the place, does not allow it",
    404: "There is no such thing, or none that you may see",
    409: "It is not possible as things are",
    412: "Somebody changed it since you read it",
    413: "The request is too large",
    415: "The body is no JSON, or does not say that it is",
    422: "Something is to be corrected; every issue is listed",
    428: "If-Match is missing",
    429: "Too many failed attempts",
    503: "The warehouse is busy or lent to a command; try again",
    507: "The disk is full",
}
_ALWAYS: Mapping[int, tuple[str, ...]] = {
    400: ("JSON_SYNTAX", "REQUEST_UNREADABLE"),
    401: ("SIGN_IN_FIRST",),
    403: ("FORBIDDEN", "CROSS_SITE"),
    412: ("CHANGED_MEANWHILE",),
    413: ("REQUEST_TOO_LARGE",),
    415: ("MEDIA_TYPE_UNSUPPORTED",),
    422: ("REQUEST_INVALID", "UNKNOWN_PARAMETER"),
    428: ("REVISION_MISSING",),
    429: ("LOCKED_OUT",),
    503: ("WAREHOUSE_BUSY", "WAREHOUSE_LOCKED", "STORE_LOCKED"),
    507: ("DISK_FULL",),
}
_OF_PLACES: Mapping[str, str] = {
    "parent": "PARENT_NOT_FOUND",
    "segment": "SEGMENT_NOT_FOUND",
    "source": "SOURCE_NOT_FOUND",
    "user": "USER_NOT_FOUND",
    "token": "TOKEN_NOT_FOUND",
    "run": "RUN_NOT_FOUND",
    "number": "REFRESH_NOT_FOUND",
    "key": "PROFILE_NOT_FOUND",
    "name": "UNKNOWN_FIELD",
}
"""Of names in the path: what is told when there is no such thing."""

Problems = Iterable[int | str]


def codes_of(path: str, usual: Iterable[int], problems: Problems) -> dict[int, tuple[str, ...]]:
    """Status -> codes of a route. usual: statuses of every such route; problems: further ones, as status or as code."""
    found: dict[int, list[str]] = {number: list(_ALWAYS.get(number, ())) for number in usual}
    for name in re.findall(r"\{(\w+)\}", path):
        found.setdefault(404, []).append(_OF_PLACES[name])
    for problem in problems:
        number = problem if isinstance(problem, int) else status_of_code(problem)
        is_own = number == 401 and isinstance(problem, str)
        codes = found.setdefault(number, [] if is_own else list(_ALWAYS.get(number, ())))
        if isinstance(problem, str) and problem not in codes:
            codes.append(problem)
    return {number: tuple(found[number]) for number in sorted(found)}


def status_of_code(code: str) -> int:
    """The HTTP status of a code that is no issue of what was sent."""
    return STATUSES.get(code) or (404 if code.endswith("_NOT_FOUND") else 422)


def refusal(number: int, codes: tuple[str, ...]) -> dict[str, Any]:
    """A response of the OpenAPI document."""
    listed = f": {', '.join(f'`{code}`' for code in codes)}" if codes else ""
    more = "; issues carry codes of their own" if number == 422 else ""
    return {
        "description": f"{SAID[number]}{listed}{more}",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def shared_refusals(document: dict[str, Any]) -> None:
    """Writes refusals that are the same everywhere once, and has routes refer to them."""
    shared = {str(number): refusal(number, codes) for number, codes in _ALWAYS.items()}
    for methods in document["paths"].values():
        for operation in methods.values():
            for number, response in operation["responses"].items():
                if response == shared.get(number):
                    operation["responses"][number] = {"$ref": f"#/components/responses/Problem{number}"}
    document["components"]["responses"] = {f"Problem{number}": response for number, response in shared.items()}
