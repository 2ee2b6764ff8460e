"""How the populations of all segments of a parent segment develop, side by side."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from kohort.foundation.instants import to_micros
from kohort.membership.snapshots import SegmentKey
from kohort.membership.statistics import GROWTH_DAYS, DayPopulation, Growth, daily_populations, day_of, growth
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.services.kept_evaluations import population_of, zone_of


@dataclass(frozen=True, slots=True)
class SegmentTrend:
    """One segment. days: its population day by day, () when it was never evaluated; growth: over 1, 7 and 30 days."""

    record: SegmentRecord
    days: tuple[DayPopulation, ...]
    growth: tuple[Growth, ...]
    base_count: int | None

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
    """The last `days` days of these segments, by folder and name."""
    records = [record for record in store.segments(parent.id) if record.id in ids]
    evaluations = store.evaluations(parent.id)
    if not evaluations:
        return Trends(tuple(SegmentTrend(record, (), (), None) for record in records), None, None, None)
    newest = max(evaluations, key=lambda found: (found.as_of, found.id))
    zone = zone_of(parent)
    last = day_of(to_micros(newest.as_of), zone)
    first = last - timedelta(days=days - 1)

    def trend(record: SegmentRecord) -> SegmentTrend:
        key = SegmentKey(record.id)
        counted = sorted(store.segment_evaluations(record.id), key=lambda found: (found.as_of, found.id))
        known = [(to_micros(found.as_of), own) for found in counted if (own := population_of(found, key)) is not None]
        figures = [(at, own.count) for at, own in known]
        grown = tuple(growth(figures, zone, last, distance) for distance in GROWTH_DAYS)
        return SegmentTrend(record, tuple(daily_populations(figures, zone, first, last)), grown, known[-1][1].base_count if known else None)

    return Trends(tuple(trend(record) for record in records), first, last, newest.total)
