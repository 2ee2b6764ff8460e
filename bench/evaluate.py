"""How fast Kohort is, beside other engines on the same data and rules: everything that bars are set for, in one run.

    python -m bench.evaluate --size S|M|L [--keep] [--only indexed,scan] [--limit SECONDS] [--record]

Makes the data when it is missing, refreshes and indexes it, then runs part after part, each in a process of its own, and prints tables
with times, peak memory, ratios and bars. A part that takes longer than the limit is stopped and shown as "> N".
Ends with 1 when a part fails or any count differs from that of the SQL evaluator.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.generate import HERE, add_size_options, chosen
from bench.measured import Measured
from bench.report import ENGINES, OTHERS, Run, record, section

PREPARATIONS = ("generate", "build", "index")
PARTS = (
    "generate",
    "build",
    "index",
    "compile",
    "indexed",
    "evaluator",
    "scan",
    "one-by-one",
    "export",
    "chdb",
    "polars",
    "thousand",
    "thousand-check",
    "membership",
    "preview",
)
LABELS = {**ENGINES, **OTHERS, "generate": "generate the data", "index": "build the profile index"}
COUNTED = ("evaluator", "one-by-one", "scan", "indexed", "chdb", "polars", "membership")
"""Parts that count the hundred segments; the first that did is the measure of the others."""
FAILED = "failed"
LIBRARIES = ("kohort", "duckdb", "pyarrow", "numpy", "numba", "chdb", "polars")


def measure(part: str, folder: Path, options: Mapping[str, Any], limit: float | None) -> Measured:
    """One part, in a process of its own. limit: seconds after which it is stopped."""
    print(f"  {LABELS[part]} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "bench.engines", part, str(folder), json.dumps(options)]
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "NUMBA_CACHE_DIR": empty} if part == "compile" else None
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=limit, env=environment)
        except subprocess.TimeoutExpired:
            return Measured(None, {"limit": limit}, problem=f"> {limit:g} s")
    if done.returncode:
        return Measured(None, problem=FAILED)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def planned(folder: Path, only: tuple[str, ...], keep: bool) -> list[str]:
    """The parts to run, in their order: those asked for, and what they cannot do without."""
    there = (folder / "workspace" / ".kohort" / "kohort.db").exists()
    fresh = "build" in only or not there or not (keep or only)
    wanted = {part for part in PARTS if part not in PREPARATIONS} if not only else set(only)
    wanted |= {"generate", "build"} if fresh else {"index"}
    if wanted & {"chdb", "polars"}:
        wanted.add("export")
    if "thousand-check" in wanted:
        wanted.add("thousand")
    return [part for part in PARTS if part in wanted]


def differences(left: Mapping[str, int], right: Mapping[str, int]) -> list[str]:
    """The segments whose counts differ, with both."""
    return [f"{path}: {left.get(path)} and {right.get(path)}" for path in sorted({*left, *right}) if left.get(path) != right.get(path)]


def compared(parts: Mapping[str, Measured]) -> tuple[str, list[str]]:
    """(What was found equal, everything that differs)."""
    counted = [part for part in COUNTED if part in parts and "counts" in parts[part].facts]
    wrong: list[str] = []
    for part in counted[1:]:
        found = differences(parts[counted[0]].facts["counts"], parts[part].facts["counts"])
        wrong += [f"{LABELS[counted[0]]} and {LABELS[part]}: {one}" for one in found]
    check = parts["thousand-check"].facts.get("counts", {}) if "thousand-check" in parts else {}
    thousand = parts["thousand"].facts.get("counts", {}) if "thousand" in parts else {}
    wrong += [f"1,000 segments: {one}" for one in differences(check, {path: thousand.get(path) for path in check})]
    wrong += [f"membership: {one}" for part in parts.values() for one in part.facts.get("wrong", ())]
    agreed = f"All counts of the 100 segments equal: {'; '.join(LABELS[part] for part in counted)}." if len(counted) > 1 else ""
    return agreed if not wrong else "", wrong


def machine(load: float) -> str:
    """What it ran on. load: how many processes wanted a processor before the run."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        cpu = None
    name = cpu[1].strip() if cpu else platform.processor() or platform.machine()
    libraries = ", ".join(f"{library} {found}" for library in LIBRARIES if (found := _version(library)))
    system = f"{platform.system()}, Python {platform.python_version()}, {libraries}"
    return f"{os.cpu_count()} x {name}, {memory:.0f} GiB; {system}; load before the run {load:.1f}."


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    return names


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 when all parts ran (or were stopped) and all counts agree."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluate", description=__doc__.split("\n", 1)[0])
    add_size_options(parser)
    parser.add_argument("--keep", action="store_true", help="use the refreshed workspace that is there; its index too, if it can be read")
    parser.add_argument("--only", type=_parts, default=(), metavar="PART,...", help=f"only these parts: {', '.join(PARTS)}")
    parser.add_argument("--limit", type=float, default=900, metavar="SECONDS", help="stop a part after so long (default 900)")
    parser.add_argument("--record", action="store_true", help="also write the results into bench/RESULTS.md")
    asked = parser.parse_args(arguments)
    name, size, folder = chosen(asked)
    options = {"profiles": size.profiles, "events": size.events, "seed": asked.seed, "missing": True}
    load = os.getloadavg()[0]
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    parts: dict[str, Measured] = {}
    for part in planned(folder, asked.only, asked.keep):
        parts[part] = measure(part, folder, options, None if part in PREPARATIONS else asked.limit)
        if part in PREPARATIONS and parts[part].problem == FAILED:
            sys.exit(f"{LABELS[part]}: failed")
    agreed, wrong = compared(parts)
    if "thousand" in parts and "counts" in parts.get("thousand-check", Measured(None)).facts:
        checked = len(parts["thousand-check"].facts["counts"])
        parts["thousand"] = replace(parts["thousand"], facts={**parts["thousand"].facts, "checked": checked})
    measured = {part: found for part, found in parts.items() if part != "generate" and found.problem != "there"}
    run = Run(size.profiles, size.events, machine(load), measured, dict.fromkeys(measured, started), agreed)
    print("\n".join(section(name, run)))
    if wrong:
        print("\n".join(["", "Counts differ:", *wrong]))
    failed = [LABELS[part] for part, found in parts.items() if found.problem == FAILED]
    if failed:
        print(f"\nFailed: {', '.join(failed)}.")
    if asked.record and not wrong and not failed:
        record(name, run, HERE)
    return 1 if wrong or failed else 0


if __name__ == "__main__":
    sys.exit(main())
