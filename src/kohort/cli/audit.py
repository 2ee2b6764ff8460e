"""What commands change or export is in the audit log, as what the API does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.ports.definitions import ParentRecord
    from kohort.services.users import Actor


def command_actor() -> Actor:
    """Who types the command."""
    from kohort.services.users import Actor

    return Actor(open_session().settings.user_name)


def record_done(action: str, kind: str, name: str, before: str = "", after: str = "", detail: str = "") -> None:
    """An entry in the audit log."""
    from kohort.services.users import note_audit

    session = open_session()
    note_audit(session.store, command_actor(), session.clock, action, kind, name, before, after, detail)


@contextmanager
def change() -> Iterator[Callable[..., None]]:
    """All or nothing: a change and its entry in the audit log, written by what this gives."""
    with open_session().store.transaction():
        yield record_done


@contextmanager
def changed_source(action: str, name: str, detail: str = "") -> Iterator[None]:
    """Around the change of a source: an entry when it is another one afterwards."""
    from kohort.services.definitions.revisions import revision_of
    from kohort.services.sources.registry import require_source

    store = open_session().store
    with change() as note:
        before = require_source(store, name)
        yield
        after = require_source(store, before.slug)
        if after != before:
            note(action, "source", after.slug, revision_of(before), revision_of(after), detail or after.status)


@contextmanager
def changed_segments(parent: ParentRecord, action: str = "segment.save", detail: str = "") -> Iterator[None]:
    """Around changes of segments: an entry for each that is new, another one or gone afterwards."""
    from kohort.services.definitions.revisions import revision_of

    store = open_session().store
    with change() as note:
        before = {record.id: record for record in store.segments(parent.id)}
        yield
        after = {record.id: record for record in store.segments(parent.id)}
        for number in sorted(before.keys() | after.keys()):
            old, new = before.get(number), after.get(number)
            if new is None and old is not None:
                note("segment.delete", "segment", f"{parent.slug}:{old.path}", before=revision_of(old))
            elif old is None and new is not None:
                note("segment.add", "segment", f"{parent.slug}:{new.path}", after=revision_of(new))
            elif old is not None and new is not None and old != new:
                moved = old.path != new.path
                told = ("segment.move", f"to {new.path}") if moved else (action, detail)
                note(told[0], "segment", f"{parent.slug}:{old.path}", revision_of(old), revision_of(new), told[1])


@contextmanager
def changed_parents() -> Iterator[None]:
    """Around changes of parent segments: an entry for each that is new or another one afterwards."""
    from kohort.services.definitions.revisions import revision_of

    store = open_session().store
    with change() as note:
        before = {record.id: record for record in store.parents()}
        yield
        for record in store.parents():
            old: Any = before.get(record.id)
            if old != record:
                action = "parent.save" if old else "parent.add"
                note(action, "parent", record.slug, revision_of(old) if old else "", revision_of(record))
