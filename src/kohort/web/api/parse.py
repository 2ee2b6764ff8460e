"""What somebody types in an editor, in its other forms; and how an A/B test would split."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from kohort.documents.document import Document
from kohort.foundation.errors import InvalidInput, UserError
from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.definitions import ParentRecord
from kohort.services.issue_document import issue_document
from kohort.services.preview.drafts import draft_of_document
from kohort.services.preview.forms import Forms, forms_of_document, forms_of_text, forms_of_yaml
from kohort.services.preview.split_sizes import split_sizes
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body, Folder
from kohort.web.api.definition_shapes import of_shape
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.api.guard import Routes

routes = Routes("Rules")
_FORMS = {
    "definition": {"rule": {"type": "And", "conditions": []}},
    "yaml": "rule:\n  type: And\n",
    "text": "lifetime_value > 1000",
    "lines": {"rule": 1},
    "issues": [],
}
_SIZES = {"variants": [{"name": "A", "count": 6, "share": 0.5}, {"name": "Control", "count": 6, "share": 0.5}]}


class Written(Body):
    """A segment, or a rule alone, in one form: YAML, text or a definition."""

    yaml: Annotated[str | None, Field(max_length=500_000, description="A segment file, or a rule alone.", examples=[None])] = None
    text: Annotated[str | None, Field(max_length=100_000, description="A rule as text.", examples=["lifetime_value > 1000"])] = None
    definition: Annotated[Any, Field(description="A `SegmentDefinition`, or a `RuleNode` alone.", examples=[None])] = None
    folder: Folder = ""


class Split(Body):
    """The definition of a segment with an A/B test; it need not be saved."""

    definition: Annotated[
        dict[str, Any],
        WithJsonSchema(of_shape("SegmentDefinition")),
        Field(
            examples=[
                {"name": "Offer", "rule": "lifetime_value > 10", "ab_test": {"variants": [{"name": "A", "ratio": 50}], "control": 50}}
            ]
        ),
    ]
    folder: Folder = ""
    as_of: Annotated[str, Field(max_length=60)] = ""


@routes.on("POST", "/parents/{parent}/rules/parse", "rules.try", example=_FORMS)
def parse_written(desk: AtDesk, parent: ParentName, body: Written) -> Json:
    """What was written as definition, YAML and text; with mistakes the definition is null and issues tell line and path."""
    catalog = _catalog(desk, desk.parent(parent, "rules.try"))
    return Json(_forms_document(_forms(body, catalog)))


def _forms(body: Written, catalog: FieldCatalog | None) -> Forms:
    if sum(form is not None for form in (body.yaml, body.text, body.definition)) != 1:
        message = "there must be one form: yaml, text or definition"
        raise UserError("RULE_MISSING", message, hint='write {"text": "lifetime_value > 1000"}')
    folder = body.folder.strip("/")
    if body.yaml is not None:
        return forms_of_yaml(body.yaml, folder, catalog)
    return forms_of_text(body.text, catalog) if body.text is not None else forms_of_document(body.definition, folder, catalog)


def _forms_document(forms: Forms) -> dict[str, Any]:
    issues = [issue_document(issue) for issue in forms.issues]
    return {"definition": forms.definition, "yaml": forms.yaml, "text": forms.text, "lines": dict(forms.lines), "issues": issues}


@routes.on("POST", "/parents/{parent}/rules/split", "rules.try", problems=("NOT_REFRESHED",), example=_SIZES)
def split_written(desk: AtDesk, parent: ParentName, body: Split) -> Json:
    """How many members each variant of an A/B test would have."""
    record = desk.parent(parent, "rules.try")
    draft = draft_of_document(Document(body.definition), body.folder.strip("/"))
    if not draft.issues.ok:
        raise InvalidInput(draft.located(draft.issues))
    with desk.engine(record) as engine:
        sizes = split_sizes(engine, draft.segment, desk.instant(body.as_of, engine.catalog.timezone))
    return Json({"variants": [asdict(size) for size in sizes]})


def _catalog(desk: Desk, parent: ParentRecord) -> FieldCatalog | None:
    """The fields of the last refresh; None before the first."""
    last = desk.kohort.store.last_refresh(parent.id)
    return catalog_from_document(last.catalog) if last is not None else None
