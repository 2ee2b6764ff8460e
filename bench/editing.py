"""What somebody who edits a segment waits for: the preview service after every change, and single conditions nobody asked before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from bench.generate import AS_OF
from bench.measured import Measured, median, percentile, timed
from bench.shop import bound_segments, opened, save_segments
from kohort.foundation.instants import to_micros
from kohort.services.evaluation.evaluate import Engine, bind_rule, evaluate_all, open_engine, read_text_rule
from kohort.services.evaluation.overlap import kept_snapshot
from kohort.services.preview.drafts import draft_of_text
from kohort.services.preview.preview import preview

EDITS = 30
PARTS: tuple[Callable[[int], str], ...] = (
    lambda n: f"lifetime_value > {200 + n}",
    lambda n: f"purchase count >= {1 + n % 4} in last {170 + n} days",
    lambda n: f"(page_view count >= {2 + n % 5} in last {50 + n} days where device = 'mobile')",
    lambda n: f"(email_open in last {40 + n} days where campaign_id != 'camp-{n % 60:03d}')",
    lambda n: f"not support_ticket in last {80 + n} days",
)
"""The conditions of the edited segment, each in as many forms as there are numbers."""
NEW_CONDITIONS = tuple(
    text
    for n in range(5)
    for text in (
        f"page_view count >= {12 + n} in last {400 + n} days where path starts with '/category/'",
        f"page_view sum(seconds) >= {2000 + n} where device != 'tablet'",
    )
)
"""On the largest behavior, all but everything of it in the window."""

Options = Mapping[str, Any]


def rule(forms: tuple[int, ...], joint: str = " and ") -> str:
    """The segment with each condition in one of its forms."""
    return joint.join(part(form) for part, form in zip(PARTS, forms, strict=True))


def edits(first: int) -> list[tuple[int, ...]]:
    """One condition changed at a time, each time to a form never seen before."""
    forms, found = [0] * len(PARTS), []
    for edit in range(EDITS):
        forms[edit % len(PARTS)] = first + edit
        found.append(tuple(forms))
    return found


def measure_preview(folder: Path, _: Options) -> Measured:
    """In a process that has evaluated all segments once: previews with and without overlaps, of known conditions only, of new ones."""
    with opened(folder) as (shop, engine):
        save_segments(shop, engine.catalog)
        engine = open_engine(shop.warehouse, shop.store, engine.parent, shop.settings.range_size, shop.index_use)
        if kept_snapshot(engine, shop.store, shop.snapshots, AS_OF) is None:
            evaluate_all(engine, shop.store, shop.snapshots, shop.clock, as_of=AS_OF, keep=shop.settings.keep_evaluations)
        engine.run(bound_segments(engine.catalog), to_micros(AS_OF))

        def asked(text: str, overlaps: int) -> float:
            draft = draft_of_text(text, engine.catalog)
            seconds, found = timed(lambda: preview(engine, shop.store, draft, snapshots=shop.snapshots, as_of=AS_OF, overlaps=overlaps))
            if found.count is None:
                raise RuntimeError(f"{text}: {', '.join(found.issues.codes())}")
            return seconds

        opening = asked(rule((0,) * len(PARTS)), 20)
        without = [asked(rule(forms), 0) for forms in edits(1)]
        recombined = _recombined()
        known = [asked(text, 0) for text in recombined]
        counted = [_counted(engine, text) for text in recombined]
        with_overlaps = [asked(rule(forms), 20) for forms in edits(1 + EDITS)]
        new = [_counted(engine, text) for text in NEW_CONDITIONS]
        facts = {
            "opening": opening,
            "without": _spread(without),
            "with": _spread(with_overlaps),
            "known": _spread(known),
            "counted": _spread(counted),
            "new": _spread(new),
        }
        return Measured(sum(without) + sum(known) + sum(with_overlaps) + sum(new), facts)


def _recombined() -> list[str]:
    """Rules of conditions that the edits without overlaps have asked for, put together as nobody did before."""
    random, seen = Random("recombined"), edits(1)
    found = []
    for _ in range(EDITS):
        forms = tuple(random.choice(seen)[place] for place in range(len(PARTS)))
        found.append(rule(forms, random.choice((" and ", " or "))))
    return found


def _counted(engine: Engine, text: str) -> float:
    """How long it takes to count a rule, and nothing else."""
    expr = bind_rule(engine, read_text_rule(text, engine.catalog))
    return timed(lambda: engine.run({"asked": expr}, to_micros(AS_OF)).members["asked"].count())[0]


def _spread(seconds: list[float]) -> dict[str, float]:
    return {"median": median(seconds), "p95": percentile(seconds, 0.95), "slowest": max(seconds), "runs": len(seconds)}
