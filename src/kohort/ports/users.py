"""Users: who may do what, how they prove who they are, and what was done. Part of the definition store.

Secrets never come here: passwords as argon2 hashes, sessions, API tokens and set-up links as SHA-256 in hexadecimal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Role = Literal["viewer", "marketer", "engineer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "marketer", "engineer", "admin")
"""From the one who may least to the one who may all; each may what those before it may."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Somebody who may sign in. password_hash "": no password was set, nobody can sign in with one."""

    id: int
    name: str
    role: Role
    disabled: bool
    password_hash: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A person who signed in, in one browser."""

    user_id: int
    created_at: datetime
    expires_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An API token without the token. role: what it may at most; last_four: so that people can tell tokens apart.

    made_with: the id of the token with which it was made; None: a person made it.
    """

    id: int
    user_id: int
    name: str
    last_four: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    made_with: int | None

    def valid_at(self, instant: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or instant < self.expires_at)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user may in one parent segment, or in one folder of it and below. folder "": in all of it."""

    parent_id: int
    folder: str
    role: Role


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Failed attempts of one account or from one address, since the last good one."""

    key: str
    failures: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was done. who "": nobody was recognised; way: how the person was known.

    before, after: fingerprints of the object, "" = there was none; token_id: the token with which it was done.
    """

    at: datetime
    who: str
    way: Literal["session", "token", "cli", "link"]
    action: str
    kind: str
    object: str
    before: str = ""
    after: str = ""
    address: str = ""
    detail: str = ""
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A kept entry; ids grow with time."""

    id: int
    entry: AuditEntry


class UserStore(Protocol):
    """Keeps users, their grants, sessions, tokens, failed attempts, and the audit log."""

    def users(self) -> Sequence[UserRecord]:
        """All users by name, disabled ones too."""
        ...

    def user(self, name: str) -> UserRecord | None:
        """By name; capital letters do not matter."""
        ...

    def add_user(self, name: str, role: Role, password_hash: str, *, by: str, at: datetime) -> UserRecord:
        """A new user. Raises UserError NAME_TAKEN, NAME_TOO_LONG."""
        ...

    def update_user(self, user: UserRecord, *, by: str, at: datetime) -> UserRecord:
        """Keep its role, whether it is disabled, and its password hash. Raises UserError USER_NOT_FOUND, LAST_ADMIN."""
        ...

    def grants(self, user_id: int) -> Sequence[Grant]:
        """By parent segment and folder; none: the user's role holds everywhere."""
        ...

    def set_grants(self, user_id: int, grants: Sequence[Grant]) -> None:
        """Replace the grants of a user. Raises UserError USER_NOT_FOUND, PARENT_NOT_FOUND."""
        ...

    def add_session(self, token_hash: str, user_id: int, *, at: datetime, expires_at: datetime, address: str) -> SessionRecord:
        """Somebody signed in. Sessions that have expired are forgotten. Raises UserError USER_NOT_FOUND."""
        ...

    def session(self, token_hash: str, at: datetime) -> tuple[SessionRecord, UserRecord] | None:
        """Whose session this is at an instant; None when it is unknown, has expired, or the user is disabled."""
        ...

    def end_sessions(self, *, token_hash: str = "", user_id: int = 0) -> int:
        """Forget one session, or all of a user; how many."""
        ...

    def add_token(
        self,
        token_hash: str,
        last_four: str,
        user_id: int,
        name: str,
        role: Role,
        *,
        by: str,
        at: datetime,
        expires_at: datetime | None,
        made_with: int | None = None,
    ) -> TokenRecord:
        """A new API token. made_with: the id of another one. Raises UserError USER_NOT_FOUND."""
        ...

    def tokens(self, user_id: int | None = None) -> Sequence[TokenRecord]:
        """Those of a user (or of all), newest first, expired and revoked ones too."""
        ...

    def token(self, token_hash: str, at: datetime) -> tuple[TokenRecord, UserRecord] | None:
        """Whose token this is at an instant; None when it is unknown or not valid, or the user is disabled."""
        ...

    def revoke_token(self, token_id: int, at: datetime) -> TokenRecord:
        """It is refused from this instant on. Raises UserError TOKEN_NOT_FOUND."""
        ...

    def failures(self, key: str) -> FailureRecord | None:
        """Failed attempts of an account or address; None when there are none."""
        ...

    def add_failure(self, key: str, at: datetime) -> FailureRecord:
        """One more."""
        ...

    def clear_failures(self, key: str) -> None:
        """It was the right password."""
        ...

    def add_setup_link(self, token_hash: str, *, at: datetime, expires_at: datetime) -> None:
        """A link that may be used once, until it expires; links made before it are forgotten."""
        ...

    def has_setup_link(self, token_hash: str, at: datetime) -> bool:
        """Whether it can still be used."""
        ...

    def use_setup_link(self, token_hash: str, at: datetime) -> bool:
        """Forget the link; whether it could be used."""
        ...

    def add_audit(self, entry: AuditEntry) -> AuditRecord:
        """Keep what was done, for good."""
        ...

    def audit(
        self,
        *,
        limit: int,
        before_id: int | None = None,
        who: str = "",
        kind: str = "",
        object: str = "",
        actions: Collection[str] = (),
    ) -> Sequence[AuditRecord]:
        """Newest first; before_id: only older ones; actions: only these, none = all."""
        ...
