"""Answers about users, access and the audit log."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from kohort.services.tokens import TokenState
from kohort.web.api.shapes.common import Role, Way, Written


class SignedIn(TypedDict):
    """Who signed in; the session is a cookie."""

    name: str
    role: Role
    expires_at: datetime


class SignedOut(TypedDict):
    signed_out: bool


class Done(TypedDict):
    changed: bool


class GrantTo(TypedDict):
    """What a user may in one parent segment, or in a folder of it."""

    parent: str
    folder: str
    role: Role


class User(Written):
    """A user. revision: of role, state and grants."""

    id: int
    name: str
    role: Role
    disabled: bool
    has_password: bool
    grants: list[GrantTo]
    revision: str


class Me(User):
    """Who one is. actions: what one may do at all."""

    way: Way
    actions: list[str]


class UserPage(TypedDict):
    items: list[User]
    next: str | None


class Token(TypedDict):
    """An API token; of the token itself only the last four characters. made_with: the id of the token with which it was made.

    state: disabled: its user is.
    """

    id: int
    user: str
    name: str
    last_four: str
    role: Role
    state: TokenState
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    made_with: int | None


class RevokedToken(Token):
    """A token that is refused from now on. revoked_with_it: ids of those that were made with it and ended, too."""

    revoked_with_it: list[int]


class NewToken(Token):
    """A new token, shown this once."""

    token: str


class TokenPage(TypedDict):
    items: list[Token]
    next: str | None


class AuditEntry(TypedDict):
    """Something that was done. who "": nobody was recognised; before, after: revisions of the object.

    token_id: of the API token with which it was done.
    """

    id: int
    at: datetime
    who: str
    way: Way
    action: str
    kind: str
    object: str
    before: str
    after: str
    address: str
    detail: str
    token_id: int | None


class AuditPage(TypedDict):
    items: list[AuditEntry]
    next: str | None
