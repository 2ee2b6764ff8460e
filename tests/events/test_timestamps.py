"""When a call happened: what clients write, the sender's wrong clock, and what names no instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.events.model import RUDDERSTACK_RULES, SEGMENT_RULES
from kohort.events.timestamps import corrected, instant_of
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, SECOND, to_micros
from tests.events.messages import ANY, GOOD, RECEIVED_AT, micros, one_call

TRACK = GOOD["track"]


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31T10:00:00.123Z", "2024-01-31T10:00:00.123+00:00"),
        ("2024-01-31T10:00:00.123456789Z", "2024-01-31T10:00:00.123456+00:00"),
        ("2024-01-31T12:00:00+02:00", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31T12:00:00+0200", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31 10:00:00", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31T10:00:00", "2024-01-31T10:00:00+00:00"),
        (" 2024-01-31T10:00:00Z ", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31 10:00:00 UTC", "2024-01-31T10:00:00+00:00"),
        ("2024-01-31", "2024-01-31T00:00:00+00:00"),
        (1706695200, "2024-01-31T10:00:00+00:00"),
        (1706695200.5, "2024-01-31T10:00:00.500+00:00"),
        (1706695200123, "2024-01-31T10:00:00.123+00:00"),
        ("1706695200123", "2024-01-31T10:00:00.123+00:00"),
        (1706695200123456, "2024-01-31T10:00:00.123456+00:00"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59+00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_what_clients_write(written: Any, instant: str) -> None:
    assert instant_of(written) == micros(instant)


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "yesterday",
        "2024-13-01",
        "2024-01-31T25:00:00Z",
        True,
        [],
        {},
        "١٢٣٤٥٦٧٨٩٠x",
        1e300,
        10**30,
        float("nan"),
        "2006-01-02T15:04:05.000Z07:00",
    ],
)
def test_what_names_no_instant(written: Any) -> None:
    assert instant_of(written) is None


@ANY
@given(st.text() | st.floats() | st.integers() | st.text("0123456789-:TZ+. ", max_size=30))
def test_an_instant_is_one_a_calendar_can_name(written: Any) -> None:
    instant = instant_of(written)
    assert instant is None or MIN_MICROS <= instant <= MAX_MICROS


@ANY
@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_iso_text_is_read_exactly(local: datetime) -> None:
    assert instant_of(local.isoformat()) == to_micros(local.replace(tzinfo=UTC)) == instant_of(local.isoformat() + "Z")


def _instants(rules: Any, **fields: str) -> tuple[int, int | None, int | None]:
    call = one_call(TRACK | fields, rules=rules)
    return call.timestamp, call.original_timestamp, call.sent_at


def test_a_slow_clock_is_corrected() -> None:
    """The sender's clock is an hour behind: sent at 9:00:01 by it, received at 10:00:01."""
    happened, sent = "2024-01-31T08:59:00Z", "2024-01-31T09:00:01Z"
    assert _instants(SEGMENT_RULES, timestamp=happened, sentAt=sent) == (micros("2024-01-31T09:59:00Z"), micros(happened), micros(sent))


def test_the_result_may_lie_in_the_future() -> None:
    timestamp, _, _ = _instants(SEGMENT_RULES, timestamp="2024-02-01T00:00:00Z", sentAt="2024-01-31T10:00:01Z")
    assert timestamp == micros("2024-02-01T00:00:00Z") > RECEIVED_AT


def test_without_sent_at_nothing_is_corrected() -> None:
    assert _instants(SEGMENT_RULES, timestamp="2024-01-01T00:00:00Z") == (
        micros("2024-01-01T00:00:00Z"),
        micros("2024-01-01T00:00:00Z"),
        None,
    )


def test_without_a_timestamp_it_happened_when_it_was_received() -> None:
    assert _instants(SEGMENT_RULES, sentAt="2024-01-31T09:00:01Z") == (RECEIVED_AT, None, micros("2024-01-31T09:00:01Z"))
    assert _instants(SEGMENT_RULES) == (RECEIVED_AT, None, None)


def test_what_cannot_be_read_counts_as_missing_and_is_kept() -> None:
    call = one_call(TRACK | {"timestamp": "yesterday", "sentAt": "now"})
    assert (call.timestamp, call.original_timestamp, call.sent_at) == (RECEIVED_AT, None, None)
    assert call.unread == {"timestamp": "yesterday", "sent_at": "now"}


def test_original_timestamp_serves_where_timestamp_is_missing() -> None:
    assert _instants(SEGMENT_RULES, originalTimestamp="2024-01-31T09:00:00Z", sentAt="2024-01-31T10:00:00Z")[0] == micros(
        "2024-01-31T09:00:01Z"
    )


def test_an_absurd_clock_does_not_leave_the_calendar() -> None:
    assert corrected(MAX_MICROS, MIN_MICROS, RECEIVED_AT) == MAX_MICROS
    assert _instants(SEGMENT_RULES, timestamp="9999-12-31T00:00:00Z", sentAt="0001-01-01T00:00:00Z")[0] == micros("9999-12-31T00:00:00Z")


def test_the_batch_says_when_it_was_sent() -> None:
    call = one_call(TRACK | {"timestamp": "2024-01-31T09:00:00Z", "sentAt": "1999-01-01T00:00:00Z"}, sentAt="2024-01-31T10:00:00Z")
    assert call.timestamp == micros("2024-01-31T09:00:01Z")
    assert call.payload["sentAt"] == "2024-01-31T10:00:00Z"


def test_rudderstack_keeps_a_given_timestamp() -> None:
    fields = {"timestamp": "2024-01-31T08:00:00Z", "sentAt": "2024-01-31T09:00:01Z"}
    assert _instants(RUDDERSTACK_RULES, **fields) == (micros("2024-01-31T08:00:00Z"), RECEIVED_AT, micros("2024-01-31T09:00:01Z"))


def test_rudderstack_corrects_the_original_timestamp() -> None:
    fields = {"originalTimestamp": "2024-01-31T08:59:00Z", "sentAt": "2024-01-31T09:00:01Z"}
    assert _instants(RUDDERSTACK_RULES, **fields)[0] == micros("2024-01-31T09:59:00Z")
    assert _instants(RUDDERSTACK_RULES, originalTimestamp="2024-01-31T08:59:00Z")[0] == micros("2024-01-31T08:59:00Z")
    assert _instants(RUDDERSTACK_RULES) == (RECEIVED_AT, RECEIVED_AT, RECEIVED_AT)


@ANY
@given(st.integers(-SECOND, SECOND), st.integers(-SECOND, SECOND))
def test_the_formula(original: int, sent: int) -> None:
    assert corrected(RECEIVED_AT + original, RECEIVED_AT + sent, RECEIVED_AT) == RECEIVED_AT - (sent - original)
