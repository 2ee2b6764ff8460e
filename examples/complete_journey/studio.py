"""Serves the studio over the demo's workspace: until Ctrl-C at a terminal, else only to see that it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from examples.complete_journey import web_shop

SOURCE = "Web Shop"
STOP_SECONDS = 60


def show_studio(workspace: Path) -> int:
    """Start the server, send the web shop's calls to it when the source is new, and say where the studio is. Its exit code."""
    key = _new_write_key(workspace)
    command = [sys.executable, "-c", "from kohort.cli.main import entry; entry()", "-w", str(workspace), "serve", *_ports()]
    print(f"\n$ kohort -w {workspace} serve", flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = studio = link = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        words = line.split()
        url = words[-1] if line.startswith("Kohort answers") else url
        studio = words[1] if words[:1] == ["studio"] else studio
        link = words[2] if words[:2] == ["set", "up"] else link
        if words[:1] == ["sources"]:
            break
    if not studio:
        return process.wait(STOP_SECONDS)
    if key:
        print(f"\n{web_shop.send(url, key)} calls of a made-up web shop were sent to the source {SOURCE}.")
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return _until_stopped(process, studio, link)


def _until_stopped(process: subprocess.Popen[str], studio: str, link: str) -> int:
    """Say what to open (link: only while there are no users) and wait for Ctrl-C. The exit code: 0 when the studio answered."""
    with urllib.request.urlopen(f"{studio}/login", timeout=30) as page:
        answered = page.status == 200
    is_attended = sys.stdin.isatty() and sys.stdout.isatty()
    if not is_attended:
        print(f"The studio is at {studio} while it is served; no terminal is attached, so it ends now.")
    elif link:
        print(f"\nOpen {link}\nand choose a name and a password: that is the studio. Later it is at {studio}. Ctrl-C ends it.")
    else:
        print(f"\nOpen {studio}: the studio, over what was just built. Ctrl-C ends it.")
    try:
        if is_attended:
            return process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    process.wait(STOP_SECONDS)
    return 0 if answered else 1


def _ports() -> list[str]:
    """The usual ports at a terminal, else free ones: somebody may be serving already."""
    return [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--port", "0", "--api-port", "0"]


def _new_write_key(workspace: Path) -> str:
    """The write key of the source when it is made now; "" when it was there."""
    from kohort.bootstrap import open_kohort
    from kohort.ports.sources import NewSource
    from kohort.services.sources.registry import add_source

    kohort = open_kohort(workspace)
    try:
        if any(source.name == SOURCE for source in kohort.store.sources()):
            return ""
        return add_source(kohort.store, NewSource(SOURCE, ""), (), by=os.environ.get("USER", "demo"), clock=kohort.clock).write_key
    finally:
        kohort.close()
