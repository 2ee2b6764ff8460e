"""Holds a page to what its commands print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.transcripts import Step, run_page


def check_page(page: Path, root: Path, start: str = ".", *, at_least: int = 1) -> None:
    """Every command of the page prints what the page shows and ends as it says."""
    steps, _ = run_page(page.read_text(encoding="utf-8"), root, start)
    assert len(steps) >= at_least
    check_steps(page.name, steps)


def check_steps(name: str, steps: Sequence[Step]) -> None:
    """What was printed is what the page shows."""
    printed = "".join(f"$ {step.command} [{step.exit_code}]\n{step.printed}" for step in steps)
    shown = "".join(f"$ {step.command} [{step.wanted_exit}]\n{step.expected}" for step in steps)
    assert printed == shown, f"{name} is not what the commands print. Run: python -m tools.transcripts"
