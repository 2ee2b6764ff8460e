"""Profiles: search, one with its attributes, behaviors and segments, and its history."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from kohort.services.access import hidden_attributes, hidden_columns
from kohort.services.membership.history import profile_history
from kohort.services.profiles.card import profile_card
from kohort.services.profiles.pages import search_profiles
from kohort.web.api.answers import Json
from kohort.web.api.desk import AsOf, AtDesk, ParentName
from kohort.web.api.documents import card_document, profiles_document
from kohort.web.api.guard import Routes
from kohort.web.api.pages import Cursor, Limit, read_number

routes = Routes("Profiles")
Key = Annotated[str, Path(max_length=2000, description="A master key or a cdp_customer_id.")]
_ROW = {"key": "c042", "cdp_customer_id": "0f1e...", "attributes": {"loyalty_tier": "Gold"}}


@routes.on(
    "GET",
    "/parents/{parent}/profiles",
    "profiles.read",
    problems=("NOT_REFRESHED", 503),
    example={"items": [_ROW], "next": "WyJWSVAiLCA1XQ"},
)
def list_profiles(
    desk: AtDesk,
    parent: ParentName,
    search: Annotated[str, Query(max_length=500, description="How the master key begins, or a cdp_customer_id.")] = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Json:
    """Profiles in the order in which they came, with their attributes."""
    record = desk.parent(parent, "profiles.read")
    with desk.engine(record) as engine:
        hidden = hidden_attributes(engine.catalog, desk.access, record.id)
        by_key = engine.key_column not in hidden
        page = search_profiles(engine, search.strip(), by_key=by_key, after=read_number(cursor, -1), limit=limit)
    return Json({"as_of": page.as_of, **profiles_document(page, engine.key_column, hidden)})


@routes.on(
    "GET",
    "/parents/{parent}/profiles/{key}",
    "profiles.read",
    problems=("NOT_REFRESHED", 503),
    example={**_ROW, "behaviors": [], "segments": []},
)
def get_profile(
    desk: AtDesk,
    parent: ParentName,
    key: Key,
    recent: Annotated[int, Query(ge=0, le=500, description="How many rows of behaviors.")] = 20,
    as_of: AsOf = "",
) -> Json:
    """A profile: attributes, recent behaviors by date, segments of the last evaluation."""
    kohort, record = desk.kohort, desk.parent(parent, "profiles.read")
    with desk.engine(record) as engine:
        moment = desk.instant(as_of, engine.catalog.timezone)
        card = profile_card(engine, kohort.store, kohort.snapshots, key, recent=recent, as_of=moment)
        columns = {behavior.name: hidden_columns(behavior, desk.access, record.id) for behavior in engine.catalog.behaviors}
        segments = [path for path in card.segments if desk.sees(record, engine.graph.owners.get(path, path))]
        return Json(card_document(card, hidden_attributes(engine.catalog, desk.access, record.id), columns, segments))


@routes.on(
    "GET",
    "/parents/{parent}/profiles/{key}/history",
    "profiles.read",
    problems=("NOT_REFRESHED", "NOT_EVALUATED", 503),
    example={"evaluations": [], "segments": []},
)
def history_of_profile(desk: AtDesk, parent: ParentName, key: Key) -> Json:
    """In which segments a customer was at each kept evaluation, somebody who is gone included."""
    kohort, record = desk.kohort, desk.parent(parent, "profiles.read")
    with kohort.shared_warehouse.use() as warehouse:
        found = profile_history(warehouse, kohort.store, kohort.snapshots, record, key)

    def seen(paths: tuple[str, ...]) -> list[str]:
        return [path for path in paths if desk.sees(record, path)]

    points = [
        {
            "evaluation": point.evaluation.id,
            "as_of": point.evaluation.as_of,
            "is_customer": point.is_customer,
            "segments": seen(point.segments),
            "entered": seen(point.entered),
            "left": seen(point.left),
        }
        for point in found.points
    ]
    segments = [
        {"path": item.path, "since": item.since.as_of, "or_earlier": item.or_earlier}
        for item in found.segments
        if desk.sees(record, item.path)
    ]
    return Json({"cdp_customer_id": found.customer.customer_id, "evaluations": points, "segments": segments})
