"""Whatever is sent: an answer that a client understands, and what was acknowledged is in the log once."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.testing.server import RunningServer

_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)
_KEYS = st.sampled_from(
    ("type", "event", "userId", "anonymousId", "messageId", "properties", "traits", "context", "timestamp", "sentAt", "batch", "writeKey")
)
_CALL = st.dictionaries(_KEYS, _JSON, max_size=6)
_BODY = st.one_of(
    _JSON, _CALL, st.fixed_dictionaries({"batch": st.lists(_CALL | _JSON, max_size=4)}, optional={"writeKey": _JSON, "context": _JSON})
)
_PATHS = st.sampled_from(
    ("/v1/track", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias", "/v1/batch", "/v1/import", "/v1/t")
)
_BROKEN = st.binary(max_size=60) | _BODY.map(lambda body: json.dumps(body).encode()[:-1])
_SETTINGS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def send(server: RunningServer, client: httpx.Client, path: str, content: bytes) -> int:
    """The status; every acknowledged request is in the log, and none that was not."""
    log = SQLiteEventLog(server.log_folder)
    before = log.end()
    answer = client.post(path, content=content, auth=(server.write_key, ""))
    added = [entry.received.body for entry in log.read(before)]
    if answer.status_code == 200:
        assert answer.json() == {"success": True}
        assert added in ([content], [])
        if not added:  # only when every call of it was there before
            assert client.get("/metrics").text.count("kohort_ingest_duplicates_total{")
    else:
        assert set(answer.json()) == {"success", "code", "message"}
        assert added == []
    return answer.status_code


@_SETTINGS
@given(path=_PATHS, body=_BODY)
def test_any_json_is_taken(server: RunningServer, client: httpx.Client, path: str, body: Any) -> None:
    assert send(server, client, path, json.dumps(body).encode()) == 200


@_SETTINGS
@given(path=_PATHS, body=_BROKEN)
def test_any_bytes_are_taken_or_told(server: RunningServer, client: httpx.Client, path: str, body: bytes) -> None:
    assert send(server, client, path, body) in (200, 400)


def test_nothing_was_a_mistake_of_ours(server: RunningServer, client: httpx.Client) -> None:
    assert 'status="5' not in client.get("/metrics").text
    assert "Traceback" not in "".join(server.said)
