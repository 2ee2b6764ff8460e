"""The workspace one command works in, opened when first needed and closed when the command ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

_workspace = Path(".")
_session: Kohort | None = None


def set_workspace(directory: Path) -> None:
    """Remember where to work; nothing is opened yet."""
    global _workspace
    close_session()
    _workspace = directory


def open_session() -> Kohort:
    """The open workspace. Raises UserError NO_WORKSPACE when there is none."""
    global _session
    if _session is None:
        from kohort.bootstrap import open_kohort

        _session = open_kohort(_workspace)
    return _session


def close_session() -> None:
    """Give files and connections back."""
    global _session
    if _session is not None:
        session, _session = _session, None
        if session.recovered:
            print(f"An earlier refresh was stopped; what it left behind was dropped: {', '.join(session.recovered)}", file=sys.stderr)
        session.close()
