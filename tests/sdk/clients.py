"""One way to call four published clients: every kind of call, and what the client told about its deliveries."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rudderstack.analytics.client
import segment.analytics.client

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "sdk"
AT = datetime(2024, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
TRAITS = {
    "email": "ana@example.com",
    "plan": "Pro ✓",
    "address": {"city": "Köln", "geo": {"lat": 50.94}},
    "age": 34,
    "tags": ["a", "b"],
    "vip": True,
    "nothing": None,
}
ORDER = {"total": 12.5, "items": 3, "product": {"sku": "S-1"}, "currency": "EUR", "gift": False, "select": "a reserved word"}
Call = dict[str, Any]
WHO = {"userId": "u1", "anonymousId": "a1"}
CALLS: list[Call] = [
    {"type": "identify", **WHO, "traits": TRAITS},
    {"type": "track", **WHO, "event": "Order Completed", "properties": ORDER},
    {"type": "track", "anonymousId": "a1", "event": "日本語", "properties": {"n": 1}},
    {"type": "page", **WHO, "category": "Docs", "name": "Home", "properties": {"url": "https://shop.example/?q=ä", "referrer": ""}},
    {"type": "screen", **WHO, "category": "App", "name": "Cart", "properties": {"items": 2}},
    {"type": "group", **WHO, "groupId": "g1", "traits": {"name": "Example GmbH", "employees": 250}},
    {"type": "alias", "previousId": "a1", "userId": "u1"},
]
for _number, _call in enumerate(CALLS):
    _call["timestamp"] = (AT + timedelta(seconds=_number)).isoformat()
    _call["messageId"] = f"m{_number}"


@dataclass
class Told:
    """What a client said: how many calls it took for delivered (-1: it does not say), and its errors."""

    delivered: int = -1
    errors: list[str] = field(default_factory=list)


Send = Callable[[str, str, list[Call]], Told]
"""URL, write key and calls."""


def segment_python(url: str, key: str, calls: list[Call], **options: Any) -> Told:
    """The Python client of Segment."""
    return _python(segment.analytics.client.Client, url, key, calls, **options)


def segment_python_gzip(url: str, key: str, calls: list[Call]) -> Told:
    """The same with gzip, which it does not use by itself."""
    return segment_python(url, key, calls, gzip=True)


def segment_python_sync(url: str, key: str, calls: list[Call]) -> Told:
    """The same, a request a call."""
    return segment_python(url, key, calls, sync_mode=True)


def segment_python_limited(url: str, key: str, calls: list[Call]) -> Told:
    """The same, with as many requests as there are calls, one after the other."""
    return segment_python(url, key, calls, upload_size=1)


def rudderstack_python(url: str, key: str, calls: list[Call], **options: Any) -> Told:
    """The Python client of RudderStack, which always uses gzip."""
    return _python(rudderstack.analytics.client.Client, url, key, calls, **options)


def _python(kind: Any, url: str, key: str, calls: list[Call], **options: Any) -> Told:
    told = Told()
    options = {"upload_interval": 0.05, "upload_size": 3, "max_retries": 3, **options}
    client = kind(key, host=url, on_error=lambda error, _: told.errors.append(str(error)), **options)
    names = {
        "userId": "user_id",
        "anonymousId": "anonymous_id",
        "messageId": "message_id",
        "previousId": "previous_id",
        "groupId": "group_id",
    }
    for call in calls:
        given = {names.get(name, name): value for name, value in json.loads(json.dumps(call)).items() if name != "type"}
        if "timestamp" in given:
            given["timestamp"] = datetime.fromisoformat(given["timestamp"])
        try:
            getattr(client, call["type"])(**given)
        except Exception as error:
            told.errors.append(str(error))
    if not options.get("sync_mode"):
        client.flush()
        client.join()
    return told


def segment_node(url: str, key: str, calls: list[Call]) -> Told:
    """The Node client of Segment."""
    return _node("segment.cjs", url, key, calls)


def rudderstack_node(url: str, key: str, calls: list[Call]) -> Told:
    """The Node client of RudderStack, which always uses gzip."""
    return _node("rudderstack.cjs", url, key, calls)


def segment_browser(url: str, key: str, calls: list[Call]) -> Told:
    """The browser client of Segment, in a page of another origin. It gives calls their ids and instants itself."""
    return _node("browser.cjs", url, key, calls)


def _node(script: str, url: str, key: str, calls: list[Call]) -> Told:
    modules = installed_node_clients()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(calls, file)
        file.flush()
        command = ["node", str(HERE / "node" / script), url, key, file.name]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "SDK_MODULES": str(modules)})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Told(**json.loads(ended.stdout.strip().splitlines()[-1]))


def installed_node_clients() -> Path:
    """The folder of the installed clients; installed once for each state of the lock file. Skips the test when npm cannot."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("the Node clients are left out: node or npm is not here")
    lock = (HERE / "node" / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (folder / "node_modules").exists():
            _install(folder)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, new / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    try:
        ended = subprocess.run(command, cwd=new, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("the Node clients are left out: npm took too long")
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if "error" in line]
        pytest.skip(f"the Node clients are left out: npm could not install them ({'; '.join(errors[:2])})")
    new.rename(folder)
