"""How the populations of all segments of a parent segment develop, side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from kohort.foundation.instants import midnight, to_micros
from kohort.membership.statistics import GROWTH_DAYS, ONE_DAY, DayPopulation, Growth, day_of
from kohort.ports.definitions import DefinitionStore, ParentRecord, PopulationRecord, SegmentRecord
from kohort.services.membership.kept_evaluations import in_order, zone_of


@dataclass(frozen=True, slots=True)
class SegmentTrend:
    """One segment. days: its population day by day, () when it was never evaluated; growth: over 1, 7 and 30 days.

    inside: the path of the segment it is evaluated inside, whose members base_count counts; "": the whole parent segment.
    """

    record: SegmentRecord
    days: tuple[DayPopulation, ...]
    growth: tuple[Growth, ...]
    base_count: int | None
    inside: str

    @property
    def population(self) -> int | None:
        return self.days[-1].population if self.days else None

    @property
    def share(self) -> float | None:
        return self.population / self.base_count if self.population is not None and self.base_count else None

    def change(self, days: int) -> Growth:
        """Its growth over 1, 7 or 30 days."""
        return next((item for item in self.growth if item.days == days), Growth(days, None, None, None))


@dataclass(frozen=True, slots=True)
class Trends:
    """All segments asked for. last: the day of the parent's last evaluation; None: there is none. total: its customers then."""

    segments: tuple[SegmentTrend, ...]
    first: date | None
    last: date | None
    total: int | None


def segment_trends(store: DefinitionStore, parent: ParentRecord, ids: Collection[int], days: int) -> Trends:
    """The last `days` days of these segments, by folder and name; as `segment_history` tells them of one."""
    records = [record for record in store.segments(parent.id) if record.id in ids]
    evaluations = in_order(store.evaluations(parent.id))
    if not evaluations:
        return Trends(tuple(SegmentTrend(record, (), (), None, "") for record in records), None, None, None)
    zone = zone_of(parent)
    by_day = {day_of(to_micros(found.as_of), zone): found for found in evaluations}
    last = max(by_day)
    first, reach = last - timedelta(days=days - 1), last - timedelta(days=max(days - 1, *GROWTH_DAYS))
    start = max((day for day in by_day if day <= reach), default=reach)
    chosen = {day: found.id for day, found in by_day.items() if day >= start}
    counted = store.populations(list(chosen.values()))
    by_segment = {day: _own(counted.get(evaluation_id, ())) for day, evaluation_id in sorted(chosen.items())}
    midnights = [(day, midnight(day, zone)) for day in _days(first, last) if midnight(day, zone) < midnight(day + ONE_DAY, zone)]

    def trend(record: SegmentRecord) -> SegmentTrend:
        known = {day: found[record.id] for day, found in by_segment.items() if record.id in found}
        carried = _carried({day: found.count for day, found in known.items()}, start, last)
        shown = tuple(DayPopulation(day, at, carried[day], day in known) for day, at in midnights if day in carried)
        grown = tuple(_growth(carried, last, distance) for distance in GROWTH_DAYS)
        newest = known[max(known)] if known else None
        inside = newest.share_of if newest and newest.share_of != parent.name else ""
        return SegmentTrend(record, shown, grown, newest.base_count if newest else None, inside)

    return Trends(tuple(trend(record) for record in records), first, last, by_day[last].total)


def _own(listed: Iterable[PopulationRecord]) -> dict[int, PopulationRecord]:
    """By segment, without variants: their paths are longer."""
    found: dict[int, PopulationRecord] = {}
    for population in listed:
        before = found.get(population.segment_id)
        if before is None or len(population.path) < len(before.path):
            found[population.segment_id] = population
    return found


def _days(first: date, last: date) -> Iterator[date]:
    for distance in range((last - first).days + 1):
        yield first + timedelta(days=distance)


def _carried(counts: Mapping[date, int], start: date, last: date) -> dict[date, int]:
    """A figure for every day from the first known one on: its own, or that of the day before."""
    found: dict[date, int] = {}
    current: int | None = None
    for day in _days(start, last):
        current = counts.get(day, current)
        if current is not None:
            found[day] = current
    return found


def _growth(carried: Mapping[date, int], last: date, days: int) -> Growth:
    now, before = carried.get(last), carried.get(last - timedelta(days=days))
    if now is None or before is None:
        return Growth(days, None, None, None)
    return Growth(days, before, now - before, (now - before) / before if before else None)
