"""What every tab of a parent segment shows: profiles, freshness, and whether the last refresh failed."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.web.api.desk import Desk
from kohort.web.studio.render import render


def render_parent(request: Request, template: str, desk: Desk, record: ParentRecord, tab: str, **context: Any) -> Response:
    """A tab of a parent segment's page. Templates get `last` (the last good refresh) and `newest` (the newest of all)."""
    newest, last = newest_and_last(desk, record)
    return render(request, template, desk, parent=record, record=record, tab=tab, last=last, newest=newest, **context)


def newest_and_last(desk: Desk, record: ParentRecord) -> tuple[RefreshRecord | None, RefreshRecord | None]:
    """(the newest refresh, the last good one)."""
    newest = newest_refresh(desk, record)
    return newest, newest if newest is not None and newest.status == "success" else desk.kohort.store.last_refresh(record.id)


def newest_refresh(desk: Desk, record: ParentRecord) -> RefreshRecord | None:
    """The newest refresh, whatever became of it."""
    return next(iter(desk.kohort.store.refreshes(record.id, 1)), None)
