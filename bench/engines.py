"""What is measured, each part in a process of its own so that its peak memory is its own.

python -m bench.engines PART FOLDER [OPTIONS as JSON]      prints one line of JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench import building, counting, editing, export, membership, thousand
from bench.measured import Measured, watched

PARTS: dict[str, Callable[[Path, Mapping[str, Any]], Measured]] = {
    "generate": building.measure_generate,
    "build": building.measure_build,
    "refresh": building.measure_refresh,
    "index": building.measure_index,
    "compile": building.measure_compile,
    "indexed": counting.measure_indexed,
    "evaluator": counting.measure_evaluator,
    "scan": counting.measure_scan,
    "one-by-one": counting.measure_one_by_one,
    "export": export.measure_export,
    "chdb": counting.measure_chdb,
    "polars": counting.measure_polars,
    "thousand": thousand.measure_thousand,
    "thousand-check": thousand.measure_thousand_check,
    "membership": membership.measure_membership,
    "preview": editing.measure_preview,
}


def measure(part: str, folder: Path, options: Mapping[str, Any]) -> Measured:
    """One part in this process, with the memory of the whole process."""
    with watched() as memory:
        found = PARTS[part](folder, options)
    return replace(found, peak_bytes=memory.peak_bytes, anonymous_bytes=memory.anonymous_bytes or None)


def main() -> None:
    """Measure one part."""
    part, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")
    print(json.dumps(asdict(measure(part, folder, options))))


if __name__ == "__main__":
    main()
