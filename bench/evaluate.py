"""How long one hundred segments take: Kohort's profile index and its SQL evaluator beside one query per segment.

    python -m bench.evaluate --size S|M|L [--keep] [--repeat N] [--record]

Makes the data when it is missing, refreshes it, builds the index, counts every segment three ways, prints one table with
times, peak memory and ratios, and fails (exit 1) when any count differs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.engines import Measured
from bench.generate import HERE, Size, add_size_options, chosen

RESULTS = HERE / "RESULTS.md"
LABELS = {
    "generate": "generate the data",
    "refresh": "refresh the parent segment",
    "index": "build the profile index",
    "one-by-one": "one query per segment, text keys",
    "evaluator": "Kohort's SQL evaluator, all at once",
    "indexed": "Kohort's profile index",
}


def measure(part: str, folder: Path, options: dict[str, Any]) -> Measured:
    """One part, in a process of its own. Ends the program when it fails."""
    print(f"  {LABELS[part]} ...", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "bench.engines", part, str(folder), json.dumps(options)], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{LABELS[part]}: failed")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def differences(left: dict[str, int], right: dict[str, int]) -> list[str]:
    """The segments whose counts differ, with both."""
    return [f"{path}: {left.get(path)} and {right.get(path)}" for path in sorted({*left, *right}) if left.get(path) != right.get(path)]


def table(parts: dict[str, Measured]) -> list[str]:
    """The rows of the table, as Markdown that reads well as it is."""
    base = parts["one-by-one"].seconds
    rows = [("what", "seconds", "peak memory", "times faster")]
    for part, measured in parts.items():
        ratio = f"{base / measured.seconds:.1f}" if part in ("one-by-one", "evaluator", "indexed") else ""
        there = part == "generate" and not measured.facts["made"]
        seconds = "(there)" if there else f"{measured.seconds:.2f}"
        rows.append((LABELS[part], seconds, "" if there else f"{measured.peak_bytes / 2**20:,.0f} MiB", ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["| " + " | ".join(_cell(row, column, widths) for column in range(4)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if column == 0 else ":") for column, width in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def _cell(row: tuple[str, ...], column: int, widths: list[int]) -> str:
    return row[column].ljust(widths[column]) if column == 0 else row[column].rjust(widths[column])


def machine() -> str:
    """What it ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        cpu = None
    name = cpu[1].strip() if cpu else platform.processor() or platform.machine()
    libraries = ", ".join(f"{library} {version(library)}" for library in ("duckdb", "pyarrow", "numpy", "numba", "kohort"))
    return f"{os.cpu_count()} x {name}, {memory:.0f} GiB; {platform.system()}, Python {platform.python_version()}, {libraries}"


def report(name: str, size: Size, parts: dict[str, Measured]) -> list[str]:
    """Everything there is to say."""
    counts, facts = parts["evaluator"].facts["counts"], parts["evaluator"].facts
    slowest = ", ".join(f"{path} {seconds:.2f} s" for path, seconds in parts["one-by-one"].facts["slowest"])
    return [
        f"## {name}: {size.profiles:,} profiles, {size.events:,} events",
        "",
        f"{len(counts)} segments, {facts['leaves']} distinct conditions; all counts equal. {datetime.now(UTC):%Y-%m-%d}.",
        machine(),
        "",
        *table(parts),
        "",
        f"The slowest single queries: {slowest}.",
        *index_lines(parts["index"].facts, parts["indexed"].facts),
    ]


def index_lines(built: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What else the index does, and how fast."""
    new = sorted(facts["new"])
    lines = [
        f"On the index ({built['bytes'] / 2**20:,.0f} MiB of files): the first evaluation of a process {facts['cold']:.2f} s;",
        f"one condition nobody asked before {new[len(new) // 2]:.4f} s (slowest of {len(new)}: {new[-1]:.4f} s);",
        f"all hundred again from known conditions {facts['known']:.4f} s.",
    ]
    return [*lines, f"Left to SQL: {'; '.join(facts['left'])}."] if facts["left"] else lines


def record(name: str, lines: list[str]) -> None:
    """Replace one size's section in RESULTS.md."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Measured\n\nWritten by `python -m bench.evaluate --record`.\n"
    kept = [part for part in re.split(r"(?m)^(?=## )", text) if not part.startswith(f"## {name}:")]
    order = {"## S:": 1, "## M:": 2, "## L:": 3}
    sections = sorted([*kept[1:], "\n".join(lines) + "\n"], key=lambda part: order.get(part[:5], 4))
    RESULTS.write_text("\n".join(part.strip() + "\n" for part in (kept[0], *sections)), encoding="utf-8")


def main() -> int:
    """The command line: 0 when all counts agree."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluate", description=__doc__.split("\n", 1)[0])
    add_size_options(parser)
    parser.add_argument("--keep", action="store_true", help="do not refresh again when the workspace is there")
    parser.add_argument("--repeat", type=int, default=1, help="count so many times; the best time is shown")
    parser.add_argument("--record", action="store_true", help="also write the result into bench/RESULTS.md")
    chosen_options = parser.parse_args()
    name, size, folder = chosen(chosen_options)
    options = {"profiles": size.profiles, "events": size.events, "seed": chosen_options.seed, "repeat": chosen_options.repeat}
    fresh = not (chosen_options.keep and (folder / "workspace").exists())
    names = [part for part in LABELS if part != "refresh" or fresh]
    parts = {part: measure(part, folder, options) for part in names}
    for other in ("evaluator", "indexed"):
        different = differences(parts[other].facts["counts"], parts["one-by-one"].facts["counts"])
        if different:
            print("\n".join([f"counts differ ({LABELS[other]} and single query):", *different]))
            return 1
    lines = report(name, size, parts)
    print("\n".join(lines))
    if chosen_options.record:
        record(name, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
