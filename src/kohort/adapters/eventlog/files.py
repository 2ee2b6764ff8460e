"""The files of the log by name, the marks of its readers, and the lock of its one writer.

events-<position before its first request, 20 digits>.sqlite   with -wal and -shm beside it while in use
marks/<reader>                                                  how far a reader has come, as text
writer.lock                                                     held by the process that appends
damaged-...                                                     files of which not all could be read; nobody deletes them
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kohort.adapters.locks import hold
from kohort.foundation.errors import UserError

_NAME = re.compile(r"events-(\d{20})\.sqlite")
_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True, order=True)
class LogFile:
    """One file; `base` is the position just before its first request."""

    base: int
    path: Path

    @property
    def bytes(self) -> int:
        """On disk, with what SQLite keeps beside it."""
        return sum(size_of(Path(f"{self.path}{suffix}")) for suffix in _SUFFIXES)

    def remove(self) -> None:
        """Take it off the disk; readers that have it open are not disturbed."""
        for suffix in _SUFFIXES:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Keep it, under a name that no reader looks at."""
        target = self.path.with_name(f"damaged-{self.path.name}")
        for suffix in _SUFFIXES:
            part = Path(f"{self.path}{suffix}")
            if part.exists():
                part.rename(f"{target}{suffix}")
        return target


def size_of(path: Path) -> int:
    """0 for a file that is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def log_file(folder: Path, base: int) -> LogFile:
    return LogFile(base, folder / f"events-{base:020d}.sqlite")


def log_files(folder: Path) -> list[LogFile]:
    """All of them, oldest first."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(LogFile(int(found[1]), folder / name) for name in names if (found := _NAME.fullmatch(name)))


def write_mark(folder: Path, reader: str, position: int) -> None:
    """Remember, in one step, how far a reader has come."""
    marks = folder / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    beside = marks / f".{reader}.new"
    with beside.open("w", encoding="ascii") as stream:
        stream.write(f"{position}\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(marks / reader)


def read_marks(folder: Path) -> dict[str, int]:
    """How far each reader has come; one whose mark cannot be read counts as not having begun."""
    marks: dict[str, int] = {}
    try:
        names = [name for name in os.listdir(folder / "marks") if not name.startswith(".")]
    except FileNotFoundError:
        return {}
    for name in names:
        text = (folder / "marks" / name).read_text(encoding="ascii", errors="replace").strip()
        marks[name] = int(text) if text.isdigit() else 0
    return marks


def lock_for_writing(folder: Path) -> IO[bytes]:
    """Become the one writer, until the result is closed or the process ends. Raises UserError LOG_LOCKED."""
    folder.mkdir(parents=True, exist_ok=True)
    hint = "end the other `kohort serve` of this workspace first"
    return hold(folder / "writer.lock", UserError("LOG_LOCKED", f"another process writes to the event log {folder}", hint=hint))
