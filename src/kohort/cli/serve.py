"""`kohort serve`: take calls over HTTP, keep the tables of every source up to date, and answer the API."""

from __future__ import annotations

import queue
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from kohort.cli.output import count_text, counted, note, show
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort
    from kohort.services.loading.serve_tables import Loaded

Host = Annotated[str, typer.Option("--host", help="The address to listen on (default: setting serve_host).")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one (default: setting serve_port).")]
ApiPort = Annotated[
    int | None,
    typer.Option(
        "--api-port", min=0, max=65535, help="The port of the studio and the API; 0 takes a free one (default: setting api_port)."
    ),
]


def serve(host: Host = "", port: Port = None, api_port: ApiPort = None) -> None:
    """Take calls of all sources, answer the studio and the API. Calls are those of the Segment HTTP API. Ctrl-C stops it in good order."""
    from kohort.web.server import api_server

    session = open_session()
    stop = threading.Event()
    with session.serving(host, port, note) as (serving, url), session.api_socket(api_port) as (listener, api_url):
        set_on_signals(stop, signal.SIGINT, signal.SIGTERM)
        serving.start()
        with api_server(session, listener):
            _welcome(session, url, api_url)
            serving.watch(stop)
        note("Stopping: open requests are finished, then what was received is loaded into tables.")
        loaded = serving.finish(session.settings.serve_grace_seconds, session.settings.serve_drain_seconds)
        _farewell(loaded, serving.why_tables_wait)


def set_on_signals(event: threading.Event, *numbers: signal.Signals) -> None:
    """Set an event when one of these signals arrives, whatever this thread does then.

    Not in the handler itself: that runs between two steps of whoever waits for the event, and would wait for the lock they hold.
    """
    arrived: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wait() -> None:
        arrived.get()
        event.set()

    threading.Thread(target=wait, name="kohort-signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, lambda *_: arrived.put(None))


def _welcome(session: Kohort, url: str, api_url: str) -> None:
    from kohort.services.users import new_setup_link

    sources = [source.slug for source in session.store.sources() if source.status == "enabled"]
    show(f"Kohort answers at {url}")
    show(f"  workspace  {session.workspace.root}")
    show(f"  event log  {session.log_folder}")
    show(f"  studio     {api_url}")
    show(f"  API        {api_url}/api/v1")
    secret = new_setup_link(session.store, clock=session.clock)
    if secret:
        show(f"  set up     {api_url}/setup#{secret} (makes the first user; once, within an hour)")
    listed = ", ".join(sources[:8]) + (", ..." if len(sources) > 8 else "")
    show(f"  sources    {listed or 'none yet: kohort source add NAME (it is seen here within seconds)'}")


def _farewell(loaded: Loaded, failure: str) -> None:
    if loaded.waiting or failure:
        left = counted(loaded.waiting, "request") if loaded.waiting else "what is in the log"
        note(f"Stopped. {left} will be loaded into tables at the next start{f': {failure}' if failure else ''}.")
    else:
        note(f"Stopped. Everything received is in tables (position {count_text(loaded.position)}).")
