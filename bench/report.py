"""Tables in Markdown of what was measured, and the record of the last runs (bench/results.json, shown as bench/RESULTS.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import FIGURES, Parts, better_duckdb, seconds_of, written
from bench.measured import Measured

ENGINES = {
    "indexed": "Kohort's profile index",
    "evaluator": "Kohort's SQL evaluator (DuckDB)",
    "scan": "DuckDB, shared scan by hand",
    "one-by-one": "DuckDB, one query per segment, text keys",
    "chdb": "ClickHouse (chdb), shared scan",
    "polars": "Polars, shared scan",
}
OTHERS = {
    "build": "refresh and index, from nothing",
    "compile": "compile all kernels",
    "export": "export for chdb and Polars",
    "thousand": "1,000 segments on the index",
    "thousand-check": "(some of) them by SQL, as a check",
    "membership": "two evaluations kept, changes, overlap",
    "preview": "previews",
}
ORDER = ("S", "M", "L")
INTRODUCTION = """# Measured

Written by `python -m bench.evaluate --record`; the numbers themselves are in `results.json`. Bars hold for size L.

"Warm" is with files in memory and code compiled, but no condition remembered. Every part runs in a process of its own; the best of up
to three runs within a minute counts (five on the index), previews are all counted. "Not files" is the largest anonymous part
of the memory, looked at every 20 ms: the rest of the peak is mapped files, which the system may take back.
All engines answer the same conditions of the same refresh; the shared scans answer them by ranges of profiles with integer ordinals, in
their own tables (ClickHouse, loaded before) or Parquet files (Polars), and their counts are compared with those of the SQL evaluator.
"""


@dataclass(frozen=True)
class Run:
    """What is known of one size. started: part -> when its run began; agreed: what was compared and found equal."""

    profiles: int
    events: int
    machine: str
    parts: Mapping[str, Measured] = field(default_factory=dict)
    started: Mapping[str, str] = field(default_factory=dict)
    agreed: str = ""

    def without_counts(self) -> Run:
        parts = {name: _plain(part) for name, part in self.parts.items()}
        return Run(self.profiles, self.events, self.machine, parts, self.started, self.agreed)

    def over(self, older: Run | None) -> Run:
        """This run, and what it did not measure from an older one of the same data."""
        if older is None or (older.profiles, older.events) != (self.profiles, self.events):
            return self
        agreed = self.agreed or older.agreed
        parts, started = {**older.parts, **self.parts}, {**older.started, **self.started}
        return Run(self.profiles, self.events, self.machine, parts, started, agreed)


def _plain(part: Measured) -> Measured:
    facts = {name: value for name, value in part.facts.items() if name != "counts"}
    return Measured(part.seconds, facts, part.peak_bytes, part.anonymous_bytes, part.problem)


# --- one size ---------------------------------------------------------------------------------------------------------


def section(name: str, run: Run) -> list[str]:
    """Everything there is to say about one size."""
    lines = [f"## {name}: {run.profiles:,} profiles, {run.events:,} events", "", *_circumstances(run), ""]
    if any(part in run.parts for part in ENGINES):
        lines += [*table(_engine_rows(run.parts), "lrrrrrl"), ""]
    figures = list(_figure_rows(run.parts))
    if figures:
        lines += [*table([("what", "measured", "bar (of size L)"), *figures], "lrl"), ""]
    if any(part in run.parts for part in OTHERS):
        lines += [*table(_other_rows(run.parts), "lrrr"), ""]
    return [*lines, *_notes(run.parts)]


def _circumstances(run: Run) -> Iterator[str]:
    yield run.machine
    if run.agreed:
        yield run.agreed
    times = sorted({run.started[part] for part in run.parts if part in run.started})
    if len(times) > 1:
        yield f"Put together from runs of {', '.join(times)}."
        engines = {run.started[part] for part in ENGINES if part in run.started}
        if len(engines) > 1:
            yield "The engines were not all measured in one run."
    elif times:
        yield f"Run of {times[0]}."


def _engine_rows(parts: Parts) -> list[tuple[str, ...]]:
    rows = [("100 segments, warm", "seconds", "CPU seconds", "peak memory", "of which not files", "to the index", "")]
    index = seconds_of(parts.get("indexed"))
    for name, label in ENGINES.items():
        part = parts.get(name)
        if part is None:
            continue
        value = seconds_of(part)
        seconds = part.problem if value is None else f"{value.bound} {value.number:.2f}".strip()
        ratio = "" if value is None or index is None or name == "indexed" else f"{value.bound} {value.number / index.number:.1f} x".strip()
        cpu = f"{part.facts['cpu']:.2f}" if "cpu" in part.facts else ""
        memory = (_mebibytes(part.peak_bytes), _mebibytes(part.anonymous_bytes))
        rows.append((label, seconds, cpu, *memory, ratio, _remark(name, part.facts)))
    return rows


def _remark(name: str, facts: Mapping[str, Any]) -> str:
    if name == "indexed":
        left = facts.get("left")
        return f"{facts.get('leaves')} distinct conditions{', left to SQL: ' + '; '.join(left) if left else ''}"
    if name == "chdb" and "load" in facts:
        return f"its tables were filled in {facts['load']:.1f} s before"
    if name == "one-by-one" and "slowest" in facts:
        return "slowest: " + ", ".join(f"{path} {seconds:.2f} s" for path, seconds in facts["slowest"])
    return ""


def _figure_rows(parts: Parts) -> Iterator[tuple[str, ...]]:
    for figure in FIGURES.values():
        value = figure.value(parts)
        if value is not None:
            yield figure.label, written(value, figure.unit), figure.verdict(value)


def _other_rows(parts: Parts) -> list[tuple[str, ...]]:
    rows = [("each part in a process of its own", "seconds", "peak memory", "of which not files")]
    for name, label in OTHERS.items():
        if name in parts:
            value = seconds_of(parts[name])
            seconds = parts[name].problem if value is None else f"{value.bound} {value.number:.2f}".strip()
            rows.append((label, seconds, _mebibytes(parts[name].peak_bytes), _mebibytes(parts[name].anonymous_bytes)))
    return rows


def _notes(parts: Parts) -> list[str]:
    notes = []
    best = better_duckdb(parts)
    if best is not None:
        notes.append(f"The best of the DuckDB rows is: {ENGINES[best[0]]}.")
    for name in ("build", "index"):
        if name in parts and "steps" in parts[name].facts:
            steps = sorted(parts[name].facts["steps"].items(), key=lambda item: -item[1])
            notes.append(f"Steps of {name}: " + ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps if seconds >= 0.005) + ".")
    if "thousand" in parts and "leaves" in parts["thousand"].facts:
        checked = f"; {parts['thousand'].facts['checked']:,} of the counts compared" if "checked" in parts["thousand"].facts else ""
        notes.append(f"The 1,000 segments have {parts['thousand'].facts['leaves']} distinct conditions{checked}.")
    return notes


def _mebibytes(number: int | None) -> str:
    return f"{number / 2**20:,.0f} MiB" if number else ""


def table(rows: Sequence[tuple[str, ...]], sides: str) -> list[str]:
    """Rows as Markdown that reads well as it is; the first are the headings. sides: l or r per column."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]

    def line(row: tuple[str, ...]) -> str:
        cells = (cell.ljust(width) if side == "l" else cell.rjust(width) for cell, width, side in zip(row, widths, sides, strict=True))
        return f"| {' | '.join(cells)} |"

    rule = "|".join("-" * (width + 1) + ("-" if side == "l" else ":") for width, side in zip(widths, sides, strict=True))
    return [line(rows[0]), f"|{rule}|", *map(line, rows[1:])]


# --- the record ---------------------------------------------------------------------------------------------------------


def record(name: str, run: Run, folder: Path) -> None:
    """Keep what a run measured beside what older ones did, and write the page again."""
    file = folder / "results.json"
    runs = read(file)
    runs[name] = run.without_counts().over(runs.get(name))
    file.write_text(json.dumps({one: asdict(runs[one]) for one in _ordered(runs)}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text("\n".join(page(runs)) + "\n", encoding="utf-8")


def read(file: Path) -> dict[str, Run]:
    """Size -> what is known of it."""
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {name: Run(**{**one, "parts": {part: Measured(**facts) for part, facts in one["parts"].items()}}) for name, one in found.items()}


def page(runs: Mapping[str, Run]) -> list[str]:
    """The whole page: growth over the sizes, then each size."""
    names = _ordered(runs)
    lines = [*INTRODUCTION.splitlines(), "", "## Growth", "", *table(list(_growth(runs, names)), "lr" + "r" * len(names)), ""]
    for name in names:
        lines += [*section(name, runs[name]), ""]
    return "\n".join(lines).strip().splitlines()


def _growth(runs: Mapping[str, Run], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield ("what", "bar", *names)
    for figure in FIGURES.values():
        values = [figure.value(runs[name].parts) for name in names]
        if any(value is not None for value in values):
            bar = "" if figure.bar is None else f"{figure.bar / 2**30:.1f} GiB" if figure.unit == "bytes" else f"{figure.bar:g}"
            yield (figure.label, bar, *("" if value is None else written(value, figure.unit) for value in values))
    for part, label in ENGINES.items():
        values = [seconds_of(runs[name].parts.get(part)) for name in names]
        if part != "indexed" and any(value is not None for value in values):
            yield (f"100 segments: {label}", "", *("" if value is None else written(value, "s") for value in values))


def _ordered(runs: Mapping[str, Run]) -> list[str]:
    return sorted(runs, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
