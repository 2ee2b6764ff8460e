"""The definition of a parent segment as text, to read and to change; and a new one."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.documents.yaml import write_yaml
from kohort.services.definitions.revisions import revision_of
from kohort.web.api.desk import AtDesk, ParentName
from kohort.web.studio.pages.parent_frame import render_parent
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/audiences/{parent}/yaml", "parents.read")
def yaml_page(request: Request, desk: AtDesk, parent: ParentName) -> Response:
    """The definition; engineers may change it."""
    record = desk.parent(parent, "parents.read")
    context = {"text": write_yaml(record.document), "etag": f'"{revision_of(record)}"'}
    return render_parent(request, "parents/yaml.html", desk, record, "yaml", **context)
