"""The OpenAPI document: what the routes say of themselves, how to sign in, what problems and definitions look like."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from kohort.web.api.answers import TITLES
from kohort.web.api.definition_shapes import with_definitions
from kohort.web.api.guard import COOKIE
from kohort.web.api.refusals import shared_refusals

DESCRIPTION = """Everything that people do with Kohort, for programs. Send an API token: `Authorization: Bearer TOKEN`.

A **parent segment** (`/parents`) is a data model over tables: one row a customer, attributes, behaviors (their events). A **refresh**
reads the tables. A **segment** is a rule over it; an **evaluation** counts all segments and keeps their members.

To make an audience: `GET /parents`, then `GET /parents/{parent}/fields` for what rules may use and `.../fields/{name}/values` for values;
try a rule with `POST /parents/{parent}/preview` and correct what its `issues` tell; save it with `POST /parents/{parent}/segments`;
`POST /parents/{parent}/evaluate`; read `.../segments/{segment}/members`. Why somebody is in it or not: `.../segments/{segment}/explain`.

A rule is text, or the same as a JSON document (`POST /parents/{parent}/rules/parse` turns each into the other):

- `country = 'US' and lifetime_value between 100 and 500`; `email is not null`; `name contains 'ann'`; `tier in ('Gold', 'Silver')`
- `purchase in last 30 days`; `purchase count >= 3 in last 90 days where amount > 20`; `purchase sum(amount) > 100`
- `(country = 'US' or country = 'CA') and not in segment 'Value/VIP'`

Definitions carry an `ETag`; a change needs it as `If-Match`, so that nobody overwrites another's edit (412, 428); `*` overwrites whatever
is there. It is looked at before the body is. Long lists come in pages: send `next` as `cursor` until it is null. A parameter that a route
does not have is refused (422 `UNKNOWN_PARAMETER`), so that a misspelt filter does not give everything. Every GET takes HEAD, too.

Problems are `application/problem+json` with a `code`, a `detail`, a `hint` that says the way out, and every issue with its `path`; routes
list the codes they answer with. Instants are ISO 8601 in UTC. `x-role` is the least role that may do it; personal data is null for those
who may not see it."""


_TAGS = {
    "Users and access": "Who may sign in, with which role, where; API tokens; the audit log.",
    "Parent segments": "The data models, their fields and values.",
    "Runs": "Refreshes and evaluations: start, follow, stop, look back.",
    "Segments": "Rules that are saved, with versions, members and history.",
    "Folders": "Where segments are; a folder is there as long as something is in it.",
    "Insights": "What becomes of a segment, how it would have been, what is odd about it, who refers to it.",
    "Rules": "Rules that need not be saved: preview, count, explain, overlap, forms.",
    "Profiles": "Customers one by one.",
    "Sources": "Who sends calls: keys, rules, status, what was not taken.",
    "Server": "Figures for Prometheus.",
    "This document": "What you read.",
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with how to sign in and what problems look like."""
    document = app.openapi()
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "token": {"type": "http", "scheme": "bearer"},
    }
    text, number = {"type": "string"}, {"type": "integer"}
    issue = {"type": "object", "required": ["code", "message"], "properties": {"code": text, "message": text, "path": text, "hint": text}}
    names = ["type", "title", "status", "code", "detail", "hint", "issues"]
    properties = dict.fromkeys(names, text) | {"status": number, "issues": {"type": "array", "items": issue}}
    example = {"type": "about:blank", "title": TITLES[404], "status": 404, "code": "SEGMENT_NOT_FOUND", "issues": []}
    example |= {"detail": 'there is no segment "VPI"', "hint": 'did you mean "VIP"?'}
    document["servers"] = [{"url": "/", "description": "This server"}]
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = {"type": "object", "required": names, "properties": properties, "example": example}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    shared_refusals(document)
    return with_definitions(document)
