"""Holds a page to what its commands print."""

from __future__ import annotations

from pathlib import Path

from tools.transcripts import run_page


def check_page(page: Path, root: Path, start: str = ".", *, at_least: int = 1) -> None:
    """Every command of the page prints what the page shows and ends as it says."""
    steps, _ = run_page(page.read_text(encoding="utf-8"), root, start)
    assert len(steps) >= at_least
    printed = "".join(f"$ {step.command} [{step.exit_code}]\n{step.printed}" for step in steps)
    shown = "".join(f"$ {step.command} [{step.wanted_exit}]\n{step.expected}" for step in steps)
    assert printed == shown, f"{page.name} is not what the commands print. Run: python -m tools.transcripts {page.name}"
