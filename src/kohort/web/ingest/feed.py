"""What the process that owns the store and the tables tells the server, a line of JSON at a time on its standard input.

{"settings": {...}}   first: see `ServerSettings`
{"senders": [...]}    the sources, all of them, whenever something about them has changed
{"loaded": N}         requests up to this position of the log are in tables
End of input means: stop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohort.web.ingest.app import IngestLimits
from kohort.web.ingest.senders import Sender, Senders


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a server needs to know to begin. socket: the number of an open, listening socket that it inherits.

    deduplicate and durable are only ever switched off to measure what they cost.
    """

    socket: int
    log_folder: Path
    limits: IngestLimits
    grace_seconds: int
    deduplicate: bool = True
    durable: bool = True
    trusted_proxies: str = ""

    @staticmethod
    def from_document(document: dict[str, Any]) -> ServerSettings:
        limits = IngestLimits(**document["limits"])
        rest = {name: value for name, value in document.items() if name not in ("limits", "log_folder")}
        return ServerSettings(log_folder=Path(document["log_folder"]), limits=limits, **rest)


def read_settings() -> ServerSettings:
    """The first line."""
    return ServerSettings.from_document(json.loads(sys.stdin.readline())["settings"])


def tell_parent(message: dict[str, Any]) -> None:
    """A line the other way."""
    print(json.dumps(message), flush=True)


class Feed:
    """Listens on a thread of its own and brings news into the event loop."""

    def __init__(self, senders: Senders, at_end: Callable[[], None]) -> None:
        self.loaded = 0
        self._senders = senders
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
        self._known = asyncio.Event()
        threading.Thread(target=self._listen, name="kohort-feed", daemon=True).start()

    async def wait_for_senders(self) -> None:
        """Until the sources are known for the first time."""
        await self._known.wait()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._take, json.loads(line))
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self._known.set()
        self._at_end()

    def _take(self, message: dict[str, Any]) -> None:
        if "senders" in message:
            self._senders.replace(Sender.from_document(document) for document in message["senders"])
            self._known.set()
        if "loaded" in message:
            self.loaded = message["loaded"]
