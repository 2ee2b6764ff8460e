"""Plain English for the small things: names, numbers, values, lists, lengths of time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kohort.foundation.calendar import Duration, Unit
from kohort.rules.ast import Ago, Ahead, Operand, Timestamp

_PLAIN_VALUE = re.compile(r"[^\W_][\w./@+&-]*(?: [\w/@+&-]+)*")
_UNCLEAR_WORDS = frozenset({"and", "or", "is", "are", "not", "who", "whose", "true", "false", "yes", "no", "null", "than", "unknown"})
_MADE = frozenset(
    {"booking", "call", "donation", "order", "payment", "purchase", "redemption", "reservation", "return", "transaction", "visit"}
)


def label_text(name: str, label: str = "") -> str:
    """How a field is called in a sentence: its label or its name, words apart, ordinary capitals lowered.

    >>> label_text("lifetime_value"), label_text("ltv", "Lifetime Value (EUR)")
    ('lifetime value', 'lifetime value (EUR)')
    """
    words = (label or name.replace("_", " ")).split()
    text = " ".join(word.lower() if word[1:].islower() or len(word) == 1 else word for word in words)
    return text or '""'


def singular(noun: str) -> str:
    """
    >>> [singular(noun) for noun in ("page views", "purchases", "categories", "searches", "purchase", "access")]
    ['page view', 'purchase', 'category', 'search', 'purchase', 'access']
    """
    if not noun.isascii() or not noun.endswith("s") or noun.endswith(("ss", "us", "is")):
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("ches", "shes", "xes", "sses")) else noun[:-1]


def plural(noun: str) -> str:
    """
    >>> [plural(noun) for noun in ("purchase", "category", "search", "page views", "day")]
    ['purchases', 'categories', 'searches', 'page views', 'days']
    """
    one = singular(noun)
    if one != noun or not noun.isascii() or not noun[-1:].isalpha():
        return noun
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        return one[:-1] + "ies"
    return one + ("es" if one.endswith(("s", "x", "ch", "sh")) else "s")


def with_article(noun: str) -> str:
    """
    >>> with_article("email open")
    'an email open'
    """
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def did(noun: str) -> str:
    """The verb for having done it: one makes a purchase, one has an email open."""
    return "made" if noun.rsplit(" ", 1)[-1].lower() in _MADE else "had"


def number_text(number: int | float) -> str:
    """
    >>> number_text(1234567), number_text(0.5), number_text(1000.0)
    ('1,234,567', '0.5', '1,000')
    """
    text = f"{number:,}"
    return text.removesuffix(".0")


def text_value(text: str) -> str:
    """A text as it stands in a sentence: bare when that is clear, else between quotation marks."""
    words = text.split(" ")
    clear = _PLAIN_VALUE.fullmatch(text) and not text[0].isdigit() and not _UNCLEAR_WORDS.intersection(word.lower() for word in words)
    return text if clear else quoted(text)


def quoted(text: str) -> str:
    return "“" + " ".join(text.splitlines()) + "”" if text else "empty text"


def value_text(value: Operand) -> str:
    """
    >>> value_text("Gold"), value_text("so, so"), value_text(True), value_text(Ago(Duration.of(30, "day")))
    ('Gold', '“so, so”', 'yes', '30 days ago')
    """
    match value:
        case Timestamp(text):
            return " ".join(text.split()) or "empty text"
        case Ago(duration):
            return "now" if not any(amount for _, amount in duration.parts) else f"{duration_text(duration)} ago"
        case Ahead(duration):
            return "now" if not any(amount for _, amount in duration.parts) else f"{duration_text(duration)} from now"
        case bool():
            return "yes" if value else "no"
        case str():
            return text_value(value)
        case _:
            return number_text(value)


def amount_text(amount: int, unit: Unit) -> str:
    return f"{number_text(amount)} {unit if amount == 1 else unit + 's'}"


def duration_text(duration: Duration) -> str:
    """
    >>> duration_text(Duration((("month", 1), ("day", 2))))
    '1 month and 2 days'
    """
    return join([amount_text(amount, unit) for unit, amount in duration.parts], "and") or "no time"


def past_text(amount: int, unit: Unit) -> str:
    """`30 days`, but `year` for one year: "in the past year"."""
    return unit if amount == 1 else amount_text(amount, unit)


def join(parts: Sequence[str], word: str) -> str:
    """
    >>> join(["a", "b", "c"], "or")
    'a, b or c'
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
