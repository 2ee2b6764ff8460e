"""Sources and their write keys in the store's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from kohort.adapters.sqlalchemy.definitions import NAME_CHARACTERS, check_length
from kohort.adapters.sqlalchemy.tables import sources, write_keys
from kohort.adapters.sqlalchemy.transactions import Transactions
from kohort.foundation.errors import UserError
from kohort.ports.sources import NewSource, SourceRecord, WriteKeyRecord

_CHANGING = ("name", "status", "rate_limit", "accept_unknown_keys", "identity")
_KEY_COLUMNS = [c for c in write_keys.c if c.name in WriteKeyRecord.__dataclass_fields__]


class Sources(Transactions):
    """The part of the store that keeps who may send calls."""

    def sources(self) -> Sequence[SourceRecord]:
        """All sources by name, disabled ones too."""
        rows = self._known("sources", read=lambda connection: connection.execute(select(sources)).all())
        return sorted((SourceRecord(**row._mapping) for row in rows), key=lambda record: (record.name, record.id))

    def source(self, name: str) -> SourceRecord | None:
        """By exact name or slug (in that order)."""
        query = select(sources).where(or_(sources.c.name == name, sources.c.slug == name))
        rows = self._known("source", name, read=lambda connection: connection.execute(query).all())
        records = sorted((SourceRecord(**row._mapping) for row in rows), key=lambda record: record.name != name)
        return records[0] if records else None

    def add_source(self, source: NewSource, key_hash: str, last_four: str, *, by: str, at: datetime) -> SourceRecord:
        """A new enabled source with its first key. Raises UserError NAME_TAKEN, KEY_TAKEN, UNKNOWN_KEYS_TAKEN, NAME_TOO_LONG."""
        check_length("name", source.name, NAME_CHARACTERS)
        with self._writing() as connection:
            same = (sources.c.name == source.name) | (sources.c.slug == source.slug)
            found = connection.execute(select(sources).where(same)).first()
            if found is not None:
                hint = "choose another name: every source has a schema of its own"
                raise UserError("NAME_TAKEN", f'there is already a source "{found.name}" with the schema {found.slug}', hint=hint)
            if source.accept_unknown_keys:
                _require_no_other_taker(connection, None)
            values: dict[str, Any] = {name: getattr(source, name) for name in NewSource.__dataclass_fields__}
            values |= {"status": "enabled", "created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
            source_id = connection.execute(insert(sources).values(**values).returning(sources.c.id)).scalar_one()
            _add_key(connection, source_id, key_hash, last_four, by, at)
            return SourceRecord(**_source(connection, source_id)._mapping)

    def update_source(self, source: SourceRecord, *, by: str, at: datetime) -> SourceRecord:
        """Keep its name, status, rate limit, accept_unknown_keys and identity.

        Raises UserError SOURCE_NOT_FOUND, NAME_TAKEN, NAME_TOO_LONG, UNKNOWN_KEYS_TAKEN.
        """
        check_length("name", source.name, NAME_CHARACTERS)
        with self._writing() as connection:
            row = _source(connection, source.id)
            values: dict[str, Any] = {name: getattr(source, name) for name in _CHANGING}
            if all(getattr(row, name) == value for name, value in values.items()):
                return SourceRecord(**row._mapping)
            if source.accept_unknown_keys:
                _require_no_other_taker(connection, source.id)
            found = connection.execute(select(sources).where((sources.c.name == source.name) & (sources.c.id != source.id))).first()
            if found is not None:
                raise UserError("NAME_TAKEN", f'there is already a source "{found.name}"', hint="choose another name")
            values |= {"updated_at": at, "updated_by": by}
            connection.execute(update(sources).where(sources.c.id == source.id).values(**values))
            return SourceRecord(**_source(connection, source.id)._mapping)

    def remove_source(self, source_id: int) -> None:
        """Forget a source and its keys. Raises UserError SOURCE_NOT_FOUND."""
        with self._writing() as connection:
            _source(connection, source_id)
            connection.execute(delete(write_keys).where(write_keys.c.source_id == source_id))
            connection.execute(delete(sources).where(sources.c.id == source_id))

    def rotate_key(
        self, source_id: int, key_hash: str, last_four: str, *, by: str, at: datetime, old_until: datetime | None = None
    ) -> WriteKeyRecord:
        """A new key; every other key of the source expires at `old_until` (default: `at`), or earlier if that was so before.

        Raises UserError SOURCE_NOT_FOUND, KEY_TAKEN.
        """
        until = max(at, old_until or at)
        with self._writing() as connection:
            _source(connection, source_id)
            later = (write_keys.c.source_id == source_id) & or_(write_keys.c.expires_at.is_(None), write_keys.c.expires_at > until)
            connection.execute(update(write_keys).where(later).values(expires_at=until))
            _add_key(connection, source_id, key_hash, last_four, by, at)
            row = connection.execute(select(*_KEY_COLUMNS).where(write_keys.c.key_hash == key_hash)).one()
            return WriteKeyRecord(**row._mapping)

    def end_key(self, source_id: int, key_hash: str, *, at: datetime) -> WriteKeyRecord:
        """Refuse one key from an instant on, or from earlier if that was so before. Raises UserError KEY_NOT_FOUND."""
        one = (write_keys.c.source_id == source_id) & (write_keys.c.key_hash == key_hash)
        later = or_(write_keys.c.expires_at.is_(None), write_keys.c.expires_at > at)
        with self._writing() as connection:
            connection.execute(update(write_keys).where(one & later).values(expires_at=at))
            row = connection.execute(select(*_KEY_COLUMNS).where(one)).one_or_none()
            if row is None:
                raise UserError("KEY_NOT_FOUND", "the source has no such key", hint="list its keys first")
            return WriteKeyRecord(**row._mapping)

    def write_keys(self, source_id: int | None = None) -> Sequence[WriteKeyRecord]:
        """The keys of a source (or of all), newest first, expired ones too."""
        query = select(*_KEY_COLUMNS).order_by(write_keys.c.id.desc())
        if source_id is not None:
            query = query.where(write_keys.c.source_id == source_id)
        rows = self._known("keys", source_id, read=lambda connection: connection.execute(query).all())
        return [WriteKeyRecord(**row._mapping) for row in rows]

    def source_of_key(self, key_hash: str, at: datetime) -> SourceRecord | None:
        """Whose key this is at an instant; None for keys that are unknown or have expired."""
        joined = sources.join(write_keys, write_keys.c.source_id == sources.c.id)
        valid = or_(write_keys.c.expires_at.is_(None), write_keys.c.expires_at > at)
        query = select(sources).select_from(joined).where((write_keys.c.key_hash == key_hash) & valid)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return SourceRecord(**row._mapping) if row else None


def _source(connection: Connection, source_id: int) -> Row[Any]:
    row = connection.execute(select(sources).where(sources.c.id == source_id)).one_or_none()
    if row is None:
        raise UserError("SOURCE_NOT_FOUND", f"there is no source with id {source_id}", hint="list them with: kohort source list")
    return row


def _add_key(connection: Connection, source_id: int, key_hash: str, last_four: str, by: str, at: datetime) -> None:
    joined = sources.join(write_keys, write_keys.c.source_id == sources.c.id)
    owner = connection.execute(select(sources.c.name).select_from(joined).where(write_keys.c.key_hash == key_hash)).scalar_one_or_none()
    if owner is not None:
        raise UserError("KEY_TAKEN", f'the key ...{last_four} is or was a key of the source "{owner}"', hint="every key is used once")
    values = {"source_id": source_id, "key_hash": key_hash, "last_four": last_four, "created_at": at, "created_by": by}
    connection.execute(insert(write_keys).values(**values))


def _require_no_other_taker(connection: Connection, source_id: int | None) -> None:
    query = select(sources.c.name).where(sources.c.accept_unknown_keys & (sources.c.id != (source_id or 0)))
    taker = connection.execute(query).scalar_one_or_none()
    if taker is not None:
        raise UserError(
            "UNKNOWN_KEYS_TAKEN",
            f'calls with unknown keys go to the source "{taker}"; they can go to one source only',
            hint=f'take it from that source first: kohort source set "{taker}" --refuse-unknown-keys',
        )
