"""An explanation as a JSON document, the same for every interface."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from kohort.evaluation.explain import LimitOutcome, Node, SegmentExplanation, Turn, VariantPlace
from kohort.evaluation.observed import EvidenceRow, Missing, Observed, ShownWindow
from kohort.evaluation.turning_points import NextChange
from kohort.foundation.instants import Micros, format_instant
from kohort.parent.catalog import FieldCatalog
from kohort.services.insight.explain import CustomerExplanation

Json = dict[str, Any]


def explanation_document(found: CustomerExplanation) -> Json:
    """The explanation; instants in ISO 8601 UTC, exact numbers as text."""
    explanation = found.explanation
    return {
        "profile": {"key": found.key, "cdp_customer_id": found.customer_id},
        "segment": found.path or None,
        "member": explanation.holds,
        "as_of": format_instant(explanation.as_of),
        "explanation": _segment(explanation.segment, found.catalog),
        "smallest_change": None if explanation.change is None else [_turn(turn) for turn in explanation.change],
        "next_change": None if explanation.next is None else next_document(explanation.next),
    }


def next_document(change: NextChange) -> Json:
    """at: null when nothing ever changes; unchanged_until: set when the search was stopped there.

    at_latest, looked_until: only of what depends on other customers, see `NextChange`.
    """
    document: Json = {"at": _instant(change.at), "unchanged_until": _instant(change.unchanged_until)}
    if change.depends_on_others:
        document |= {"depends_on_others": True, "at_latest": _instant(change.at_latest), "looked_until": _instant(change.looked_until)}
    return document


def _segment(segment: SegmentExplanation, catalog: FieldCatalog) -> Json:
    return {
        "path": segment.path.lstrip("\0"),
        "member": segment.holds,
        "base": None if segment.base is None else _segment(segment.base, catalog),
        "variant": None if segment.variant is None else _variant(segment.variant),
        "rule": None if segment.tree is None else _node(segment.tree, catalog),
    }


def _variant(place: VariantPlace) -> Json:
    return {name: _plain(getattr(place, name)) for name in place.__dataclass_fields__}


def _node(node: Node, catalog: FieldCatalog) -> Json:
    document: Json = {"kind": node.kind, "path": list(node.path), "text": node.text, "holds": node.holds, "exclude": node.exclude}
    if node.description:
        document["description"] = node.description
    if node.parts:
        document["parts"] = [_node(part, catalog) for part in node.parts]
    if node.observed is not None:
        document["observed"] = _observed(node.observed, node, catalog)
    if node.limit is not None:
        document["limit"] = _limit(node.limit)
    if node.reference is not None:
        document["reference"] = _segment(node.reference, catalog)
    if node.next is not None:
        document["next_change"] = next_document(node.next)
    return document


def _limit(limit: LimitOutcome) -> Json:
    return {name: getattr(limit, name) for name in limit.__dataclass_fields__}


def _observed(observed: Observed, node: Node, catalog: FieldCatalog) -> Json:
    document: Json = {"value": plain_value(observed.value, observed.storage)}
    if observed.windows:
        document["windows"] = [_window(window) for window in observed.windows]
    if observed.rows is not None:
        document["rows"] = observed.rows
        document["evidence"] = [_row(row, catalog) for row in observed.evidence]
    if len(observed.parts) > 1 or any(part.group for part in observed.parts):
        document["parts"] = [
            {"group": dict(part.group), "value": plain_value(part.value, observed.storage), "passes": part.passes, "rows": part.rows}
            for part in observed.parts
        ]
    if observed.steps:
        document["steps"] = list(observed.steps)
    if observed.missing is not None:
        until = node.value_until.at if node.value_until else None
        document["missing"] = {**_missing(observed.missing), "until": _instant(until)}
    return document


def _window(window: ShownWindow) -> Json:
    ends = {"low": _instant(window.low), "high": _instant(window.high)}
    return {"column": window.column, **ends, "low_included": window.low_included, "high_included": window.high_included}


def _row(row: EvidenceRow, catalog: FieldCatalog) -> Json:
    fields = catalog.behavior[row.behavior].by_name
    values = {name: plain_value(value, fields[name].storage) for name, value in row.values.items()}
    return {"behavior": row.behavior, "at": format_instant(row.at), "values": values}


def _turn(turn: Turn) -> Json:
    missing = None if turn.missing is None else _missing(turn.missing)
    return {"text": turn.text, "to_hold": turn.to_hold, "missing": missing, "until": _instant(turn.until)}


def _missing(missing: Missing) -> Json:
    return {"direction": missing.direction, "amount": str(missing.amount), "strict": missing.strict}


def plain_value(value: Any, storage: str) -> Any:
    """A value as JSON has it, by its storage; times as instants."""
    if storage == "timestamp" and isinstance(value, int):
        return format_instant(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_plain(part) for part in value]
        case _:
            return value


def _instant(micros: Micros | None) -> str | None:
    return None if micros is None else format_instant(micros)
