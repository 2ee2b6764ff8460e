"""What a person in the studio waits for, in a browser: `python -m bench.studio_browser WORKSPACE [--only pages edits rows] [--record]`.

A server in a process of its own over a copy of the workspace (the index is shared, nothing is written into the workspace), and Chromium.
Pages: every one of the route table with an empty cache, signed in. Edits: from the last key or click to the new total on the screen, with
the 150 ms in which nothing is asked. Rows: from the click to the painted row of a rule of 120 conditions. --record writes bench/STUDIO.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.borrowed import borrowed
from bench.load_studio import places_of, sessions_of
from bench.report import table
from bench.studio_edits import LONG, Waited, edited, rows_added, save_long, save_short
from bench.studio_pages import BAR_PAINT_MS, Seen, looked_at
from kohort.bootstrap import Kohort, open_kohort
from kohort.ports.definitions import ParentRecord
from kohort.ports.users import ROLES
from kohort.services.definitions.stored import require_parent
from kohort.testing.browser import Unavailable, open_browser
from kohort.testing.server import running_server

HERE = Path(__file__).parent
PARTS = ("pages", "edits", "rows")
INTRODUCTION = """# The studio in a browser

Written by `make bench-studio RECORD=--record`. Pages are opened with an empty cache, signed in; kilobytes (1,000 bytes) are of everything
that came over the wire, headers included; first paint is the median of three visits; what moves is the cumulative layout shift.
Edits are timed from the last key or click to the paint of the new total, the 150 ms in which nothing is asked included.
"""


def pages_lines(seen: list[Seen], left_out: list[str]) -> list[str]:
    """The table of pages."""
    rows: list[tuple[str, ...]] = [("page", "KB", "bar", "first paint ms", "slowest", f"bar {BAR_PAINT_MS:.0f}", "moves", "")]
    for one in sorted(seen, key=lambda found: -found.kilobytes / found.bar_kilobytes):
        paint = _verdict(one.painted_ms, BAR_PAINT_MS, "ms")
        moves = "0" if one.moved == 0 else f"{one.moved:.4f}"
        sizes = (f"{one.kilobytes:.1f}", f"{one.bar_kilobytes:.0f}")
        rows.append((one.page, *sizes, f"{one.painted_ms:.0f}", f"{one.slowest_ms:.0f}", paint, moves, _verdicts(one)))
    told = [f"Not measured, parts of pages or not to be had as they are: {', '.join(left_out)}."] if left_out else []
    return [*table(rows, "lrrrrlrl"), "", *told]


def _verdicts(one: Seen) -> str:
    sent = _verdict(one.kilobytes, one.bar_kilobytes, "KB")
    return (
        "ok" if one.held else ", ".join(text for text in (sent, "" if one.moved == 0 else "something moves") if text != "ok" and text) or ""
    )


def _verdict(value: float, bar: float, unit: str) -> str:
    return "ok" if value <= bar else f"missed by {value - bar:.0f} {unit}"


def waited_lines(waited: list[Waited], what: str) -> list[str]:
    """The table of edits or rows."""
    rows: list[tuple[str, ...]] = [
        (what, "times", "fastest ms", "median ms", "p95 ms", "slowest ms", "p95 against the bar", "another total")
    ]
    for one in waited:
        times = [f"{value:.0f}" for value in (min(one.milliseconds), one.median_ms, one.p95_ms, max(one.milliseconds))]
        verdict = f"{one.bar_ms:.0f} ms: {_verdict(one.p95_ms, one.bar_ms, 'ms')}"
        rows.append((one.kind, str(len(one.milliseconds)), *times, verdict, f"{one.changed} times" if one.changed else ""))
    return [*table(rows, "lrrrrrll"), ""]


def measure(workspace: Path, parts: tuple[str, ...]) -> tuple[list[str], bool]:
    """What was measured as lines of Markdown, and whether every bar is held."""
    with borrowed(workspace) as copied, open_browser() as browser:
        kohort = open_kohort(copied)
        secret, places = sessions_of(kohort, len(ROLES))["admin"][0], places_of(kohort)
        parent = require_parent(kohort.store, places["parent"][0])
        done = kohort.store.last_refresh(parent.id)
        kohort.close()
        population = done.population if done else 0
        lines, held = [f"## {parent.name}: {population:,} profiles", "", _circumstances(), ""], True
        if "pages" in parts:
            with running_server(copied, {}) as server:
                seen, left_out = looked_at(browser, server.api_url, secret, places)
            lines += pages_lines(seen, left_out)
            held &= all(one.held for one in seen)
        for name, save, work, what in (
            ("edits", save_short, edited, "from an edit to the number"),
            ("rows", save_long, rows_added, f"a row more of {LONG}"),
        ):
            if name in parts:
                address = _saved(copied, parent, save)
                with running_server(copied, {}) as server:
                    waited = work(browser, server.api_url, secret, address)
                lines += waited_lines(waited, what)
                held &= all(one.held for one in waited)
    return [*lines, f"Every bar held: {'yes' if held else 'no'}."], held


def _saved(workspace: Path, parent: ParentRecord, save: Callable[[Kohort, ParentRecord], str]) -> str:
    kohort = open_kohort(workspace)
    try:
        return save(kohort, parent)
    finally:
        kohort.close()


def _circumstances() -> str:
    load_now = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} GMT"
    return f"{now}, {os.cpu_count()} cores, {platform.machine()}; load of the machine at the start: {load_now}."


def record(name: str, lines: list[str], folder: Path) -> None:
    """Keep what was measured of one workspace beside what was of others, and write the page again."""
    file = folder / "studio.json"
    known: Mapping[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    sections = {**known, name: lines}
    file.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n", "utf-8")
    body = "\n\n".join("\n".join(section) for section in sections.values())
    (folder / "STUDIO.md").write_text(f"{INTRODUCTION}\n{body}\n", "utf-8")


def main() -> int:
    """Measure and say whether the bars are held."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("workspace", type=Path)
    wanted.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    wanted.add_argument("--record", action="store_true", help="write bench/STUDIO.md")
    options = wanted.parse_args()
    try:
        lines, held = measure(options.workspace, tuple(options.only))
    except Unavailable as reason:
        print(f"Not measured: {reason}")
        return 1
    print("\n".join(lines))
    if options.record:
        record(lines[0], lines, HERE)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
