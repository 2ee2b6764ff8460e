"""The versions of a segment: what changed in words, who entered and left by it, and going back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.ports.definitions import SegmentVersion
from kohort.rules.text import write_rule
from kohort.services.definitions.stored import segment_of
from kohort.services.definitions.versions import SegmentDiff, compare, list_versions
from kohort.services.membership.history import HistoryPoint
from kohort.web.api.desk import AtDesk, ParentName, SegmentId
from kohort.web.studio.pages.segment_dashboard import known_history
from kohort.web.studio.pages.segment_frame import SegmentView, render_tab, segment_view
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()
_A_PAGE = 20
_ALL_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Effect:
    """What a version did to the members: its first evaluation against the last one before it.

    alone: both look at the same data at the same instant, so that nothing but the new version made the difference.
    """

    before: HistoryPoint | None
    after: HistoryPoint

    @property
    def alone(self) -> bool:
        first, second = self.before and self.before.evaluation, self.after.evaluation
        return bool(first and first.as_of == second.as_of and first.refresh_number == second.refresh_number)


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """One version. diff: against the version before it; None for the first, and where one of both cannot be read any more.
    text: the rule; "" when it cannot be read. effect: None until it is evaluated."""

    version: SegmentVersion
    diff: SegmentDiff | None
    text: str
    effect: Effect | None


@routes.page("/audiences/{parent}/segments/{segment}/history", "segments.read")
def history_page(
    request: Request,
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    until: Annotated[int | None, Query(ge=1, lt=2**31, description="Versions up to this one.")] = None,
) -> Response:
    """The History tab: versions, newest first."""
    view = segment_view(desk, parent, segment, "segments.read")
    _, versions = list_versions(desk.kohort.store, view.parent, str(view.record.id))
    older = [version for version in versions if until is None or version.number <= until]
    chosen, before = older[-_A_PAGE:], older[:-_A_PAGE]
    history = known_history(request, desk, view, view.record.path, _ALL_DAYS)
    effects = first_effects(history.points) if history else {}
    listed = [
        ShownVersion(version, _diff(view, earlier, version), _text(view, version), effects.get(version.number))
        for earlier, version in zip([before[-1] if before else None, *chosen], chosen, strict=False)
    ]
    following = before[-1].number if before else None
    return render_tab(request, "segments/history.html", desk, view, "history", versions=listed[::-1], following=following)


def _diff(view: SegmentView, earlier: SegmentVersion | None, version: SegmentVersion) -> SegmentDiff | None:
    if earlier is None:
        return None
    try:
        old, new = segment_of(view.record, earlier.document), segment_of(view.record, version.document)
    except UserError:
        return None
    return compare(old, new, f"version {earlier.number}", f"version {version.number}")


def _text(view: SegmentView, version: SegmentVersion) -> str:
    try:
        return write_rule(segment_of(view.record, version.document).rule)
    except UserError:
        return ""


def first_effects(points: Sequence[HistoryPoint]) -> dict[int, Effect]:
    """The first evaluation of every version, beside the evaluation before it."""
    found: dict[int, Effect] = {}
    before: HistoryPoint | None = None
    for point in points:
        if point.version not in found:
            found[point.version] = Effect(before, point)
        before = point
    return found
