"""The console script: Ctrl-C while the command line is still being loaded is no traceback either."""

from __future__ import annotations

import sys


def run() -> None:
    """Load the command line and run one command."""
    try:
        from kohort.cli.main import entry
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    entry()
