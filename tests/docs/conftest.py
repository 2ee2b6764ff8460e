"""The workspaces that the pages of the documentation begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.transcripts import Step, follow_tutorial


@pytest.fixture(scope="session")
def finished_tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    """The workspace that the tutorial leaves, and what its commands printed."""
    root = tmp_path_factory.mktemp("tutorial")
    steps = follow_tutorial(root)
    return root / "shop", steps


@pytest.fixture
def shop(finished_tutorial: tuple[Path, list[Step]], tmp_path: Path) -> Path:
    """A copy of the workspace that the tutorial leaves."""
    return Path(shutil.copytree(finished_tutorial[0], tmp_path / "shop"))
