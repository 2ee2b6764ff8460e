"""The tutorial works as printed, from an empty folder."""

from pathlib import Path

from tests.docs.steps import check_steps
from tools.transcripts import Step


def test_the_tutorial_prints_what_it_shows(finished_tutorial: tuple[Path, list[Step]]) -> None:
    steps = finished_tutorial[1]
    assert len(steps) >= 30
    check_steps("tutorial.md", steps)
