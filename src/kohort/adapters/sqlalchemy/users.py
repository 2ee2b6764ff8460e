"""Users with their grants, sessions, tokens and failed attempts, and the audit log in the store's tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from kohort.adapters.sqlalchemy.definitions import NAME_CHARACTERS, check_length
from kohort.adapters.sqlalchemy.tables import (
    api_tokens,
    audit_log,
    failed_attempts,
    grants,
    parent_segments,
    sessions,
    setup_links,
    users,
)
from kohort.adapters.sqlalchemy.transactions import Transactions
from kohort.foundation.errors import UserError
from kohort.ports.users import AuditEntry, AuditRecord, FailureRecord, Grant, Role, SessionRecord, TokenRecord, UserRecord

_USER_COLUMNS = [users.c[field.name] for field in fields(UserRecord)]
_SESSION_COLUMNS = [sessions.c[field.name] for field in fields(SessionRecord)]
_TOKEN_COLUMNS = [api_tokens.c[field.name] for field in fields(TokenRecord)]
_ENTRY_COLUMNS = [audit_log.c[field.name] for field in fields(AuditEntry)]


class Users(Transactions):
    """The part of the store that keeps who may do what, and what was done."""

    # --- users and grants ---------------------------------------------------------------------------------------

    def users(self) -> Sequence[UserRecord]:
        """All users by name, disabled ones too."""
        with self._reading() as connection:
            rows = connection.execute(select(*_USER_COLUMNS)).all()
        return sorted((UserRecord(**row._mapping) for row in rows), key=lambda record: (record.name, record.id))

    def user(self, name: str) -> UserRecord | None:
        """By name; capital letters do not matter."""
        with self._reading() as connection:
            row = connection.execute(select(*_USER_COLUMNS).where(users.c.name_key == name.casefold())).one_or_none()
        return UserRecord(**row._mapping) if row else None

    def add_user(self, name: str, role: Role, password_hash: str, *, by: str, at: datetime) -> UserRecord:
        """A new user. Raises UserError NAME_TAKEN, NAME_TOO_LONG."""
        check_length("name", name, NAME_CHARACTERS)
        with self._writing() as connection:
            if connection.execute(select(users.c.id).where(users.c.name_key == name.casefold())).one_or_none():
                raise UserError("NAME_TAKEN", f'there is already a user "{name}"', hint="choose another name")
            values = {"name": name, "name_key": name.casefold(), "role": role, "disabled": False, "password_hash": password_hash}
            values |= {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
            user_id = connection.execute(insert(users).values(**values).returning(users.c.id)).scalar_one()
            return _user(connection, user_id)

    def update_user(self, user: UserRecord, *, by: str, at: datetime) -> UserRecord:
        """Keep its role, whether it is disabled, and its password hash. Raises UserError USER_NOT_FOUND, LAST_ADMIN."""
        with self._writing() as connection:
            stored = _user(connection, user.id)
            values: dict[str, Any] = {name: getattr(user, name) for name in ("role", "disabled", "password_hash")}
            if all(getattr(stored, name) == value for name, value in values.items()):
                return stored
            if _is_admin(stored) and not _is_admin(user):
                _require_another_admin(connection, stored)
            connection.execute(update(users).where(users.c.id == user.id).values(**values, updated_at=at, updated_by=by))
            return _user(connection, user.id)

    def grants(self, user_id: int) -> Sequence[Grant]:
        """By parent segment and folder; none: the user's role holds everywhere."""
        query = select(grants.c.parent_id, grants.c.folder, grants.c.role).where(grants.c.user_id == user_id)
        rows = self._known("grants", user_id, read=lambda connection: connection.execute(query).all())
        return sorted((Grant(**row._mapping) for row in rows), key=lambda grant: (grant.parent_id, grant.folder))

    def set_grants(self, user_id: int, wanted: Sequence[Grant]) -> None:
        """Replace the grants of a user. Raises UserError USER_NOT_FOUND, PARENT_NOT_FOUND."""
        with self._writing() as connection:
            _user(connection, user_id)
            for parent_id in {grant.parent_id for grant in wanted}:
                if connection.execute(select(parent_segments.c.id).where(parent_segments.c.id == parent_id)).one_or_none() is None:
                    hint = "list them with: kohort ps list"
                    raise UserError("PARENT_NOT_FOUND", f"there is no parent segment with id {parent_id}", hint=hint)
            connection.execute(delete(grants).where(grants.c.user_id == user_id))
            rows = {(grant.parent_id, grant.folder): {"user_id": user_id, **asdict(grant)} for grant in wanted}
            if rows:
                connection.execute(insert(grants), list(rows.values()))

    # --- sessions and tokens ------------------------------------------------------------------------------------

    def add_session(self, token_hash: str, user_id: int, *, at: datetime, expires_at: datetime, address: str) -> SessionRecord:
        """Somebody signed in. Sessions that have expired are forgotten. Raises UserError USER_NOT_FOUND."""
        with self._writing() as connection:
            _user(connection, user_id)
            connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
            values = {"user_id": user_id, "created_at": at, "expires_at": expires_at, "address": address}
            connection.execute(insert(sessions).values(token_hash=token_hash, **values))
            row = connection.execute(select(*_SESSION_COLUMNS).where(sessions.c.token_hash == token_hash)).one()
            return SessionRecord(**row._mapping)

    def session(self, token_hash: str, at: datetime) -> tuple[SessionRecord, UserRecord] | None:
        """Whose session this is at an instant; None when it is unknown, has expired, or the user is disabled."""

        def read(connection: Connection) -> tuple[SessionRecord, UserRecord] | None:
            row = connection.execute(select(*_SESSION_COLUMNS).where(sessions.c.token_hash == token_hash)).one_or_none()
            return (SessionRecord(**row._mapping), _user(connection, row.user_id)) if row else None

        found = self._known("session", token_hash, read=read)
        return found if found and found[0].expires_at > at and not found[1].disabled else None

    def end_sessions(self, *, token_hash: str = "", user_id: int = 0) -> int:
        """Forget one session, or all of a user; how many."""
        with self._writing() as connection:
            found = (sessions.c.token_hash == token_hash) | (sessions.c.user_id == user_id)
            return int(connection.execute(delete(sessions).where(found)).rowcount)

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
        """A new API token. made_with: the id of another one. Raises UserError USER_NOT_FOUND, NAME_TOO_LONG."""
        check_length("name", name, NAME_CHARACTERS)
        with self._writing() as connection:
            _user(connection, user_id)
            values = {"user_id": user_id, "name": name, "token_hash": token_hash, "last_four": last_four, "role": role}
            values |= {"created_at": at, "created_by": by, "expires_at": expires_at, "made_with": made_with}
            token_id = connection.execute(insert(api_tokens).values(**values).returning(api_tokens.c.id)).scalar_one()
            return _token(connection, token_id)

    def tokens(self, user_id: int | None = None) -> Sequence[TokenRecord]:
        """Those of a user (or of all), newest first, expired and revoked ones too."""
        query = select(*_TOKEN_COLUMNS).order_by(api_tokens.c.id.desc())
        if user_id is not None:
            query = query.where(api_tokens.c.user_id == user_id)
        with self._reading() as connection:
            return [TokenRecord(**row._mapping) for row in connection.execute(query)]

    def token(self, token_hash: str, at: datetime) -> tuple[TokenRecord, UserRecord] | None:
        """Whose token this is at an instant; None when it is unknown or not valid, or the user is disabled."""

        def read(connection: Connection) -> tuple[TokenRecord, UserRecord] | None:
            row = connection.execute(select(*_TOKEN_COLUMNS).where(api_tokens.c.token_hash == token_hash)).one_or_none()
            return (TokenRecord(**row._mapping), _user(connection, row.user_id)) if row else None

        found = self._known("token", token_hash, read=read)
        return found if found and found[0].valid_at(at) and not found[1].disabled else None

    def revoke_token(self, token_id: int, at: datetime) -> TokenRecord:
        """It is refused from this instant on. Raises UserError TOKEN_NOT_FOUND."""
        with self._writing() as connection:
            token = _token(connection, token_id)
            if token.revoked_at is None:
                connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(revoked_at=at))
            return _token(connection, token_id)

    # --- failed attempts and set-up links -----------------------------------------------------------------------

    def failures(self, key: str) -> FailureRecord | None:
        """Failed attempts of an account or address; None when there are none."""
        with self._reading() as connection:
            row = connection.execute(select(failed_attempts).where(failed_attempts.c.key == key)).one_or_none()
        return FailureRecord(**row._mapping) if row else None

    def add_failure(self, key: str, at: datetime) -> FailureRecord:
        """One more."""
        with self._writing() as connection:
            same = failed_attempts.c.key == key
            if not connection.execute(
                update(failed_attempts).where(same).values(failures=failed_attempts.c.failures + 1, last_at=at)
            ).rowcount:
                connection.execute(insert(failed_attempts).values(key=key, failures=1, last_at=at))
            return FailureRecord(**connection.execute(select(failed_attempts).where(same)).one()._mapping)

    def clear_failures(self, key: str) -> None:
        """It was the right password."""
        with self._writing() as connection:
            connection.execute(delete(failed_attempts).where(failed_attempts.c.key == key))

    def add_setup_link(self, token_hash: str, *, at: datetime, expires_at: datetime) -> None:
        """A link that may be used once, until it expires; links made before it are forgotten."""
        with self._writing() as connection:
            connection.execute(delete(setup_links))
            connection.execute(insert(setup_links).values(token_hash=token_hash, created_at=at, expires_at=expires_at))

    def has_setup_link(self, token_hash: str, at: datetime) -> bool:
        """Whether it can still be used."""
        query = select(setup_links.c.token_hash).where((setup_links.c.token_hash == token_hash) & (setup_links.c.expires_at > at))
        with self._reading() as connection:
            return connection.execute(query).one_or_none() is not None

    def use_setup_link(self, token_hash: str, at: datetime) -> bool:
        """Forget the link; whether it could be used."""
        with self._writing() as connection:
            usable = self.has_setup_link(token_hash, at)
            connection.execute(delete(setup_links).where(setup_links.c.token_hash == token_hash))
            return usable

    # --- the audit log ------------------------------------------------------------------------------------------

    def add_audit(self, entry: AuditEntry) -> AuditRecord:
        """Keep what was done, for good."""
        with self._writing() as connection:
            values = {name: value[:2000] if isinstance(value, str) else value for name, value in asdict(entry).items()}
            audit_id = connection.execute(insert(audit_log).values(**values).returning(audit_log.c.id)).scalar_one()
        return AuditRecord(audit_id, entry)

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
        query = select(audit_log.c.id, *_ENTRY_COLUMNS).order_by(audit_log.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(audit_log.c.id < before_id)
        for column, wanted in ((audit_log.c.who, who), (audit_log.c.kind, kind), (audit_log.c.object, object)):
            if wanted:
                query = query.where(column == wanted)
        if actions:
            query = query.where(audit_log.c.action.in_(sorted(actions)))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [AuditRecord(row.id, AuditEntry(**{c.name: row._mapping[c] for c in _ENTRY_COLUMNS})) for row in rows]


def _user(connection: Connection, user_id: int) -> UserRecord:
    row: Row[Any] | None = connection.execute(select(*_USER_COLUMNS).where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise UserError("USER_NOT_FOUND", f"there is no user with id {user_id}", hint="list them with: kohort user list")
    return UserRecord(**row._mapping)


def _token(connection: Connection, token_id: int) -> TokenRecord:
    row = connection.execute(select(*_TOKEN_COLUMNS).where(api_tokens.c.id == token_id)).one_or_none()
    if row is None:
        raise UserError("TOKEN_NOT_FOUND", f"there is no token with id {token_id}", hint="list them with: kohort token list")
    return TokenRecord(**row._mapping)


def _is_admin(user: UserRecord) -> bool:
    return user.role == "admin" and not user.disabled


def _require_another_admin(connection: Connection, user: UserRecord) -> None:
    others = (users.c.role == "admin") & ~users.c.disabled & (users.c.id != user.id)
    if not connection.execute(select(func.count()).select_from(users).where(others)).scalar_one():
        hint = "make another user an admin first"
        raise UserError("LAST_ADMIN", f'"{user.name}" is the only admin who can sign in', hint=hint)
