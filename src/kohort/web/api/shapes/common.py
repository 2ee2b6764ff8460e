"""What several answers hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from kohort.web.api.definition_shapes import of_shape

Role = Literal["viewer", "marketer", "engineer", "admin"]
Way = Literal["session", "token", "cli", "link", ""]
SegmentDefinition = Annotated[dict[str, Any], WithJsonSchema(of_shape("SegmentDefinition"))]
ParentDefinition = Annotated[dict[str, Any], WithJsonSchema(of_shape("ParentSegmentDefinition"))]
Definition = dict[str, Any]


class Issue(TypedDict):
    """One problem of what was sent: where it is, what is wrong, the way out."""

    code: str
    severity: Literal["error", "warning"]
    path: str
    message: str
    hint: str
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]


class Problem(TypedDict):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    issues: list[Issue]


class Written(TypedDict):
    """Who made something and who changed it last."""

    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
