"""Revisions of definitions: nobody overwrites what somebody else has changed meanwhile."""

from __future__ import annotations

from kohort.foundation.errors import UserError
from kohort.foundation.fingerprints import fingerprint
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.ports.sources import SourceRecord

Definition = ParentRecord | SegmentRecord | SourceRecord


def revision_of(record: Definition) -> str:
    """A short name of what a definition is at present, place and words included."""
    match record:
        case ParentRecord():
            return f"{record.version}-{fingerprint([record.name, record.document])[:16]}"
        case SegmentRecord():
            return f"{record.version}-{fingerprint([record.folder, record.name, record.document])[:16]}"
        case SourceRecord():
            return fingerprint([record.name, record.status, record.accept_unknown_keys, record.rate_limit, record.identity])[:16]


def require_revision(record: Definition, revision: str | None) -> None:
    """None: it does not matter. Raises UserError CHANGED_MEANWHILE."""
    if revision is not None and revision != revision_of(record):
        who = f"{record.updated_by} changed it at {record.updated_at:%Y-%m-%d %H:%M:%S} GMT"
        raise UserError(
            "CHANGED_MEANWHILE", f'"{record.name}" is not as it was when you read it: {who}', hint="read it again, then change it"
        )
