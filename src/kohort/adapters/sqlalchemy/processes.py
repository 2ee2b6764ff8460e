"""Which process is at work, written so that a later process can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """ "<host>/<process id>/<start mark>"; the mark tells two processes apart that had the same id."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start_mark(os.getpid())}"


def is_dead(process: str) -> bool | None:
    """Whether that process has ended; None when it ran on another machine, where we cannot look."""
    host, _, rest = process.rpartition("/")[0].rpartition("/")
    mark = process.rpartition("/")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return None
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it lives and belongs to somebody else
    return _start_mark(int(rest)) != mark


def _start_mark(process_id: int) -> str:
    """The kernel's start time of a process, or "" where the system does not tell."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]
