"""What runs here: versions, where the workspace keeps what and how large it is, the settings. Nothing in it is secret."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kohort import __version__

_PACKAGES = ("duckdb", "numpy", "numba", "pyarrow", "sqlalchemy", "fastapi", "uvicorn")
_SECRET = re.compile(r"(://[^:/@\s]*:)[^@\s]*(@)|((?:password|passwd|pwd|secret|token)=)[^&\s]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is. is_default: nobody has changed it."""

    name: str
    value: str
    is_default: bool
    help: str


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the workspace on disk. bytes: None when it is not there."""

    name: str
    path: Path
    bytes: int | None


def versions() -> list[tuple[str, str]]:
    """(name, version) of Kohort and what it stands on."""
    found = [("Kohort", __version__), ("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return [*found, ("System", f"{platform.system()} {platform.machine()}")]


def shown_settings(table: Iterable[tuple[str, str, str, str]], settings: object) -> list[Setting]:
    """Every setting; passwords inside of them are hidden. table: (name, type, default, help); settings: what has them as attributes."""
    found = []
    for name, _, default, text in table:
        value = str(getattr(settings, name))
        found.append(Setting(name, without_secrets(value), value == default, text))
    return found


def without_secrets(text: str) -> str:
    """A setting with stars for the passwords in it.

    >>> without_secrets("postgresql://kohort:pw@db/kohort"), without_secrets("postgresql://db/k?password=pw&x=1")
    ('postgresql://kohort:****@db/kohort', 'postgresql://db/k?password=****&x=1')
    """
    return _SECRET.sub(lambda found: f"{found[1]}****{found[2]}" if found[1] else f"{found[3]}****", text)


def places(state: Path, warehouse: Path, log: Path) -> list[Place]:
    """What the workspace keeps. state: its folder `.kohort`."""
    listed = [
        ("Warehouse", warehouse),
        ("Event log", log),
        ("Profile indexes", state / "index"),
        ("Memberships", state / "membership"),
        ("Definitions", state / "kohort.db"),
    ]
    return [Place(name, path, _size(path)) for name, path in listed]


def free_bytes(path: Path) -> int:
    """Room that is left on the disk of a folder."""
    return shutil.disk_usage(path).free


def _size(path: Path) -> int | None:
    if not path.exists():
        return None
    return sum(_sizes(path))


def _sizes(path: Path) -> Iterator[int]:
    for part in path.rglob("*") if path.is_dir() else (path, *path.parent.glob(f"{path.name}*wal")):
        try:
            if part.is_file():
                yield part.stat().st_size
        except OSError:  # it has just gone
            continue
