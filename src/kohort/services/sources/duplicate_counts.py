"""How many calls were received before, by source, since ever: a small file beside the log. A killed server forgets its last seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DUPLICATES_FILE: Final = "duplicates.json"
"""In the folder of the log."""


def read_duplicates(folder: Path) -> dict[str, int]:
    """Slug of a source -> calls."""
    try:
        counts = json.loads((folder / DUPLICATES_FILE).read_text(encoding="utf-8"))
        return {str(slug): int(count) for slug, count in counts.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_duplicates(folder: Path, counts: Mapping[str, int]) -> None:
    """Keep the counts. Raises OSError."""
    beside = folder / f"{DUPLICATES_FILE}.new"
    beside.write_text(json.dumps(dict(counts), ensure_ascii=False), encoding="utf-8")
    os.replace(beside, folder / DUPLICATES_FILE)
