"""When a call happened, by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from kohort.events.model import Naming
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, Micros, clamp, parse_instant, to_micros

_UTC: Final = ZoneInfo("UTC")
_EPOCH_DIGITS: Final = {10: 1_000_000, 13: 1_000, 16: 1}
"""How many microseconds one unit of an epoch number has, by its number of digits: seconds, milliseconds, microseconds."""
_LONGEST: Final = 40


def instant_of(value: Any) -> Micros | None:
    """The instant a client wrote: ISO 8601 text (UTC where it names no zone) or seconds, milliseconds or microseconds since 1970.

    >>> instant_of("1970-01-01T01:00:00.5+01:00"), instant_of("1970-01-01"), instant_of(1_700_000_000_000) == instant_of("1700000000")
    (500000, 0, True)
    >>> instant_of("yesterday") is None
    True
    """
    if type(value) is str:
        return _known_instant(value) if len(value) <= _LONGEST else _text_instant(value)
    if type(value) is int or type(value) is float:
        return _number_instant(value)
    return None


def corrected(original: Micros, sent: Micros, received: Micros) -> Micros:
    """When it happened by the server's clock: the sender's clock was wrong by what lies between sending and receiving.

    The result may lie in the future. Where no calendar could name it, the original stands.
    """
    instant = received - (sent - original)
    return instant if MIN_MICROS <= instant <= MAX_MICROS else original


def call_instants(message: dict[str, Any], received: Micros, naming: Naming) -> tuple[Micros, Micros | None, Micros | None, dict[str, Any]]:
    """timestamp, original_timestamp, sent_at, and what could not be read (column -> value as sent).

    Segment takes `timestamp` for the original and corrects it; without `sentAt` nothing is corrected. RudderStack keeps a given
    `timestamp` as it is and else corrects `originalTimestamp`; there what is missing is the instant of receiving.
    """
    given, original, sent = message.get("timestamp"), message.get("originalTimestamp"), message.get("sentAt")
    at, original_at, sent_at = instant_of(given), instant_of(original), instant_of(sent)
    read = (("timestamp", given, at), ("original_timestamp", original, original_at), ("sent_at", sent, sent_at))
    unread = {column: value for column, value, instant in read if instant is None and value is not None and value != ""}
    if naming == "rudderstack":
        original_at, sent_at = received if original_at is None else original_at, received if sent_at is None else sent_at
        return corrected(original_at, sent_at, received) if at is None else at, original_at, sent_at, unread
    original_at = original_at if at is None else at
    if original_at is None:
        return received, None, sent_at, unread
    return original_at if sent_at is None else corrected(original_at, sent_at, received), original_at, sent_at, unread


def segment_instants(given: Any, original: Any, sent: Any, received: Micros) -> tuple[Micros, Micros | None, Micros | None] | None:
    """The same by Segment's rule, for what a message says of instants; None when something cannot be read."""
    at = original_at = sent_at = None
    if given is not None and given != "" and (at := instant_of(given)) is None:
        return None
    if original is not None and original != "" and (original_at := instant_of(original)) is None:
        return None
    if sent is not None and sent != "" and (sent_at := instant_of(sent)) is None:
        return None
    original_at = original_at if at is None else at
    if original_at is None:
        return received, None, sent_at
    return original_at if sent_at is None else corrected(original_at, sent_at, received), original_at, sent_at


def _text_instant(text: str) -> Micros | None:
    if text.isdecimal() and len(text) in _EPOCH_DIGITS:
        return int(text) * _EPOCH_DIGITS[len(text)]
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return parse_instant(text, _UTC)
    return clamp(to_micros(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)))


@lru_cache(maxsize=256)
def _known_instant(text: str) -> Micros | None:
    """The same, kept for a while: all calls of a batch have one `sentAt`."""
    return _text_instant(text)


def _number_instant(number: int | float) -> Micros | None:
    size = abs(number)
    unit = 1_000_000 if size < 1e11 else 1_000 if size < 1e14 else 1
    if not size < 1e18:
        return None
    return clamp(int(number * unit))
