"""Asks a server of this workspace what it has counted."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

from kohort.ports.sources import ServerCounts

WAIT_SECONDS = 2.0
_LINE = re.compile(r'(\w+)\{source="([^"]*)"(?:,reason="([^"]*)")?\} (\d+)')
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_DUPLICATES = "kohort_ingest_duplicates_total"
_REFUSED = "kohort_ingest_refused_total"


def write_address(file: Path, url: str) -> None:
    """Say where a server answers, for commands beside it."""
    file.write_text(json.dumps({"url": url}), encoding="utf-8")


def ask_counts(file: Path) -> ServerCounts | None:
    """What the server whose address is in a file has counted; None when none answers."""
    found = _ask(file)
    return counts_of(*found) if found is not None else None


def ask_metrics(file: Path) -> str | None:
    """The text that the server whose address is in a file gives Prometheus; None when none answers."""
    found = _ask(file)
    return found[1] if found is not None else None


def _ask(file: Path) -> tuple[str, str] | None:
    """(its address, its figures)."""
    try:
        url = str(json.loads(file.read_text(encoding="utf-8"))["url"])
        with _direct.open(f"{url}/metrics", timeout=WAIT_SECONDS) as answer:
            return url, answer.read().decode("utf-8", "replace")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def counts_of(url: str, metrics: str) -> ServerCounts:
    """The counters that matter, out of the text that a server gives Prometheus."""
    duplicates: dict[str, int] = {}
    refused: dict[tuple[str, str], int] = {}
    for name, source, reason, count in _LINE.findall(metrics):
        if name == _DUPLICATES:
            duplicates[source] = int(count)
        elif name == _REFUSED:
            refused[source, reason] = int(count)
    return ServerCounts(url, duplicates, refused)
