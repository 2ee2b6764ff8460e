"""A workspace to measure on: what a server writes is a copy, the index, which only refreshes write, is the same files under other names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED = (".kohort", "index")
LEFT_OUT = shutil.ignore_patterns("serve.lock", "serve.json", "server.json")


@contextmanager
def borrowed(workspace: Path) -> Iterator[Path]:
    """The workspace elsewhere, gone again afterwards. The original is only read."""
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(temporary) / "workspace"
        shared = workspace.joinpath(*SHARED)
        shutil.copytree(workspace, copied, ignore=lambda folder, names: {*LEFT_OUT(folder, names), *_shared(Path(folder), names, shared)})
        if shared.is_dir():
            shutil.copytree(shared, copied.joinpath(*SHARED), copy_function=_linked)
        yield copied


def _shared(folder: Path, names: list[str], shared: Path) -> set[str]:
    return {name for name in names if folder / name == shared}


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
