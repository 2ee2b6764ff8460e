"""Rules that need not be saved: preview, count, explain; overlap of segments."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query

from kohort.documents.document import Document
from kohort.foundation.errors import InvalidInput, UserError
from kohort.ports.definitions import ParentRecord
from kohort.services.access import hidden_attributes
from kohort.services.evaluation.evaluate import Engine, bind_rule, bind_segment, count_expr, resolve_path
from kohort.services.evaluation.overlap import overlap_matrix
from kohort.services.insight.explain import explain_rule, explain_segment
from kohort.services.preview.document import matrix_document, preview_document
from kohort.services.preview.drafts import Draft, draft_of_document, draft_of_text
from kohort.services.preview.preview import Preview, preview
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Explained, Previewed, RuleToTry
from kohort.web.api.desk import AsOf, AtDesk, Desk, ParentName, SegmentId
from kohort.web.api.guard import Routes
from kohort.web.api.masking import explanation_for
from kohort.web.api.unseen import Unseen

routes = Routes("Rules")
_COUNT = {"count": 12, "total": 14, "share": 0.857, "as_of": "2024-03-01T00:00:00Z"}
_PREVIEW = {"count": 12, "total": 14, "share": 0.857, "conditions": {"rule": {"count": 12}}, "waterfalls": [], "issues": []}
_WHY = {"profile": {"key": "c042"}, "member": True, "explanation": {}, "smallest_change": [], "next_change": {"at": None}}


@routes.on("POST", "/parents/{parent}/preview", "rules.try", problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND"), example=_PREVIEW)
def preview_rule(desk: AtDesk, parent: ParentName, body: Previewed) -> Json:
    """What a rule gives: count, every condition's count, waterfall, sample, overlaps, who enters and leaves. Mistakes come as issues."""
    kohort, record = desk.kohort, desk.parent(parent, "rules.try")
    with desk.engine(record) as engine:
        draft, hidden = drafted(desk, record, engine, body), hidden_attributes(engine.catalog, desk.access, record.id)
        found = preview(
            engine,
            kohort.store,
            draft,
            snapshots=kohort.snapshots,
            as_of=desk.instant(body.as_of, engine.catalog.timezone),
            columns=body.columns,
            sample=body.sample if _may_look_at_anybody(desk, record, draft) else 0,
            overlaps=body.overlaps,
        )
    return Json(preview_document(_for_these_eyes(desk, record, found, hidden)))


def _for_these_eyes(desk: Desk, parent: ParentRecord, found: Preview, hidden: frozenset[str]) -> Preview:
    """Without personal data and without segments that may not be seen."""
    sample = found.sample
    rows = tuple(tuple(None if n in hidden else v for n, v in zip(sample.columns, row, strict=True)) for row in sample.rows)
    overlaps = tuple(pair for pair in found.overlaps if desk.sees(parent, pair.second))
    saved = found.saved
    if saved is not None:
        saved = replace(saved, dependents=tuple(change for change in saved.dependents if desk.sees(parent, change.path)))
    issues = Unseen.of(desk.kohort.store, desk.access).issues(found.issues)
    return replace(found, sample=replace(sample, rows=rows), overlaps=overlaps, saved=saved, issues=issues)


def _may_look_at_anybody(desk: Desk, parent: ParentRecord, draft: Draft) -> bool:
    """Whether members of a rule that is not saved may be seen: all profiles may, or the rule could be saved where it stands."""
    return desk.access.may("profiles.read", parent.id) or desk.access.may("segments.write", parent.id, draft.segment.folder)


@routes.on("POST", "/parents/{parent}/count", "rules.try", problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND"), example=_COUNT)
def count_rule(desk: AtDesk, parent: ParentName, body: RuleToTry) -> Json:
    """How many a rule holds for."""
    record = desk.parent(parent, "rules.try")
    with desk.engine(record) as engine:
        draft = sound_draft(drafted(desk, record, engine, body))
        expr = bind_segment(engine, draft.segment) if draft.is_named else bind_rule(engine, draft.segment.rule, draft.segment.folder)
        found = count_expr(engine, expr, desk.instant(body.as_of, engine.catalog.timezone))
    share = found.count / found.total if found.total else None
    return Json({"count": found.count, "total": found.total, "share": share, "as_of": found.as_of})


@routes.on(
    "POST", "/parents/{parent}/explain", "rules.try", problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND", "PROFILE_NOT_FOUND"), example=_WHY
)
def explain_unsaved(desk: AtDesk, parent: ParentName, body: Explained) -> Json:
    """Why a customer is, or is not, in a rule that need not be saved."""
    record = desk.parent(parent, "rules.try")
    desk.access.require("profiles.read", record.id)
    with desk.engine(record) as engine:
        draft = sound_draft(drafted(desk, record, engine, body))
        moment = desk.instant(body.as_of, engine.catalog.timezone)
        found = explain_rule(engine, draft.segment.rule, body.key, as_of=moment, evidence=body.evidence)
        return Json(explanation_for(desk, record, engine, found))


@routes.on(
    "GET",
    "/parents/{parent}/segments/{segment}/explain",
    "segments.read",
    problems=("NOT_REFRESHED", "PROFILE_NOT_FOUND", 503),
    example=_WHY,
)
def explain_saved(
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    key: Annotated[str, Query(max_length=2000, description="A master key or a cdp_customer_id.")],
    evidence: Annotated[int, Query(ge=0, le=100, description="How many rows a condition shows at most.")] = 5,
    as_of: AsOf = "",
) -> Json:
    """Why a customer is, or is not, in a segment: with the rows as evidence, what would change it, and when it changes by itself."""
    record, stored = desk.segment(parent, segment, "segments.read")
    desk.access.require("members.read", record.id, stored.folder)
    with desk.engine(record) as engine:
        moment = desk.instant(as_of, engine.catalog.timezone)
        found = explain_segment(engine, resolve_path(engine, stored.path), key, as_of=moment, evidence=evidence)
        return Json(explanation_for(desk, record, engine, found))


@routes.on(
    "GET",
    "/parents/{parent}/overlap",
    "segments.list",
    problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND", 503),
    example={"total": 14, "segments": [{"path": "Value/VIP", "count": 12}], "shared": [[12]], "pairs": []},
    name="overlap_of_segments",
)
def overlap(
    desk: AtDesk,
    parent: ParentName,
    segments: Annotated[
        list[Annotated[str, Query(max_length=1300)]], Query(max_length=200, description="Paths, names or ids; none: all.")
    ] = [],  # noqa: B006
    as_of: AsOf = "",
) -> Json:
    """How many members every two segments share."""
    kohort, record = desk.kohort, desk.parent(parent, "segments.list")
    with desk.engine(record) as engine:
        wanted = [resolve_path(engine, target) for target in segments] or sorted(engine.graph.by_path)
        seen = [path for path in wanted if desk.sees(record, engine.graph.owners[path])]
        if not seen:
            raise UserError("SEGMENT_NOT_FOUND", "there are no such segments", hint="list them first")
        moment = desk.instant(as_of, engine.catalog.timezone)
        return Json(matrix_document(overlap_matrix(engine, kohort.store, kohort.snapshots, seen, as_of=moment)))


def drafted(desk: Desk, parent: ParentRecord, engine: Engine, body: RuleToTry) -> Draft:
    """What was sent, as a draft; its issues are in it. Raises UserError RULE_MISSING, SEGMENT_NOT_FOUND."""
    if (body.text is None) == (body.definition is None):
        raise UserError("RULE_MISSING", "there must be one rule: text or definition", hint='write {"text": "lifetime_value > 1000"}')
    if body.text is not None:
        draft = draft_of_text(body.text, engine.catalog)
        draft = replace(draft, segment=replace(draft.segment, folder=body.folder.strip("/")))
    else:
        draft = draft_of_document(Document(body.definition), body.folder.strip("/"))
    if body.segment is None:
        return draft
    _, stored = desk.segment(str(parent.id), body.segment, "segments.read")
    return draft.standing_for(stored.path)


def sound_draft(draft: Draft) -> Draft:
    """The draft, when nothing is wrong with it. Raises InvalidInput."""
    issues: Any = draft.located(draft.issues)
    if not issues.ok:
        raise InvalidInput(issues)
    return draft
