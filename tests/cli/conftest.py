"""One evaluated workspace for all tests that only look, a copy of it for each test that changes something."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.workspaces import Desk, make_workspace


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that is made once, whichever of several test processes comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "cli-shop"
    with (shared / "cli-shop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(shared / "cli-shop-new", ignore_errors=True)
            make_workspace(shared / "cli-shop-new")
            (shared / "cli-shop-new").rename(folder)
    return folder


@pytest.fixture(scope="session")
def shop(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A workspace to look at; nobody may change it."""
    folder = tmp_path_factory.mktemp("cli") / "shop"
    shutil.copytree(built, folder)
    return Desk(folder)


@pytest.fixture
def desk(built: Path, tmp_path: Path) -> Desk:
    """A workspace of one's own."""
    shutil.copytree(built, tmp_path / "shop")
    return Desk(tmp_path / "shop")
