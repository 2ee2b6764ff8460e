"""Parent segments, segments and versions in the store's tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, func, insert, or_, select, update

from kohort.adapters.sqlalchemy.tables import parent_segments, refreshes, segment_versions, segments
from kohort.adapters.sqlalchemy.transactions import Transactions
from kohort.foundation.errors import UserError
from kohort.foundation.fingerprints import canonical_json
from kohort.ports.definitions import Json, ParentRecord, SegmentRecord, SegmentVersion

NAME_CHARACTERS = 200
FOLDER_CHARACTERS = 400

_PARENT_COLUMNS = [c for c in parent_segments.c if c.name in ParentRecord.__dataclass_fields__]
_SEGMENT_COLUMNS = [c for c in segments.c if c.name in SegmentRecord.__dataclass_fields__]


class Definitions(Transactions):
    """The half of the store that keeps what people wrote."""

    def parents(self) -> Sequence[ParentRecord]:
        """All parent segments by name."""
        rows = self._known("parents", read=lambda connection: connection.execute(select(*_PARENT_COLUMNS)).all())
        return sorted((ParentRecord(**row._mapping) for row in rows), key=lambda record: (record.name, record.id))

    def parent(self, name: str) -> ParentRecord | None:
        """By exact name, slug or id as text (in that order)."""
        matches = [parent_segments.c.name == name, parent_segments.c.slug == name]
        if name.isascii() and name.isdigit() and len(name) <= 9:
            matches.append(parent_segments.c.id == int(name))
        query = select(*_PARENT_COLUMNS).where(or_(*matches)).order_by(parent_segments.c.id)
        rows = self._known("parent", name, read=lambda connection: connection.execute(query).all())
        records = [ParentRecord(**row._mapping) for row in rows]
        ranked = sorted(records, key=lambda record: (record.name != name, record.slug != name))
        return ranked[0] if ranked else None

    def save_parent(self, name: str, slug: str, document: Json, *, by: str, at: datetime) -> ParentRecord:
        """Create, or update when the slug is known and the document differs (version + 1). Unchanged: returned as it is."""
        check_length("name", name, NAME_CHARACTERS)
        with self._writing() as connection:
            row = connection.execute(select(*_PARENT_COLUMNS).where(parent_segments.c.slug == slug)).one_or_none()
            values: dict[str, Any] = {"name": name, "document": document, "updated_at": at, "updated_by": by}
            if row is None:
                values |= {"slug": slug, "version": 1, "created_at": at, "created_by": by}
                connection.execute(insert(parent_segments).values(**values))
            elif row.name != name or not _same(row.document, document):
                values["version"] = row.version + 1
                connection.execute(update(parent_segments).where(parent_segments.c.id == row.id).values(**values))
            return ParentRecord(**connection.execute(select(*_PARENT_COLUMNS).where(parent_segments.c.slug == slug)).one()._mapping)

    def segments(self, parent_id: int) -> Sequence[SegmentRecord]:
        """All segments of a parent by (folder, name)."""

        def read(connection: Connection) -> tuple[SegmentRecord, ...]:
            rows = connection.execute(select(*_SEGMENT_COLUMNS).where(segments.c.parent_id == parent_id)).all()
            return tuple(sorted((SegmentRecord(**row._mapping) for row in rows), key=lambda record: (record.folder, record.name)))

        return list(self._known("segments", parent_id, read=read))

    def definitions_mark(self, parent_id: int) -> str:
        """A text that is another one after anything about a parent segment, its segments or its last good refresh changed."""
        return self._known("definitions", parent_id, read=lambda connection: _definitions_mark(connection, parent_id))

    def save_segment(
        self, parent_id: int, folder: str, name: str, kind: str, document: Json, fingerprint: str, *, by: str, at: datetime, note: str = ""
    ) -> SegmentRecord:
        """Create or update by (folder, name); a new fingerprint adds a version. Raises UserError PARENT_NOT_FOUND, NAME_TOO_LONG."""
        _check_place(folder, name)
        with self._writing() as connection:
            _require_parent(connection, parent_id)
            place = (segments.c.parent_id == parent_id) & (segments.c.folder == folder) & (segments.c.name == name)
            row = connection.execute(select(*_SEGMENT_COLUMNS).where(place)).one_or_none()
            values: dict[str, Any] = {"kind": kind, "document": document, "fingerprint": fingerprint, "updated_at": at, "updated_by": by}
            if row is None:
                values |= {"parent_id": parent_id, "folder": folder, "name": name, "version": 1, "created_at": at, "created_by": by}
                connection.execute(insert(segments).values(**values))
                created = connection.execute(select(*_SEGMENT_COLUMNS).where(place)).one()
                _add_version(connection, created, note)
                return SegmentRecord(**created._mapping)
            if row.fingerprint == fingerprint and row.kind == kind and _same(row.document, document):
                return SegmentRecord(**row._mapping)
            adds_version = row.fingerprint != fingerprint
            values["version"] = row.version + 1 if adds_version else row.version
            connection.execute(update(segments).where(segments.c.id == row.id).values(**values))
            saved = connection.execute(select(*_SEGMENT_COLUMNS).where(segments.c.id == row.id)).one()
            if adds_version:
                _add_version(connection, saved, note)
            else:
                _replace_version(connection, saved.id, saved.version, document, fingerprint)
            return SegmentRecord(**saved._mapping)

    def move_segment(self, segment_id: int, folder: str, name: str, *, by: str, at: datetime) -> SegmentRecord:
        """Change folder and name only. Raises UserError NAME_TAKEN, SEGMENT_NOT_FOUND, NAME_TOO_LONG."""
        _check_place(folder, name)
        with self._writing() as connection:
            row = _segment(connection, segment_id)
            if (row.folder, row.name) == (folder, name):
                return SegmentRecord(**row._mapping)
            place = (segments.c.parent_id == row.parent_id) & (segments.c.folder == folder) & (segments.c.name == name)
            if connection.execute(select(func.count()).select_from(segments).where(place)).scalar_one():
                where = f'folder "{folder}"' if folder else "the root folder"
                raise UserError("NAME_TAKEN", f'there is already a segment "{name}" in {where}', hint="choose another name or folder")
            values = {"folder": folder, "name": name, "updated_at": at, "updated_by": by}
            connection.execute(update(segments).where(segments.c.id == segment_id).values(**values))
            return SegmentRecord(**_segment(connection, segment_id)._mapping)

    def rewrite_segment(self, segment_id: int, documents: Mapping[int, tuple[Json, str]], *, by: str, at: datetime) -> SegmentRecord:
        """Replace document and fingerprint of versions (by number) in place: the words change, the meaning does not."""
        with self._writing() as connection:
            row = _segment(connection, segment_id)
            for number, (document, fingerprint) in documents.items():
                _replace_version(connection, segment_id, number, document, fingerprint)
            if row.version in documents:
                document, fingerprint = documents[row.version]
                values = {"document": document, "fingerprint": fingerprint, "updated_at": at, "updated_by": by}
                connection.execute(update(segments).where(segments.c.id == segment_id).values(**values))
            return SegmentRecord(**_segment(connection, segment_id)._mapping)

    def delete_segment(self, segment_id: int) -> None:
        """Remove a segment with its versions. Raises UserError SEGMENT_NOT_FOUND."""
        with self._writing() as connection:
            _segment(connection, segment_id)
            connection.execute(delete(segments).where(segments.c.id == segment_id))

    def versions(self, segment_id: int) -> Sequence[SegmentVersion]:
        """All versions, oldest first."""
        table = segment_versions
        with self._reading() as connection:
            rows = connection.execute(select(table).where(table.c.segment_id == segment_id).order_by(table.c.number)).all()
        return [SegmentVersion(**row._mapping) for row in rows]


def _definitions_mark(connection: Connection, parent_id: int) -> str:
    words, own = segments.c, parent_segments.c
    columns = (words.id, words.folder, words.name, words.version, cast(words.updated_at, Text), words.fingerprint)
    length = func.length(cast(words.document, Text))
    good = (refreshes.c.parent_id == parent_id) & (refreshes.c.status == "success")
    rows = connection.execute(select(*columns, length).where(words.parent_id == parent_id).order_by(words.id)).all()
    parent = connection.execute(select(own.version, own.name, own.updated_at).where(own.id == parent_id)).one_or_none()
    last = connection.execute(select(func.max(refreshes.c.id)).where(good)).scalar_one()
    return hashlib.sha256(repr(([*map(tuple, rows)], parent, last)).encode("utf-8", "surrogatepass")).hexdigest()


def _same(stored: Json, given: Json) -> bool:
    """Equal as documents: 1, 1.0 and true differ, the order of keys does not matter."""
    return canonical_json(stored) == canonical_json(given)


def _segment(connection: Connection, segment_id: int) -> Row[Any]:
    row = connection.execute(select(*_SEGMENT_COLUMNS).where(segments.c.id == segment_id)).one_or_none()
    if row is None:
        raise UserError("SEGMENT_NOT_FOUND", f"there is no segment with id {segment_id}", hint="somebody may have deleted it")
    return row


def _require_parent(connection: Connection, parent_id: int) -> None:
    found = connection.execute(select(parent_segments.c.id).where(parent_segments.c.id == parent_id)).one_or_none()
    if found is None:
        raise UserError("PARENT_NOT_FOUND", f"there is no parent segment with id {parent_id}", hint="push the parent segment first")


def _add_version(connection: Connection, row: Row[Any], note: str) -> None:
    connection.execute(
        insert(segment_versions).values(
            segment_id=row.id,
            number=row.version,
            document=row.document,
            fingerprint=row.fingerprint,
            created_at=row.updated_at,
            created_by=row.updated_by,
            note=note,
        )
    )


def _replace_version(connection: Connection, segment_id: int, number: int, document: Json, fingerprint: str) -> None:
    table = segment_versions
    version = (table.c.segment_id == segment_id) & (table.c.number == number)
    connection.execute(update(table).where(version).values(document=document, fingerprint=fingerprint))


def _check_place(folder: str, name: str) -> None:
    check_length("name", name, NAME_CHARACTERS)
    check_length("folder", folder, FOLDER_CHARACTERS)


def check_length(what: str, text: str, most: int) -> None:
    """Refuse what is too long to be stored. Raises UserError NAME_TOO_LONG."""
    if len(text) > most:
        raise UserError("NAME_TOO_LONG", f"the {what} has {len(text)} characters, at most {most} can be stored", hint="shorten it")
