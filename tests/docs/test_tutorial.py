"""The tutorial works as printed, from an empty folder."""

from pathlib import Path

from tests.docs.steps import check_page
from tools.transcripts import TUTORIAL


def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    check_page(TUTORIAL, tmp_path, at_least=30)
