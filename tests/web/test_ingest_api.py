"""Every endpoint, every way to say who sends, every answer: against a real server."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import zlib
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kohort.events.model import Received
from kohort.testing.server import RunningServer

TAKEN = {"success": True}
TRACK = {"event": "Signed Up", "userId": "u1"}
CALLS: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u1", "traits": {"plan": "pro"}},
    "track": TRACK,
    "page": {"userId": "u1", "name": "Home"},
    "screen": {"anonymousId": "a1", "name": "Start"},
    "group": {"userId": "u1", "groupId": "g1"},
    "alias": {"userId": "u1", "previousId": "a1"},
}


def newest(server: RunningServer) -> Received:
    return server.received()[-1]


def basic(key: str, end: str = ":") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{key}{end}'.encode()).decode()}"}


@pytest.mark.parametrize("call_type", CALLS)
def test_each_type_of_call_has_two_paths(server: RunningServer, client: httpx.Client, call_type: str) -> None:
    for path in (f"/v1/{call_type}", f"/v1/{call_type[0]}", f"/v1/{call_type}/"):
        call = {**CALLS[call_type], "messageId": str(uuid4())}
        answer = client.post(path, json=call, auth=(server.write_key, ""))
        assert (answer.status_code, answer.json()) == (200, TAKEN)
        kept = newest(server)
        assert answer.content == b'{"success": true}'
        assert (kept.source, kept.call_type, json.loads(kept.body), kept.ip) == ("web_shop", call_type, call, "127.0.0.1")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/v1/b"])
def test_batches(server: RunningServer, client: httpx.Client, path: str) -> None:
    batch = {"batch": [{"type": name, "messageId": str(uuid4()), **call} for name, call in CALLS.items()]}
    answer = client.post(path, json=batch, auth=(server.write_key, ""))
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert answer.headers["content-type"].startswith("application/json")
    kept = newest(server)
    assert (kept.call_type, json.loads(kept.body)) == ("", batch)


def test_who_sends_can_be_said_in_many_ways(server: RunningServer, client: httpx.Client) -> None:
    key = server.write_keys["App"]
    with_key = {**TRACK, "writeKey": key}
    batch = {"batch": [{"type": "track", **TRACK}]}
    for path, headers, body in (
        ("/v1/track", basic(key), TRACK),
        ("/v1/track", basic(key, ""), TRACK),
        ("/v1/track", basic(key, ":password"), TRACK),
        ("/v1/track", {"Authorization": f"basic   {base64.b64encode(key.encode()).decode().rstrip('=')}"}, TRACK),
        ("/v1/track", {}, with_key),
        ("/v1/track", {"Authorization": "Bearer token"}, with_key),
        ("/v1/track", basic(""), with_key),
        ("/v1/track", basic(key), {**TRACK, "writeKey": "something else"}),
        ("/v1/batch", {}, {**batch, "writeKey": key}),
        ("/v1/batch", {"Authorization": "Bearer token"}, {**batch, "writeKey": key}),
        (f"/beacon/v1/batch?writeKey={key}", {}, batch),
    ):
        before = len(server.received())
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, TAKEN), (path, headers)
        assert len(server.received()) == before + 1
        assert newest(server).source == "app"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (basic("bad_key"), TRACK, "invalid_write_key"),
        ({}, {**TRACK, "writeKey": "bad_key"}, "invalid_write_key"),
        ({}, TRACK, "no_write_key"),
        ({"Authorization": "Basic !!!"}, TRACK, "no_write_key"),
        ({"Authorization": "Basic"}, TRACK, "no_write_key"),
        ({"Authorization": "Bearer x"}, TRACK, "no_write_key"),
        ({}, {**TRACK, "writeKey": 7}, "no_write_key"),
    ],
)
def test_an_unknown_key_is_told(client: httpx.Client, headers: dict[str, str], body: dict[str, Any], code: str) -> None:
    answer = client.post("/v1/track", json=body, headers=headers)
    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (401, False, code)
    assert answer.json()["message"]


def test_a_disabled_source_is_told(server: RunningServer, client: httpx.Client) -> None:
    key = server.write_keys["Closed"]
    for answer in (client.post("/v1/track", json=TRACK, auth=(key, "")), client.post("/v1/track", json={**TRACK, "writeKey": key})):
        assert answer.status_code == 404
        assert answer.json() == {"success": False, "code": "source_disabled", "message": "source is disabled"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "nonsense"])
def test_the_content_type_does_not_matter(server: RunningServer, client: httpx.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    content = json.dumps({**TRACK, "messageId": content_type + str(uuid4())})
    answer = client.post("/v1/track", content=content, headers=headers, auth=(server.write_key, ""))
    assert answer.status_code == 200
    assert newest(server).body == content.encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a":1}}', b"[" * 100_000],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_broken_json_is_told(server: RunningServer, client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body[:30_000], auth=(server.write_key, ""))
    assert answer.status_code == 400
    assert answer.json() == {"success": False, "code": "invalid_request", "message": "malformed JSON"}


def test_calls_that_are_wrong_in_themselves_are_taken_for_the_debugger(server: RunningServer, client: httpx.Client) -> None:
    for path, body in _WRONG:
        answer = client.post(path, json=body, auth=(server.write_key, ""))
        assert (answer.status_code, answer.json()) == (200, TAKEN)
        assert json.loads(newest(server).body) == body


_WRONG: tuple[tuple[str, Any], ...] = (
    ("/v1/track", {}),
    ("/v1/track", 7),
    ("/v1/identify", []),
    ("/v1/batch", []),
    ("/v1/batch", "text"),
    ("/v1/batch", {"batch": []}),
    ("/v1/batch", {"batch": [{}, 7, {"type": "x"}]}),
)


# --- encodings ------------------------------------------------------------------------------------------------------


def test_gzip(server: RunningServer, client: httpx.Client) -> None:
    body = json.dumps({**TRACK, "messageId": str(uuid4())}).encode()
    for packed in (gzip.compress(body), gzip.compress(body[:10]) + gzip.compress(body[10:])):
        sent = packed.replace(b"Signed", b"Signed")
        answer = client.post("/v1/track", content=sent, headers={"Content-Encoding": "gzip"}, auth=(server.write_key, ""))
        assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert newest(server).body == body


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        ("gzip", b"{}", "invalid_request"),
        ("gzip", gzip.compress(b"{}" * 1000)[:-9], "invalid_request"),
        ("gzip", gzip.compress(b'{"a":1}') + b"rubbish", "invalid_request"),
        ("deflate", zlib.compress(b"{}"), "unsupported_encoding"),
        ("br", b"{}", "unsupported_encoding"),
        ("gzip", gzip.compress(b" " * 50_000_000), "payload_too_large"),
    ],
    ids=["not gzip", "cut off", "rubbish behind", "deflate", "brotli", "bomb"],
)
def test_other_encodings_and_bombs_are_refused(server: RunningServer, client: httpx.Client, encoding: str, body: bytes, code: str) -> None:
    answer = client.post("/v1/batch", content=body, headers={"Content-Encoding": encoding}, auth=(server.write_key, ""))
    assert (answer.status_code, answer.json()["code"]) == (400, code)


# --- limits ---------------------------------------------------------------------------------------------------------


def track_of(size: int) -> bytes:
    start = json.dumps({**TRACK, "messageId": str(uuid4()), "properties": {"x": ""}}).encode()
    return start.replace(b'"x": ""', b'"x": "' + b"x" * (size - len(start)) + b'"')


def test_one_call_may_have_32_kilobytes(server: RunningServer, client: httpx.Client) -> None:
    for size, status in ((32_768, 200), (32_769, 400), (300_000, 400), (5_000_000, 400)):
        answer = client.post("/v1/track", content=track_of(size), auth=(server.write_key, ""))
        assert answer.status_code == status
        if status == 400:
            assert answer.json() == {"success": False, "code": "payload_too_large", "message": "Exceed payload limit"}


def test_a_batch_may_have_500_kilobytes(server: RunningServer, client: httpx.Client) -> None:
    event = b'{"type":"track","event":"x","userId":"u"}'
    for size, status in ((512_000, 200), (512_001, 400)):
        body = b'{"batch":[' + event + b"]}"
        body += b" " * (size - len(body))
        answer = client.post("/v1/batch", content=body, auth=(server.write_key, ""))
        assert answer.status_code == status


def test_a_call_too_large_does_not_cost_its_neighbours(server: RunningServer, client: httpx.Client) -> None:
    small = b'{"type":"track","event":"x","userId":"u"}'
    large = track_of(40_000).replace(b"{", b'{"type":"track",', 1)
    before = metric(client, 'kohort_ingest_rejected_total{source="web_shop",reason="call_too_large"}')
    answer = client.post("/v1/batch", content=b'{"batch":[' + b",".join((small, large, small)) + b"]}", auth=(server.write_key, ""))
    assert answer.status_code == 200
    assert metric(client, 'kohort_ingest_rejected_total{source="web_shop",reason="call_too_large"}') == before + 1


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(server: RunningServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    token = base64.b64encode(f"{server.write_key}:".encode())
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + token + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        sent, answer = 0, b""
        with suppress(OSError):
            while sent < 100:
                connection.sendall(piece)
                sent += 1
        with suppress(OSError):
            answer = connection.recv(4096)
        assert sent < 100 or b" 400 " in answer.split(b"\r\n")[0]


def test_a_huge_body_is_refused_unread(server: RunningServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    token = base64.b64encode(f"{server.write_key}:".encode())
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + token + b"\r\nContent-Length: 9000000000\r\n\r\n"
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer
    assert b"Exceed payload limit" in answer


def test_requests_a_second_are_limited_by_source(server: RunningServer, client: httpx.Client) -> None:
    answers = [client.post("/v1/track", json=TRACK, auth=(server.write_keys["Slow"], "")) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Reset"]) == ("1", "1")
    assert refused.json() == {"success": False, "code": "rate_limited", "message": "max requests limit reached"}
    assert client.post("/v1/track", json=TRACK, auth=(server.write_key, "")).status_code == 200


# --- duplicates -----------------------------------------------------------------------------------------------------


def test_a_message_is_kept_once(server: RunningServer, client: httpx.Client) -> None:
    ids = [str(uuid4()) for _ in range(4)]
    batch = [{"type": "track", "messageId": name, **TRACK} for name in (ids[0], ids[1], ids[0])]
    assert client.post("/v1/batch", json={"batch": batch}, auth=(server.write_key, "")).status_code == 200
    assert newest(server).dropped == (2,)
    count = len(server.received())
    assert client.post("/v1/batch", json={"batch": batch}, auth=(server.write_key, "")).json() == TAKEN
    assert client.post("/v1/track", json={**TRACK, "messageId": ids[1]}, auth=(server.write_key, "")).json() == TAKEN
    assert len(server.received()) == count
    more = [*batch, {"type": "track", "messageId": ids[2], **TRACK}]
    assert client.post("/v1/batch", json={"batch": more}, auth=(server.write_key, "")).status_code == 200
    assert newest(server).dropped == (0, 1, 2)
    assert client.post("/v1/batch", json={"batch": more}, auth=(server.write_keys["App"], "")).status_code == 200
    assert (newest(server).source, newest(server).dropped) == ("app", (2,))


def test_a_call_that_was_rejected_may_come_again_as_it_should_be(server: RunningServer, client: httpx.Client) -> None:
    bad = {"type": "track", "messageId": str(uuid4()), "userId": "u1"}
    good = {**bad, "event": "Signed Up"}
    client.post("/v1/batch", json={"batch": [bad, good, bad, good]}, auth=(server.write_key, ""))
    assert newest(server).dropped == (2, 3)
    count = len(server.received())
    for call in (bad, good):
        assert client.post("/v1/batch", json={"batch": [call]}, auth=(server.write_key, "")).json() == TAKEN
    assert len(server.received()) == count


def test_calls_without_an_id_get_one(server: RunningServer, client: httpx.Client) -> None:
    batch = [{"type": "track", **TRACK}, {"type": "track", "messageId": str(uuid4()), **TRACK}, {"type": "track", "messageId": "", **TRACK}]
    for _ in range(2):
        client.post("/v1/batch", json={"batch": batch}, auth=(server.write_key, ""))
    first, second = server.received()[-2:]
    assert set(first.message_ids) == {0, 2} == set(second.message_ids)
    assert len({*first.message_ids.values(), *second.message_ids.values()}) == 4
    assert (first.dropped, second.dropped) == ((), (1,))


# --- browsers and pictures ------------------------------------------------------------------------------------------


def test_browsers_may_send_from_anywhere(server: RunningServer, client: httpx.Client) -> None:
    origin = "https://shop.example"
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-retry-count"}
    asked = client.options("/v1/t", headers={"Origin": origin, **wanted})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert asked.headers["access-control-allow-headers"] == "authorization,x-retry-count"
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-max-age"] == "900"
    for key, status in ((server.write_key, 200), ("bad", 401)):
        answer = client.post("/v1/t", json=TRACK, auth=(key, ""), headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, origin)
    for answer in (
        client.post("/v1/t", content=b"{", auth=(server.write_key, ""), headers={"Origin": origin}),
        client.post("/v1/t", content=b" " * 300_000, headers={"Origin": origin}),
        client.get(f"/v1/projects/{server.write_key}/settings", headers={"Origin": origin}),
        client.get("/v1/pixel/track", headers={"Origin": origin}),
    ):
        assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in client.post("/v1/t", json=TRACK, auth=(server.write_key, "")).headers


def test_the_browser_library_finds_its_settings(server: RunningServer, client: httpx.Client) -> None:
    answer = client.get(f"/v1/projects/{server.write_key}/settings")
    own = answer.json()["integrations"]["Segment.io"]
    assert (own["apiKey"], own["protocol"]) == (server.write_key, "http")
    assert own["apiHost"] == server.url.removeprefix("http://") + "/v1"
    assert client.get("/v1/projects/unknown/settings").status_code == 401
    assert client.get(f"/v1/projects/{server.write_keys['Closed']}/settings").status_code == 404


def test_the_browser_librarys_own_metrics_are_thrown_away(server: RunningServer, client: httpx.Client) -> None:
    before = len(server.received())
    answer = client.post("/v1/m", json={"series": []})
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert len(server.received()) == before


@pytest.mark.parametrize("path", ["/v1/pixel/track", "/pixel/v1/track"])
def test_a_picture_carries_a_call(server: RunningServer, client: httpx.Client, path: str) -> None:
    call = {"writeKey": server.write_key, **TRACK, "messageId": str(uuid4())}
    data = base64.b64encode(json.dumps(call).encode()).decode()
    answer = client.get(path, params={"data": data})
    assert (answer.status_code, answer.headers["content-type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    assert (newest(server).call_type, json.loads(newest(server).body)) == ("track", call)
    client.get(
        path, params={"writeKey": server.write_key, "event": "Opened", "userId": "u9", "properties.subject": "Hi", "context.a.b": "1"}
    )
    kept = json.loads(newest(server).body)
    assert (kept["event"], kept["properties"], kept["context"]) == ("Opened", {"subject": "Hi"}, {"a": {"b": "1"}})


@pytest.mark.parametrize(
    "query",
    ["", "data=%%%", "data=e30", "writeKey=bad&event=x&userId=1", "data=" + "A" * 60_000, "a.b.c=1&a=2&a.b=3", "a." * 20_000 + "a=1"],
)
@pytest.mark.parametrize("call_type", ["identify", "group", "alias", "page", "screen", "track"])
def test_a_picture_is_always_shown(server: RunningServer, client: httpx.Client, call_type: str, query: str) -> None:
    before = len(server.received())
    answer = client.get(f"/v1/pixel/{call_type}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert len(server.received()) == before


# --- everything else ------------------------------------------------------------------------------------------------


def metric(client: httpx.Client, name: str) -> float:
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def test_other_paths_and_methods(client: httpx.Client) -> None:
    assert client.get("/v1/track").status_code == 405
    assert client.get("/v1/track").headers["allow"] == "POST"
    assert client.post("/v1/nothing", json={}).json()["code"] == "not_found"
    assert client.post("/v1/merge", json={}).json()["code"] == "unsupported_endpoint"
    assert client.get("/robots.txt").text.startswith("User-agent")
    assert set(client.get("/version").json()) == {"version"}
    for path in ("/health", "/healthz", "/readyz", "/metrics", "/version", "/robots.txt", "/v1/pixel/track"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert client.put("/v1/batch", json={}).status_code == client.post("/v1/pixel/track").status_code == 405
    for path in ("/", "/v1/", "/v2/track", "/V1/TRACK", "/v1//track", "/v1/projects//settings"):
        assert set(client.post(path, content=b"{}").json()) == {"success", "code", "message"}


def test_figures_and_the_version_are_for_this_machine(client: httpx.Client) -> None:
    for path in ("/metrics", "/version"):
        assert client.get(path).status_code == 200
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            answer = client.get(path, headers={header: "127.0.0.1"})
            assert (answer.status_code, answer.json()["code"]) == (403, "only_here")
            assert "web_shop" not in answer.text
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"X-Forwarded-For": "8.8.8.8"}).status_code == 200


def test_what_is_no_http_is_counted_and_told_once(server: RunningServer, client: httpx.Client) -> None:
    before = metric(client, "kohort_ingest_broken_requests_total")
    address = httpx.URL(server.url)
    for _ in range(5):
        with socket.create_connection((address.host, address.port or 80)) as raw:
            raw.sendall(b"\x16\x03\x01 no http\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert metric(client, "kohort_ingest_broken_requests_total") == before + 5
    assert sum("Invalid HTTP request" in line for line in server.said) <= 1


def test_health_readiness_and_metrics(server: RunningServer, client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").text == "ready\n"
    before = [metric(client, name) for name in _COUNTED]
    batch = {
        "batch": [
            {"type": "track", "messageId": "m1", **TRACK},
            {"type": "track", "messageId": "m1", **TRACK},
            {"type": "track", "userId": "u1"},
        ]
    }
    client.post("/v1/batch", json=batch, auth=(server.write_key, ""))
    client.post("/v1/batch", content=b"{", auth=(server.write_key, ""))
    after = [metric(client, name) for name in _COUNTED]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1, 1, 1, 1, 2, 1]
    text = client.get("/metrics").text
    assert "kohort_ingest_unloaded_age_seconds" in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0


_COUNTED = (
    'kohort_ingest_events_total{source="web_shop"}',
    'kohort_ingest_duplicates_total{source="web_shop"}',
    'kohort_ingest_requests_total{source="web_shop",status="200"}',
    'kohort_ingest_requests_total{source="web_shop",status="400"}',
    'kohort_ingest_refused_total{source="web_shop",reason="invalid_request"}',
    'kohort_ingest_rejected_total{source="web_shop",reason="event_not_defined"}',
    "kohort_ingest_request_seconds_count",
    "kohort_ingest_log_position",
)


def test_no_key_is_said_aloud(server: RunningServer) -> None:
    for key in server.write_keys.values():
        assert key not in "".join(server.said)
