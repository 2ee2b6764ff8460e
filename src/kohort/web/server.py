"""Answers the API and the studio on a thread of its own, beside whatever else the process does."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from kohort.foundation.errors import UserError
from kohort.web.broken_requests import BrokenRequests
from kohort.web.connections import KEEP_ALIVE_SECONDS
from kohort.web.studio.app import build_web

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

_START_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_WARM_UP_AFTER_SECONDS = 1.0


@contextmanager
def api_server(kohort: Kohort, listener: socket.socket) -> Iterator[None]:
    """The API on a socket that is already listening, inside the block. Raises UserError SERVER_NOT_STARTED."""
    settings = kohort.settings
    app = build_web(kohort)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        proxy_headers=bool(settings.api_trusted_proxies),
        forwarded_allow_ips=settings.api_trusted_proxies or None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.serve_grace_seconds,
    )
    app.state.broken = BrokenRequests().listen()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="kohort-api", daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    if not server.started:
        raise UserError("SERVER_NOT_STARTED", "the API did not start", hint="its messages are above")
    warm_up = threading.Timer(_WARM_UP_AFTER_SECONDS, _warm_up, [kohort])
    warm_up.daemon = True
    warm_up.start()
    try:
        yield
    finally:
        warm_up.cancel()
        app.state.is_ending = True  # answers without end, such as live events, end now
        server.should_exit = True
        thread.join(settings.serve_grace_seconds + 5.0)


def _warm_up(kohort: Kohort) -> None:
    """So that nobody's first preview pays for it. Never at a lower priority: whoever asks meanwhile would wait for locks it holds."""
    with suppress(Exception):
        kohort.engines.warm_up(gc.freeze)  # code stays: to look through it for garbage again and again would stop everybody
