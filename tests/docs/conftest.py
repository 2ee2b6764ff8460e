"""The workspaces that the pages of the documentation begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.transcripts import follow_tutorial


@pytest.fixture(scope="session")
def finished_tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tutorial")
    follow_tutorial(root)
    return root / "shop"


@pytest.fixture
def shop(finished_tutorial: Path, tmp_path: Path) -> Path:
    """A copy of the workspace that the tutorial leaves."""
    return Path(shutil.copytree(finished_tutorial, tmp_path / "shop"))
