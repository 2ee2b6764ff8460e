"""Records as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kohort.ports.definitions import EvaluationRecord, ParentRecord, RefreshRecord, SegmentRecord, SegmentVersion
from kohort.ports.runs import RunRecord
from kohort.ports.sources import SourceRecord, WriteKeyRecord
from kohort.ports.users import AuditRecord, Grant, TokenRecord, UserRecord
from kohort.rules.text import write_rule
from kohort.services.definitions.listing import ListedSegment
from kohort.services.definitions.revisions import revision_of
from kohort.services.definitions.stored import segment_of
from kohort.services.definitions.versions import SegmentDiff
from kohort.services.membership.history import SegmentHistory
from kohort.services.profiles.card import ProfileCard
from kohort.services.profiles.pages import ProfilePage
from kohort.services.sources.status import SourceState
from kohort.services.tokens import state_of
from kohort.web.api.pages import write_cursor
from kohort.web.api.running import Progress
from kohort.web.api.shapes import common, runs

Json = dict[str, Any]


def parent_document(record: ParentRecord, last: RefreshRecord | None) -> Json:
    """A parent segment in a list. last: its last good refresh."""
    return {
        "id": record.id,
        "slug": record.slug,
        "name": record.name,
        "version": record.version,
        "revision": revision_of(record),
        "population": last.population if last else None,
        "refreshed_at": last.finished_at if last else None,
        "as_of": last.as_of if last else None,
        **_written(record),
    }


def refresh_document(record: RefreshRecord, parent: ParentRecord, progress: Progress | None = None) -> Json:
    """A refresh without its report; with how far it is while it runs."""
    return {
        "id": record.id,
        "kind": "refresh",
        "parent": parent.slug,
        "number": record.number,
        "status": record.status,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "as_of": record.as_of,
        "population": record.population if record.status == "success" else None,
        "message": record.message,
        "progress": _progress(progress) if record.status == "running" else None,
    }


def run_document(run: RunRecord, parent: ParentRecord, progress: Progress | None = None) -> runs.Run:
    """A refresh or an evaluation with its log; with how far it is while it runs in this server."""
    return {
        "id": run.id,
        "kind": run.kind,
        "parent": parent.slug,
        "number": run.number,
        "status": run.status,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "seconds": _seconds(run),
        "as_of": run.as_of,
        "population": run.counts.get("profiles"),
        "asked_by": run.asked_by,
        "way": _WAYS.get(run.way, ""),
        "message": run.message,
        "counts": dict(run.counts),
        "log": [{"name": step.name, "seconds": step.seconds} for step in run.log],
        "progress": _progress(progress) if run.status == "running" else None,
        "problem": _run_problem(run.problem) if run.problem else None,
    }


_WAYS: Mapping[str, common.Way] = {"session": "session", "token": "token", "cli": "cli", "link": "link"}


def _seconds(run: RunRecord) -> float:
    """How long it took; while it runs, the steps that are over."""
    if run.finished_at is None:
        return round(sum(step.seconds for step in run.log), 3)
    return round((run.finished_at - run.started_at).total_seconds(), 3)


def _progress(progress: Progress | None) -> runs.RunProgress | None:
    return {"step": progress.name, "done": progress.done, "total": progress.total} if progress is not None else None


def _run_problem(problem: Mapping[str, Any]) -> runs.RunProblem:
    return {"code": problem["code"], "detail": problem["detail"], "hint": problem["hint"], "issues": problem["issues"]}


def evaluation_document(done: EvaluationRecord) -> runs.Evaluation:
    """An evaluation that is done."""
    return {"evaluation": done.id, "as_of": done.as_of, "total": done.total, "segments": len(done.populations)}


def segment_document(record: SegmentRecord, listed: ListedSegment | None) -> Json:
    """A segment in a list, with the population of the last evaluation."""
    return {
        "id": record.id,
        "path": record.path,
        "folder": record.folder,
        "name": record.name,
        "kind": record.kind,
        "version": record.version,
        "revision": revision_of(record),
        "population": listed.population if listed else None,
        "share": listed.share if listed else None,
        "share_of": listed.share_of if listed else None,
        "base_population": listed.base_count if listed else None,
        "evaluated_at": listed.evaluated_at if listed else None,
        **_written(record),
    }


def definition_of(record: SegmentRecord) -> Json:
    """The whole definition as its file has it, and the rule as text."""
    segment = segment_of(record)
    place = {"name": record.name, **({"folder": record.folder} if record.folder else {})}
    return {"definition": {**place, **record.document}, "text": write_rule(segment.rule)}


def version_document(record: SegmentRecord, version: SegmentVersion) -> Json:
    """One version and its rule as text."""
    return {
        "version": version.number,
        "created_at": version.created_at,
        "created_by": version.created_by,
        "note": version.note,
        "text": write_rule(segment_of(record, version.document).rule),
        "definition": {"name": record.name, **version.document},
    }


def diff_document(found: SegmentDiff) -> Json:
    """What changed between two versions."""
    rule = [{"kind": c.kind, "before": c.before, "after": c.after, "sentence": c.sentence} for c in found.rule]
    fields = [{"field": c.field, "before": c.before, "after": c.after} for c in found.fields]
    return {"path": found.path, "from": found.old, "to": found.new, "same_meaning": found.same_meaning, "rule": rule, "fields": fields}


def history_document(found: SegmentHistory) -> Json:
    """The population by day, growth, and every evaluation."""
    points = [
        {
            "evaluation": point.evaluation.id,
            "as_of": point.evaluation.as_of,
            "version": point.version,
            "population": point.population,
            "share_of": point.share_of,
            "base_population": point.base_count,
            "entered": point.entered,
            "left": point.left,
        }
        for point in found.points
    ]
    return {
        "path": found.path,
        "timezone": found.timezone,
        "days": [{"day": day.day, "population": day.population, "has_run": day.has_run} for day in found.days],
        "growth": [{"days": item.days, "change": item.change, "ratio": item.ratio} for item in found.growth],
        "evaluations": points,
        "unreadable": list(found.unreadable),
    }


def card_document(card: ProfileCard, hidden: frozenset[str], hidden_columns: Mapping[str, frozenset[str]], segments: list[str]) -> Json:
    """A profile; hidden: attributes, and columns by behavior, whose values are not for the one who asks."""
    days = [
        {
            "date": day,
            "rows": [
                {"behavior": row.behavior, "label": row.label, "at": row.at, "values": masked(row.values, hidden_columns[row.behavior])}
                for row in rows
            ],
        }
        for day, rows in card.days
    ]
    return {
        "key": None if card.key_column in hidden else card.key,
        "key_column": card.key_column,
        "cdp_customer_id": card.customer_id,
        "as_of": card.as_of,
        "attributes": masked({field.name: value for field, value in card.attributes}, hidden),
        "masked": sorted(hidden),
        "behaviors": days,
        "behavior_counts": card.behavior_counts,
        "segments": segments,
        "segments_as_of": card.segments_as_of,
    }


def masked(values: Mapping[str, Any], hidden: frozenset[str]) -> Json:
    """The values, null for those that are hidden."""
    return {name: None if name in hidden else value for name, value in values.items()}


def profiles_document(page: ProfilePage, key_column: str, hidden: frozenset[str]) -> Json:
    """Profiles of one page, and where the next begins; what is hidden is null."""
    items = [
        {
            "key": None if key_column in hidden else row.key,
            "cdp_customer_id": row.customer_id,
            "attributes": masked(row.attributes, hidden),
        }
        for row in page.rows
    ]
    following = write_cursor(page.rows[-1].ordinal) if page.has_more and page.rows else None
    return {"masked": sorted(hidden), "items": items, "next": following}


def source_document(record: SourceRecord, keys: list[WriteKeyRecord], now: datetime) -> Json:
    """A source; of its keys only the last four characters."""
    return {
        "name": record.name,
        "schema": record.slug,
        "status": record.status,
        "naming": record.naming,
        "accept_unknown_keys": record.accept_unknown_keys,
        "rate_limit": record.rate_limit,
        "revision": revision_of(record),
        "keys": [
            {
                "last_four": k.last_four,
                "valid": k.valid_at(now),
                "created_at": k.created_at,
                "created_by": k.created_by,
                "expires_at": k.expires_at,
            }
            for k in keys
        ],
        **_written(record),
    }


def state_document(state: SourceState) -> Json:
    """How a source is doing."""
    return {
        "name": state.source.name,
        "schema": state.source.slug,
        "status": state.source.status,
        "at": state.at,
        "calls": {
            "received": state.received,
            "in_tables": state.loaded,
            "waiting": state.waiting,
            "waiting_more": state.waiting_more,
            "rejected": state.rejected,
            "values_discarded": state.discarded,
            "duplicates": state.duplicates,
        },
        "refused_requests": dict(state.refused),
        "tables": dict(state.tables),
        "age_seconds": state.age_seconds,
        "last_call_at": state.last_call_at,
        "problem": state.problem,
    }


def user_document(user: UserRecord, grants: list[Json], revision: str) -> Json:
    """A user; never the password's hash. revision: see `kohort.services.users.user_revision`."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "has_password": bool(user.password_hash),
        "grants": grants,
        "revision": revision,
        **_written(user),
    }


def grant_document(grant: Grant, parents: Mapping[int, ParentRecord]) -> Json:
    """A grant with the slug of its parent segment."""
    parent = parents.get(grant.parent_id)
    return {"parent": parent.slug if parent else str(grant.parent_id), "folder": grant.folder, "role": grant.role}


def token_document(token: TokenRecord, owner: UserRecord | None, now: datetime) -> Json:
    """A token; of the token itself only the last four characters."""
    return {
        "id": token.id,
        "user": owner.name if owner else "",
        "name": token.name,
        "last_four": token.last_four,
        "role": token.role,
        "state": state_of(token, owner, now),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "made_with": token.made_with,
    }


def audit_document(record: AuditRecord) -> Json:
    """An entry of the audit log."""
    return {"id": record.id, **{name: getattr(record.entry, name) for name in record.entry.__dataclass_fields__}}


def _written(record: ParentRecord | SegmentRecord | SourceRecord | UserRecord) -> Json:
    return {name: getattr(record, name) for name in ("created_at", "created_by", "updated_at", "updated_by")}
