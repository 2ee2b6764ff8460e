"""Sources: who sends calls, how they are doing, their calls as they arrive, their tables and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from fastapi import Request, Response

from kohort.bootstrap import http_url
from kohort.events.columns import CALL_TABLES, DISCARDS, REJECTS
from kohort.events.identity import PERIODS, IdentityRules, Limit
from kohort.foundation.errors import KohortError, UserError
from kohort.parent.definition import TableRef
from kohort.ports.sources import ServerCounts, SourceRecord
from kohort.services.definitions.revisions import revision_of
from kohort.services.sources.identity import identity_document, identity_rules, period_of
from kohort.services.sources.misfits import Misfits, source_misfits
from kohort.services.sources.registry import require_source
from kohort.services.sources.status import SourceState
from kohort.web.api.desk import AtDesk, Desk
from kohort.web.api.sources import SourceName
from kohort.web.studio.formats import span_text
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

QUIET_AFTER = timedelta(hours=1)
_MISFITS = 50
_WAREHOUSE_WAIT_SECONDS = 3.0

_GRAPH_TEXTS = {
    "profiles": "one row a person",
    "id_graph": "identity: which profile stands for whom",
    "id_graph_updates": "identity: every change of that",
    "external_id_mapping": "identity: ids and whose they are",
    "external_id_mapping_updates": "identity: every change of those",
    "profile_merges": "identity: profiles that turned out to be one person",
    "profile_traits_updates": "identity: the traits of each identify call",
    "user_identifiers": "identity: the ids of every person",
    "user_traits": "identity: the newest traits of every person",
    "identity_demotions": "identity: ids that were left aside",
}

routes = PageRoutes()
Doing = Literal["receiving", "quiet", "disabled"]


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source as its pages need it. server: what the server that takes calls has counted, None when none answers; url: where it is."""

    record: SourceRecord
    state: SourceState
    doing: Doing
    server: ServerCounts | None
    url: str

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"/sources/{self.record.slug}"

    @property
    def behind(self) -> str:
        """How far tables are behind; "" when nothing waits."""
        seconds = self.state.age_seconds
        if not self.state.waiting:
            return ""
        return f"{seconds:.1f} s" if seconds < 60 else span_text(timedelta(seconds=seconds))

    @property
    def last_call(self) -> str:
        """When the last call came, where its instant is not known; "" where it is."""
        if self.state.last_call_at is not None:
            return ""
        return "before the server began" if self.state.received else "never"

    @property
    def api(self) -> str:
        """Where the API has it."""
        return f"/api/v1/sources/{self.record.slug}"

    @property
    def etag(self) -> str:
        """What a change must send as If-Match."""
        return f'"{revision_of(self.record)}"'


@dataclass(frozen=True, slots=True)
class IdType:
    """A type of external id with rules of its own. limit None: that of every type; key: of the trait or property that holds it."""

    name: str
    is_first: bool
    limit: Limit | None
    key: str
    is_left_out: bool

    @property
    def period(self) -> str:
        """What its limit is counted within."""
        return period_of(self.limit) if self.limit else "ever"


@routes.page("/sources", "sources.read")
def sources_page(request: Request, desk: AtDesk) -> Response:
    """Every source with its state."""
    views = _views(desk, list(desk.kohort.store.sources()))
    return render(request, "sources/sources.html", desk, views=views)


@routes.page("/sources/new", "sources.write")
def new_source_page(request: Request, desk: AtDesk) -> Response:
    """A new source: its key is shown here, once."""
    return render(request, "sources/new.html", desk, url=calls_url(desk, desk.kohort.server_counts()))


@routes.page("/sources/{source}", "sources.read")
def source_page(request: Request, desk: AtDesk, source: SourceName) -> Response:
    """How a source is doing, and its calls as they arrive."""
    return render(request, "sources/live.html", desk, view=_view(desk, source), tab="live")


@routes.page("/sources/{source}/tables", "sources.read")
def tables_page(request: Request, desk: AtDesk, source: SourceName) -> Response:
    """Its tables with their rows; what was rejected or discarded, and why."""
    view = _view(desk, source)
    rejects, discards, problem = _misfits(desk, view.record)
    context: dict[str, Any] = {"kinds": table_kinds(view.state), "rejects": rejects, "discards": discards, "problem": problem}
    return render(request, "sources/tables.html", desk, view=view, tab="tables", **context)


@routes.page("/sources/{source}/keys", "sources.read")
def keys_page(request: Request, desk: AtDesk, source: SourceName) -> Response:
    """Its keys by their last four characters, its switches, and how an SDK sends to it."""
    view = _view(desk, source)
    keys = list(desk.kohort.store.write_keys(view.record.id))
    rate = desk.kohort.settings.ingest_rate_limit
    return render(
        request, "sources/keys.html", desk, view=view, tab="keys", keys=keys, kinds=table_kinds(view.state), url=view.url, rate=rate
    )


@routes.page("/sources/{source}/identity", "sources.read")
def identity_page(request: Request, desk: AtDesk, source: SourceName) -> Response:
    """How ids of its calls become profiles, and for engineers the way to change that."""
    view = _view(desk, source)
    rules = identity_rules(view.record)
    context: dict[str, Any] = {"rules": rules, "rows": id_types(rules), "limits": identity_document(rules), "periods": PERIODS}
    return render(request, "sources/identity.html", desk, view=view, tab="identity", own=bool(view.record.identity), **context)


def id_types(rules: IdentityRules) -> list[IdType]:
    """The types that have rules of their own, the most trusted first; those that are left out come last."""
    named = {*rules.first, *rules.limits, *rules.custom, *rules.left_out}
    ranked = sorted(named, key=lambda kind: (kind in rules.left_out, rules.rank(kind)))
    return [
        IdType(kind, kind in rules.first, rules.limits.get(kind), rules.custom.get(kind, ""), kind in rules.left_out) for kind in ranked
    ]


def table_kinds(state: SourceState) -> list[tuple[str, str, int]]:
    """(table, what it holds, rows) of every table of a source: calls first, then events, then the rest."""
    types = {table: f"every {kind} call" for kind, table in CALL_TABLES.items()}
    known = {
        **types,
        **_GRAPH_TEXTS,
        "users": "one row a user",
        REJECTS: "calls that could not be taken",
        DISCARDS: "values that found no column",
    }
    named = [(name, known.get(name, ""), rows) for name, rows in state.tables.items()]
    order = {name: place for place, name in enumerate((*types, "users"))}
    rest = {**dict.fromkeys(_GRAPH_TEXTS, 80), REJECTS: 90, DISCARDS: 91}
    return sorted(named, key=lambda item: (order.get(item[0], rest.get(item[0], 50)), item[0]))


def doing_of(state: SourceState) -> Doing:
    """Whether calls come: receiving: within the last hour."""
    if state.source.status == "disabled":
        return "disabled"
    recent = state.last_call_at is not None and state.at - state.last_call_at < QUIET_AFTER
    return "receiving" if recent else "quiet"


def calls_url(desk: Desk, server: ServerCounts | None) -> str:
    """Where SDKs send calls: the server that runs, or the one that would."""
    settings = desk.kohort.settings
    return server.url if server else http_url(settings.serve_host, settings.serve_port)


def _view(desk: Desk, name: str) -> SourceView:
    return _views(desk, [require_source(desk.kohort.store, name)])[0]


def _views(desk: Desk, sources: Sequence[SourceRecord]) -> list[SourceView]:
    kohort = desk.kohort
    server = kohort.server_counts()
    states = kohort.source_states(sources, server)
    url = calls_url(desk, server)
    return [SourceView(state.source, state, doing_of(state), server, url) for state in states]


def _misfits(desk: Desk, record: SourceRecord) -> tuple[Misfits | None, Misfits | None, str]:
    """(rejects, discards, why they cannot be shown at this moment)."""
    shows_values, tables = desk.access.may("pii.read"), [TableRef(record.slug, table) for table in (REJECTS, DISCARDS)]
    try:
        with desk.kohort.shared_warehouse.use(_WAREHOUSE_WAIT_SECONDS) as warehouse:

            def read() -> tuple[Misfits, Misfits]:
                rejects = source_misfits(warehouse, record, "rejects", _MISFITS, shows_values=shows_values)
                return rejects, source_misfits(warehouse, record, "discards", _MISFITS, shows_values=shows_values)

            return *warehouse.remembered(("misfits", record.slug, shows_values), tables, read), ""
    except KohortError as error:
        return None, None, error.message if isinstance(error, UserError) else str(error)
