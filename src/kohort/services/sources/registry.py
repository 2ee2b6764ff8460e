"""Sources: who may send calls. Write keys are shown once and kept as hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.issues import did_you_mean
from kohort.parent.definition import ParentSegment
from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.ports.sources import NewSource, SourceRecord, SourceStatus, SourceStore, WriteKeyRecord
from kohort.services.definitions.stored import parent_of

KEY_CHARACTERS = 32

SLUG = re.compile(r"[a-z_][a-z0-9_]*")
SLUG_CHARACTERS = 63
KEY = re.compile(r"[!-9;-~]{16,200}")
"""A key that was issued elsewhere: printable ASCII without blanks and colons, which Basic authentication could not carry."""

RESERVED = ("information_schema", "main", "pg_catalog", "system", "temp")
_OURS = re.compile(r"(cdp_audience_\d+|kohort)(_.*)?")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A source and its new write key: the only time that the key itself is known. old_until: until when older keys stay valid."""

    source: SourceRecord
    write_key: str
    old_until: datetime | None = None


def new_write_key() -> str:
    """32 random letters and digits."""
    signs = string.ascii_letters + string.digits
    return "".join(secrets.choice(signs) for _ in range(KEY_CHARACTERS))


def key_hash(key: str) -> str:
    """What is kept of a write key: its SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def masked_key(last_four: str) -> str:
    """How a key is shown after the first time."""
    return f"****{last_four}"


def source_slug(name: str) -> str:
    """The schema of a source: its name in lower case, words joined by underscores; "" when nothing is left of it.

    Accents go, letters of other scripts are left out; a digit in front gets an underscore.

    >>> source_slug("Web Shop (EU)"), source_slug("Café-App"), source_slug("2nd shop"), source_slug("日本")
    ('web_shop_eu', 'cafe_app', '_2nd_shop', '')
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    slug = "_".join(re.findall(r"[a-z0-9]+", plain.lower()))
    return f"_{slug}" if slug[:1].isdigit() else slug


def add_source(
    store: DefinitionStore, source: NewSource, databases: Iterable[str], *, by: str, clock: Clock, write_key: str = ""
) -> IssuedKey:
    """A new source. source.slug "": made from the name. databases: those of the warehouse. write_key: one issued elsewhere, or "".

    Raises UserError NAME_INVALID, NAME_RESERVED, NAME_TAKEN, SCHEMA_TAKEN, KEY_INVALID, KEY_TAKEN, RATE_LIMIT_INVALID,
    UNKNOWN_KEYS_TAKEN.
    """
    name = _checked_name(source.name)
    wanted = replace(source, name=name, slug=source.slug or source_slug(name))
    _check_rate_limit(wanted.rate_limit)
    key = write_key or new_write_key()
    _check_key(key)
    with store.transaction():
        _check_slug(store, wanted, databases)
        record = store.add_source(wanted, key_hash(key), key[-4:], by=by, at=clock.now())
    return IssuedKey(record, key)


def require_source(store: DefinitionStore, name: str) -> SourceRecord:
    """The source of that name or slug. Raises UserError SOURCE_NOT_FOUND with the nearest name."""
    record = store.source(name) or store.source(source_slug(name) or name)
    if record is None:
        known = [source.name for source in store.sources()]
        hint = did_you_mean(name, known) or 'add one with: kohort source add "NAME"'
        raise UserError("SOURCE_NOT_FOUND", f'there is no source "{name}"', hint=hint)
    return record


def set_status(store: DefinitionStore, name: str, status: SourceStatus, *, by: str, clock: Clock) -> SourceRecord:
    """Enable or disable a source: calls to a disabled one are refused, its tables stay. Raises UserError SOURCE_NOT_FOUND."""
    with store.transaction():
        return store.update_source(replace(require_source(store, name), status=status), by=by, at=clock.now())


def rename_source(store: DefinitionStore, name: str, new_name: str, *, by: str, clock: Clock) -> SourceRecord:
    """Call a source by another name; its schema stays. Raises UserError SOURCE_NOT_FOUND, NAME_INVALID, NAME_TAKEN, NAME_TOO_LONG."""
    wanted = _checked_name(new_name)
    with store.transaction():
        record = require_source(store, name)
        other = store.source(wanted)
        if other is not None and other.id != record.id:
            raise UserError(
                "NAME_TAKEN", f'there is already a source "{other.name}" with the schema {other.slug}', hint="choose another name"
            )
        return store.update_source(replace(record, name=wanted), by=by, at=clock.now())


def remove_source(store: DefinitionStore, name: str) -> SourceRecord:
    """Forget a source that is disabled, with its keys. Its tables stay. Raises UserError SOURCE_NOT_FOUND, SOURCE_ENABLED."""
    with store.transaction():
        record = require_source(store, name)
        if record.status == "enabled":
            hint = "disable it first, and let what has arrived come into tables"
            raise UserError("SOURCE_ENABLED", f"{record.name} takes calls", hint=hint)
        store.remove_source(record.id)
        return record


def require_tables_unused(store: DefinitionStore, record: SourceRecord) -> None:
    """Raises UserError SOURCE_IN_USE when a parent segment reads the tables of a source."""
    user = _user_of_database(store.parents(), record.slug)
    if user:
        message = f'the parent segment "{user}" reads tables of {record.slug}'
        raise UserError("SOURCE_IN_USE", message, hint="change or delete it first, or keep the tables")


def change_source(
    store: DefinitionStore,
    name: str,
    *,
    rate_limit: int | None = None,
    accept_unknown_keys: bool | None = None,
    by: str,
    clock: Clock,
) -> SourceRecord:
    """Change switches; None leaves one as it is, a rate limit of 0 takes the source's own away.

    Raises UserError SOURCE_NOT_FOUND, RATE_LIMIT_INVALID, UNKNOWN_KEYS_TAKEN.
    """
    with store.transaction():
        record = require_source(store, name)
        if rate_limit is not None:
            record = replace(record, rate_limit=rate_limit or None)
            _check_rate_limit(record.rate_limit)
        if accept_unknown_keys is not None:
            record = replace(record, accept_unknown_keys=accept_unknown_keys)
        return store.update_source(record, by=by, at=clock.now())


def rotate_key(
    store: DefinitionStore, name: str, *, grace: timedelta = timedelta(0), by: str, clock: Clock, write_key: str = ""
) -> IssuedKey:
    """A new write key; older ones stop at once, or when the grace is over. Raises UserError SOURCE_NOT_FOUND, KEY_INVALID, KEY_TAKEN."""
    now = clock.now()
    key = write_key or new_write_key()
    _check_key(key)
    with store.transaction():
        record = require_source(store, name)
        store.rotate_key(record.id, key_hash(key), key[-4:], by=by, at=now, old_until=now + grace)
    return IssuedKey(record, key, now + grace if grace else None)


def revoke_key(store: DefinitionStore, name: str, last_four: str, *, clock: Clock) -> tuple[SourceRecord, WriteKeyRecord]:
    """Refuse one key from now on. last_four: its last characters. Raises UserError SOURCE_NOT_FOUND, KEY_NOT_FOUND, KEY_AMBIGUOUS."""
    now = clock.now()
    with store.transaction():
        record, key = valid_key(store, name, last_four, now)
        return record, store.end_key(record.id, key.key_hash, at=now)


def valid_key(store: DefinitionStore, name: str, last_four: str, at: datetime) -> tuple[SourceRecord, WriteKeyRecord]:
    """A source and its key that is valid at an instant and ends so. Raises UserError SOURCE_NOT_FOUND, KEY_NOT_FOUND, KEY_AMBIGUOUS."""
    record = require_source(store, name)
    valid = valid_keys(store, record, at)
    found = [key for key in valid if key.last_four == last_four]
    if not found:
        known = ", ".join(masked_key(key.last_four) for key in valid) or "none"
        raise UserError("KEY_NOT_FOUND", f'no valid key of "{record.name}" ends with {last_four}', hint=f"valid keys: {known}")
    if len(found) > 1:
        hint = "rotate the key: all older ones end then"
        raise UserError("KEY_AMBIGUOUS", f'{len(found)} keys of "{record.name}" end with {last_four}', hint=hint)
    return record, found[0]


def source_of_key(store: SourceStore, key: str, clock: Clock) -> SourceRecord | None:
    """Whose write key this is now."""
    return store.source_of_key(key_hash(key), clock.now())


def valid_keys(store: SourceStore, source: SourceRecord, at: datetime) -> Sequence[WriteKeyRecord]:
    """The keys with which calls are taken at an instant, newest first."""
    return [key for key in store.write_keys(source.id) if key.valid_at(at)]


def parse_grace(text: str) -> timedelta:
    """How long: `24h`, `90m`, `7d`, `30s`, `0`. Raises UserError DURATION_INVALID; at most 90 days.

    >>> parse_grace("24h")
    datetime.timedelta(days=1)
    """
    found = re.fullmatch(r"(\d{1,6})\s*(s|m|min|h|d)", text.strip().lower())
    if text.strip() == "0":
        return timedelta(0)
    if found is None:
        raise UserError("DURATION_INVALID", f'"{text}" is not a length of time', hint="write 30m, 24h or 7d")
    unit = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}[found[2]]
    grace = timedelta(**{unit: int(found[1])})
    if grace > timedelta(days=90):
        raise UserError("DURATION_INVALID", f"{text} is too long: an old key stays valid for 90 days at most", hint="write 30m, 24h or 7d")
    return grace


def _checked_name(name: str) -> str:
    """The name without blanks around it. Raises UserError NAME_INVALID."""
    if not name.strip() or not name.strip().isprintable():
        raise UserError("NAME_INVALID", "a source needs a name of letters, digits and signs", hint='write for example "Web Shop"')
    return name.strip()


def _check_slug(store: DefinitionStore, source: NewSource, databases: Iterable[str]) -> None:
    slug = source.slug
    if not slug:
        hint = "give it a schema of its own, or write the name with Latin letters or digits"
        raise UserError("NAME_INVALID", f'the name "{source.name}" gives no name for a schema', hint=hint)
    if not SLUG.fullmatch(slug):
        raise UserError(
            "NAME_INVALID", f'"{slug}" cannot be the schema of a source', hint=f"write for example {source_slug(slug) or 'web'}"
        )
    if len(slug) > SLUG_CHARACTERS:
        message = f"the schema {slug} has {len(slug)} characters, at most {SLUG_CHARACTERS} are possible"
        raise UserError("NAME_TOO_LONG", message, hint="choose a shorter name, or give it a schema of its own")
    if slug in RESERVED or _OURS.fullmatch(slug):
        raise UserError("NAME_RESERVED", f"the schema {slug} is kept for other things", hint="choose another name")
    if any(record.slug == slug for record in store.sources()):
        return  # the store says which source has it
    user = _user_of_database(store.parents(), slug)
    if user:
        hint = "choose another name: a source has a schema of its own"
        raise UserError("SCHEMA_TAKEN", f'the parent segment "{user}" reads tables of the database {slug}', hint=hint)
    if slug in {database.lower() for database in databases}:
        hint = "choose another name, or give it a schema of its own"
        raise UserError("SCHEMA_TAKEN", f"the warehouse already has a database {slug}, which holds other tables", hint=hint)


def _user_of_database(parents: Iterable[ParentRecord], database: str) -> str:
    """The name of a parent segment that reads from a database, or ""."""
    for record in parents:
        try:
            parent = parent_of(record)
        except UserError:
            continue
        if database in {name.lower() for name in _databases(parent)}:
            return record.name
    return ""


def _databases(parent: ParentSegment) -> list[str]:
    tables = [parent.master.source, *(a.source for a in parent.attributes), *(b.source for b in parent.behaviors)]
    return [table.database for table in tables]


def _check_key(key: str) -> None:
    if not KEY.fullmatch(key):
        hint = "16 to 200 letters, digits and signs, without blanks and colons"
        raise UserError("KEY_INVALID", "this cannot be a write key", hint=hint)


def _check_rate_limit(limit: int | None) -> None:
    if limit is not None and not 1 <= limit <= 1_000_000:
        raise UserError("RATE_LIMIT_INVALID", f"a source cannot be limited to {limit} requests a second", hint="write 1 to 1000000")
