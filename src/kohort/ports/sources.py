"""Sources: who may send calls, under which write keys, and how their tables are named. Part of the definition store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from kohort.events.model import Naming

SourceStatus = Literal["enabled", "disabled"]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One sender of calls: a site, an app, a server.

    slug: the schema of its tables, for life. rate_limit: requests a second, None = what the server allows any source.
    accept_unknown_keys: calls whose write key belongs to nobody are its calls; at most one source has this.
    identity: how ids of its calls become profiles, as JSON; "": as in every source.
    """

    id: int
    name: str
    slug: str
    naming: Naming
    status: SourceStatus
    accept_unknown_keys: bool
    rate_limit: int | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class WriteKeyRecord:
    """A write key without the key: its SHA-256 in hexadecimal, and its last 4 characters so that people can tell keys apart.

    expires_at: from this instant on it is refused; None: it is the key of today.
    """

    source_id: int
    key_hash: str
    last_four: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None

    def valid_at(self, instant: datetime) -> bool:
        return self.expires_at is None or instant < self.expires_at


@dataclass(frozen=True, slots=True)
class NewSource:
    """What a person says about a source when adding it."""

    name: str
    slug: str
    naming: Naming = "segment"
    accept_unknown_keys: bool = False
    rate_limit: int | None = None


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """What a server has counted by slug. duplicates: calls, since ever. refused: requests, by slug and reason, since it began."""

    url: str
    duplicates: Mapping[str, int]
    refused: Mapping[tuple[str, str], int]


class SourceStore(Protocol):
    """Keeps sources and the hashes of their write keys."""

    def sources(self) -> Sequence[SourceRecord]:
        """All sources by name, disabled ones too."""
        ...

    def source(self, name: str) -> SourceRecord | None:
        """By exact name or slug (in that order)."""
        ...

    def add_source(self, source: NewSource, key_hash: str, last_four: str, *, by: str, at: datetime) -> SourceRecord:
        """A new enabled source with its first key. Raises UserError NAME_TAKEN, KEY_TAKEN, UNKNOWN_KEYS_TAKEN, NAME_TOO_LONG."""
        ...

    def update_source(self, source: SourceRecord, *, by: str, at: datetime) -> SourceRecord:
        """Keep its name, status, rate limit, accept_unknown_keys and identity.

        Raises UserError SOURCE_NOT_FOUND, NAME_TAKEN, NAME_TOO_LONG, UNKNOWN_KEYS_TAKEN.
        """
        ...

    def remove_source(self, source_id: int) -> None:
        """Forget a source and its keys. Raises UserError SOURCE_NOT_FOUND."""
        ...

    def rotate_key(
        self, source_id: int, key_hash: str, last_four: str, *, by: str, at: datetime, old_until: datetime | None = None
    ) -> WriteKeyRecord:
        """A new key; every other key of the source expires at `old_until` (default: `at`), or earlier if that was so before.

        Raises UserError SOURCE_NOT_FOUND, KEY_TAKEN.
        """
        ...

    def end_key(self, source_id: int, key_hash: str, *, at: datetime) -> WriteKeyRecord:
        """Refuse one key from an instant on, or from earlier if that was so before. Raises UserError KEY_NOT_FOUND."""
        ...

    def write_keys(self, source_id: int | None = None) -> Sequence[WriteKeyRecord]:
        """The keys of a source (or of all), newest first, expired ones too."""
        ...

    def source_of_key(self, key_hash: str, at: datetime) -> SourceRecord | None:
        """Whose key this is at an instant; None for keys that are unknown or have expired."""
        ...
