"""How pages write counts, shares, instants and values: the filters of the templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from markupsafe import Markup

from kohort.web.api.answers import plain

MINUS = "−"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def count_text(value: int | None) -> str:
    """A count with its thousands apart; a dash when it is not known.

    >>> count_text(1234567), count_text(None)
    ('1,234,567', '–')
    """
    return "–" if value is None else f"{value:,}"


def change_text(value: int | None) -> str:
    """A change with its sign.

    >>> change_text(12), change_text(-1200), change_text(0), change_text(None)
    ('+12', '−1,200', '0', '–')
    """
    if value is None:
        return "–"
    return f"+{value:,}" if value > 0 else f"{MINUS}{-value:,}" if value < 0 else "0"


def share_text(value: float | None) -> str:
    """A share (0 to 1) in percent; what is there but tiny never reads as nothing.

    >>> share_text(0.018), share_text(0.00001), share_text(0.0), share_text(1.0), share_text(None)
    ('1.80%', '<0.01%', '0%', '100%', '–')
    """
    if value is None:
        return "–"
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    return "<0.01%" if value < 0.0001 else f"{value:.2%}"


def growth_text(value: float | None) -> str:
    """A relative change with its sign.

    >>> growth_text(0.095), growth_text(-0.2), growth_text(None)
    ('+9.5%', '−20.0%', '–')
    """
    if value is None:
        return "–"
    return f"+{value:.1%}" if value > 0 else f"{MINUS}{-value:.1%}" if value < 0 else "0%"


def span_text(span: timedelta) -> str:
    """A length of time in its largest unit.

    >>> span_text(timedelta(hours=2, minutes=5)), span_text(timedelta(days=3)), span_text(timedelta(seconds=9))
    ('2h', '3d', 'now')
    """
    seconds = int(span.total_seconds())
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "now"


def seconds_text(seconds: float) -> str:
    """A length of time as one reads it.

    >>> seconds_text(0.004), seconds_text(1.25), seconds_text(75), seconds_text(3700)
    ('4 ms', '1.3 s', '1 min 15 s', '1 h 1 min')
    """
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds + 1e-9:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sentence_text(words: str) -> str:
    """Words of a problem or a hint as a sentence.

    >>> sentence_text("there is no segment 3"), sentence_text('did you mean "age"?')
    ('There is no segment 3.', 'Did you mean "age"?')
    """
    text = words[:1].upper() + words[1:].removesuffix(".")
    return text if text.endswith(("?", "!")) else f"{text}."


def ago_text(instant: datetime, now: datetime) -> str:
    """How long ago an instant was.

    >>> ago_text(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    '2d ago'
    """
    span = span_text(now - aware(instant))
    return "just now" if span == "now" else f"{span} ago"


def instant_text(instant: datetime) -> str:
    """An instant for people, UTC.

    >>> instant_text(datetime(2024, 1, 31, 10, 5))
    '2024-01-31 10:05 UTC'
    """
    return aware(instant).strftime("%Y-%m-%d %H:%M UTC")


def day_text(day: date) -> str:
    """A day for people."""
    return day.isoformat()


def aware(instant: datetime) -> datetime:
    """The instant in UTC; what has no zone is UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def when(instant: datetime | None, now: datetime) -> Markup:
    """A `<time>` that reads "2h ago" and tells the instant; a dash for none."""
    if instant is None:
        return Markup("–")
    moment = aware(instant)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), instant_text(moment), ago_text(moment, now))


def ticks_text(words: str) -> Markup:
    """Words with what stands between backticks as code.

    >>> ticks_text("no `event`, <b>")
    Markup('no <code>event</code>, &lt;b&gt;')
    """
    parts = words.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts))


def value_text(value: Any) -> str:
    """A value of a column for people; nothing is an empty text (templates show a dash).

    >>> value_text(None), value_text(True), value_text(["a", 1]), value_text(4.5)
    ('', 'true', 'a, 1', '4.5')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return instant_text(value)
        case list() | tuple():
            return ", ".join(value_text(item) for item in value)
        case Mapping():
            return json.dumps(plain(value), ensure_ascii=False)
        case _:
            return str(plain(value))


def json_text(value: Any) -> str:
    """A value as JSON text: for `data-` attributes that scripts read (templates escape it)."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "count": count_text,
    "change": change_text,
    "share": share_text,
    "growth": growth_text,
    "instant": instant_text,
    "sentence": sentence_text,
    "value": value_text,
    "ticks": ticks_text,
    "as_json": json_text,
}
