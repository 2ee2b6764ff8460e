"""What did not join or fit in a refresh, in words, with samples where they are for the one who looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, RefreshReport
from kohort.web.api.masking import Eyes
from kohort.web.studio.formats import count_text


@dataclass(frozen=True, slots=True)
class Loss:
    """One kind of rows or values that are not there. part: the name of the table in the parent segment."""

    part: str
    text: str
    samples: tuple[str, ...] = ()


def losses(report: RefreshReport, eyes: Eyes) -> list[Loss]:
    """Everything that was left out or became null, table by table."""
    found: list[Loss] = []
    parts: list[MasterReport | AttributeReport | BehaviorReport] = [report.master, *report.attributes, *report.behaviors]
    for part in parts:
        found += _of_part(part, eyes)
    return found


def _of_part(part: MasterReport | AttributeReport | BehaviorReport, eyes: Eyes) -> Iterator[Loss]:
    name = part.name if not isinstance(part, MasterReport) else "Master"
    if part.null_keys:
        yield Loss(name, f"{count_text(part.null_keys)} rows have no key")
    match part:
        case MasterReport():
            if part.filtered_out:
                yield Loss(name, f"{count_text(part.filtered_out)} rows are filtered out")
        case AttributeReport():
            if part.unmatched_keys:
                yield Loss(name, f"{count_text(part.unmatched_keys)} keys belong to no customer", eyes.keys(part.unmatched_samples))
            if part.extra_rows:
                text = f"{count_text(part.extra_rows)} rows of duplicate keys were left out"
                yield Loss(name, text, eyes.keys(part.duplicate_samples))
        case BehaviorReport():
            if part.unmatched_rows:
                yield Loss(name, f"{count_text(part.unmatched_rows)} rows belong to no customer", eyes.keys(part.unmatched_samples))
            if part.no_time:
                yield Loss(name, f"{count_text(part.no_time)} rows have no time")
    for misfit in part.misfits:
        text = f"{count_text(misfit.count)} values of {misfit.column} are no {misfit.type} and became null"
        yield Loss(name, text, eyes.values(part.source, misfit.column, misfit.samples))
