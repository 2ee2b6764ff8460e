"""One evaluated workspace for all tests that only look, a copy of it for each test that changes something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.workspaces import Desk, make_workspace


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A workspace to look at; nobody may change it."""
    return make_workspace(tmp_path_factory.mktemp("cli") / "shop")


@pytest.fixture
def desk(shop: Desk, tmp_path: Path) -> Desk:
    """A workspace of one's own."""
    shutil.copytree(shop.folder, tmp_path / "shop")
    return Desk(tmp_path / "shop")
