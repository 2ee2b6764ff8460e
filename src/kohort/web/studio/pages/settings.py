"""Settings: users with roles and limits, API tokens, the audit log, one's own account, what runs here."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from kohort.foundation.errors import UserError
from kohort.ports.users import ROLES, Grant, TokenRecord, UserRecord
from kohort.services.about import free_bytes, places, shown_settings, versions
from kohort.services.loading.status import read_status
from kohort.services.users import PASSWORD_CHARACTERS, user_revision
from kohort.settings import settings_table
from kohort.web.api.desk import AtDesk, Desk, etag
from kohort.web.api.documents import grant_document, token_document
from kohort.web.api.users import UserId
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()
_A_PAGE = 50
KINDS = ("segment", "parent", "source", "user", "token", "table")
ROLE_TEXTS = {
    "viewer": "looks at everything, changes nothing",
    "marketer": "creates and changes segments, downloads members",
    "engineer": "parent segments, refreshes, sources, personal data",
    "admin": "users, everybody's tokens, the audit log",
}


@routes.page("/settings", "me.read")
def settings_page(desk: AtDesk) -> Response:
    """To the users, for those who may see them; to one's own account otherwise."""
    return RedirectResponse("/settings/users" if desk.access.may("users.read") else "/settings/account", 303)


@routes.page("/settings/users", "users.read")
def users_page(request: Request, desk: AtDesk) -> Response:
    """Users by name, with roles and limits."""
    store = desk.kohort.store
    rows = [(user, list(store.grants(user.id))) for user in store.users()]
    parents = {record.id: record.name for record in store.parents()}
    return _settings(request, desk, "settings/users.html", "users", rows=rows, parents=parents)


@routes.page("/settings/users/{user}", "users.read")
def user_page(request: Request, desk: AtDesk, user: UserId) -> Response:
    """One user: role, limits, password, tokens."""
    store, now = desk.kohort.store, desk.kohort.clock.now()
    found = _user(desk, user)
    records = list(store.parents())
    grants = list(store.grants(found.id))
    slugs = {record.id: record for record in records}
    folders = {record.slug: sorted({segment.folder for segment in store.segments(record.id) if segment.folder}) for record in records}
    context: dict[str, Any] = {
        "user": found,
        "etag": etag(user_revision(store, found))["ETag"],
        "grants": grants,
        "documents": [grant_document(grant, slugs) for grant in grants],
        "parents": records,
        "names": {record.id: record.name for record in records},
        "folders": folders,
        "tokens": [token_document(token, found, now) for token in store.tokens(found.id)],
        "is_oneself": found.id == desk.caller.user.id,
    }
    return _settings(request, desk, "settings/user.html", "users", **context)


@routes.page("/settings/tokens", "tokens.all")
def tokens_page(request: Request, desk: AtDesk) -> Response:
    """API tokens of everybody, newest first."""
    tokens = _tokens(desk, list(desk.kohort.store.tokens()), list(desk.kohort.store.users()))
    return _settings(request, desk, "settings/tokens.html", "tokens", tokens=tokens)


@routes.page("/settings/account", "me.read")
def account_page(request: Request, desk: AtDesk) -> Response:
    """One's own role and limits, password and API tokens."""
    store, user = desk.kohort.store, desk.caller.user
    tokens = _tokens(desk, list(store.tokens(user.id)), [user])
    context: dict[str, Any] = {
        "tokens": tokens,
        "grants": list(store.grants(user.id)),
        "names": {record.id: record.name for record in store.parents()},
        "roles": [role for role in ROLES if ROLES.index(role) <= ROLES.index(desk.access.role)],
    }
    return _settings(request, desk, "settings/account.html", "account", **context)


@routes.page("/settings/audit", "audit.read")
def audit_page(
    request: Request,
    desk: AtDesk,
    who: Annotated[str, Query(max_length=200)] = "",
    kind: Annotated[str, Query(max_length=50)] = "",
    object: Annotated[str, Query(max_length=2000)] = "",
    before: Annotated[int, Query(ge=0, lt=2**31, description="Only entries older than this one.")] = 0,
) -> Response:
    """What was done, newest first."""
    filters = {"who": who.strip(), "kind": kind, "object": object.strip()}
    found = list(desk.kohort.store.audit(limit=_A_PAGE + 1, before_id=before or None, **filters))
    shown = found[:_A_PAGE]
    context: dict[str, Any] = {
        "records": shown,
        "filters": filters,
        "kinds": KINDS,
        "people": [user.name for user in desk.kohort.store.users()],
        "newest": urlencode(filters),
        "older": urlencode({**filters, "before": shown[-1].id}) if len(found) > _A_PAGE else "",
        "is_first": not before,
    }
    return _settings(request, desk, "settings/audit.html", "audit", **context)


@routes.page("/settings/about", "me.read")
def about_page(request: Request, desk: AtDesk) -> Response:
    """Versions; for engineers also the settings, where everything is, and how it is doing."""
    kohort, context = desk.kohort, dict[str, Any]()
    if desk.access.may("settings.read"):
        state, settings = kohort.workspace.state, kohort.settings
        warehouse = kohort.workspace.root / (FilePath(settings.warehouse) if settings.warehouse else state / "warehouse.duckdb")
        tables = read_status(kohort.log_folder)
        context = {
            "settings": shown_settings(settings_table(), settings),
            "places": places(state, warehouse, kohort.log_folder),
            "free": free_bytes(state),
            "root": kohort.workspace.root,
            "server": kohort.server_counts(),
            "problem": tables.problem if tables else "",
        }
    return _settings(request, desk, "settings/about.html", "about", versions=versions(), bytes_text=bytes_text, **context)


def bytes_text(count: int) -> str:
    """A size as one reads it.

    >>> bytes_text(0), bytes_text(1536), bytes_text(5 * 1024**3)
    ('0 B', '1.5 KiB', '5.0 GiB')
    """
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def limits_text(grants: list[Grant], names: dict[int, str]) -> str:
    """Where a user may what, in words; "" without limits."""
    return ", ".join(f"{names.get(g.parent_id, g.parent_id)}{f': {g.folder}' if g.folder else ''} ({g.role})" for g in grants)


def _user(desk: Desk, user_id: int) -> UserRecord:
    found = next((user for user in desk.kohort.store.users() if user.id == user_id), None)
    if found is None:
        raise UserError("USER_NOT_FOUND", f"there is no user with id {user_id}", hint="look at the list of users")
    return found


def _tokens(desk: Desk, tokens: list[TokenRecord], users: list[UserRecord]) -> list[dict[str, Any]]:
    owners, now = {user.id: user for user in users}, desk.kohort.clock.now()
    return [dict(token_document(token, owners.get(token.user_id), now)) for token in tokens]


def _settings(request: Request, desk: Desk, template: str, tab: str, **context: Any) -> Response:
    may = desk.access.may
    tabs = [
        ("users", "Users", "/settings/users", may("users.read")),
        ("tokens", "API tokens", "/settings/tokens", may("tokens.all")),
        ("audit", "Audit log", "/settings/audit", may("audit.read")),
        ("account", "Your account", "/settings/account", True),
        ("about", "About", "/settings/about", True),
    ]
    shown = [(key, text, address) for key, text, address, allowed in tabs if allowed]
    known: dict[str, Any] = {"limits_text": limits_text, "role_texts": ROLE_TEXTS, "shortest": PASSWORD_CHARACTERS[0]}
    return render(request, template, desk, tab=tab, settings_tabs=shown, **known, **context)
