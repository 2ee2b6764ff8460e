"""Renders pages: the frame around every page, the templates, and what browsers may do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from kohort.ports.definitions import ParentRecord
from kohort.services.definitions.listing import ListedSegment
from kohort.web.api.desk import Desk
from kohort.web.packing import FROM_BYTES, coding_for, packed
from kohort.web.studio.formats import FILTERS, ago_text, when
from kohort.web.studio.static_files import static_files
from kohort.web.studio.tree import NO_TREE, DrawnTree, segment_tree

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "kohort_theme"
PARENT_COOKIE = "kohort_parent"


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a page: the parent segments one may see, the one that is open, its tree."""

    parents: tuple[ParentRecord, ...] = ()
    parent: ParentRecord | None = None
    tree: DrawnTree = NO_TREE


def render(
    request: Request, template: str, desk: Desk | None, *, parent: ParentRecord | None = None, status: int = 200, **context: Any
) -> HTMLResponse:
    """A page. parent: the parent segment it is about; without one, the tree shows the one that was open before."""
    now = desk.kohort.clock.now() if desk else None
    theme = request.cookies.get(THEME_COOKIE, "")
    frame = frame_of(request, desk, parent) if desk else Frame()
    known = {
        "request_path": request.url.path,
        "desk": desk,
        "frame": frame,
        "open_line": lambda shown: _open_line(request.url.path, frame, shown),
        "may": _may(desk, parent),
        "theme": theme if theme in THEMES else "auto",
        "now": now,
        "when": _when(now),
        "ago": lambda instant: ago_text(instant, now) if now else "",
    }
    content = _environment().get_template(template).render(**known, **context).encode("utf-8", "replace")
    headers = dict(HEADERS)
    coding = coding_for(request.headers.get("accept-encoding", "")) if len(content) > FROM_BYTES else ""
    if coding:
        content = packed(content, coding, "quick")
        headers |= {"Content-Encoding": coding}
    answer = HTMLResponse(content, status_code=status, headers={**headers, "Vary": "Accept-Encoding"})
    if parent is not None and request.cookies.get(PARENT_COOKIE) != str(parent.id):
        answer.set_cookie(PARENT_COOKIE, str(parent.id), samesite="lax", httponly=True, max_age=31_536_000)
    return answer


def _open_line(path: str, frame: Frame, shown: ListedSegment | None) -> tuple[int | None, str]:
    """(id of the segment whose page this is, name of the variant or "")."""
    found = re.fullmatch(r"/audiences/([^/]+)/segments/(\d{1,10})(?:/.*)?", path)
    if found is None or frame.parent is None or found[1] != frame.parent.slug:
        return None, ""
    return int(found[2]), shown.name if shown is not None and shown.is_variant else ""


def _may(desk: Desk | None, parent: ParentRecord | None) -> Any:
    def may(action: str, folder: str = "") -> bool:
        return desk is not None and desk.access.may(action, parent.id if parent else None, folder)

    return may


def _when(now: datetime | None) -> Any:
    return lambda instant: when(instant, now) if now else ""


def frame_of(request: Request, desk: Desk, parent: ParentRecord | None) -> Frame:
    """The parent segments one may see, and the tree of the open one."""
    store, access = desk.kohort.store, desk.access
    parents = tuple(record for record in store.parents() if access.may("parents.read", record.id))
    remembered = request.cookies.get(PARENT_COOKIE, "")
    shown = parent or next((p for p in parents if str(p.id) == remembered), parents[0] if parents else None)
    return Frame(parents, shown, tree_of(desk, shown) if shown else NO_TREE)


def tree_of(desk: Desk, parent: ParentRecord) -> DrawnTree:
    """Folders and segments of a parent segment that one may see, drawn once for all who may see the same."""
    store, access = desk.kohort.store, desk.access

    def drawn() -> DrawnTree:
        nodes = segment_tree(item for item in desk.listed(parent) if access.may("segments.read", parent.id, _folder_of(item)))
        return DrawnTree.of(nodes, _environment().get_template("tree_lines.html").render(nodes=nodes, parent=parent))

    return store.remembered(("tree", parent.id, parent.slug, access), drawn)


def _folder_of(item: ListedSegment) -> str:
    """The folder that decides who sees it: for a variant that of its segment."""
    return item.folder.rpartition("/")[0] if item.is_variant else item.folder


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kohort.web.studio"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(static=lambda path: static_files().url(path))
    return environment


def problem_page(request: Request, desk: Desk | None, problem: Mapping[str, Any]) -> HTMLResponse:
    """A problem as a page: what, why and what to do."""
    template = "problem.html" if desk else "problem_alone.html"
    return render(request, template, desk, status=int(problem["status"]), problem=problem, signs_in=request.url.path == "/setup")
