"""The published names: which table an event lands in and which column a key becomes."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from kohort.events.columns import OVERFLOW, SOURCE_TABLES
from kohort.events.identity import PROFILE_ID, WITH_PROFILE
from kohort.events.model import Naming

MAX_NAME: Final = 127
_RESERVED_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default deferrable desc
    describe distinct do else end except false fetch for foreign from group having in initially intersect into lambda lateral leading
    limit not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify references returning select show
    some summarize symmetric table then to trailing true union unique unpivot using variadic when where window with
"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
"""Words the embedded warehouse's SQL reserves: as names they get a `_` before them."""

_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""Marks of keys are letters alone: no rule divides them into words."""
_ALPHANUMERIC = re.compile("[A-Za-z0-9]")
_SEGMENT_WORD = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z0-9]+")
_SEGMENT_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9]|_(?=[a-z0-9]))*")
_RUDDERSTACK_WORD = re.compile(
    r"[A-Z]?[a-z]+[0-9]+|[A-Z]+[0-9]+|[0-9]+[A-Z]?[a-z]+|[0-9]+[A-Z]+"
    r"|[A-Z]?[a-z]+(?=[A-Z]|[^A-Za-z0-9]|$)|[A-Z]+(?=[A-Z][a-z]|[^A-Za-z0-9]|$)|[A-Z]?[a-z]+|[A-Z]+|[0-9]+"
)


def table_name(event: str, naming: Naming = "segment") -> str:
    """The table of an event.

    >>> table_name("Order Completed"), table_name("Users"), table_name("日本語")
    ('order_completed', '_users', 'event_77710aedc7')
    """
    name = event_slug(event, naming)
    if name.endswith(WITH_PROFILE):
        return f"{name}_event"
    return f"_{name}" if name in SOURCE_TABLES or name in RESERVED else name


def event_slug(event: str, naming: Naming = "segment") -> str:
    """What stands in the column `event`: the words of an event's name, before reserved names are avoided."""
    return _fitting(snake_case(event, naming) or f"event_{_mark(event)}", event)


def column_name(key: str, naming: Naming = "segment") -> str:
    """The column of a key, or of a path of keys joined with `_`.

    >>> column_name("productIDs"), column_name("productIDs", "rudderstack"), column_name("order")
    ('product_ids', 'product_i_ds', '_order')
    """
    name = _fitting(snake_case(key_name(key), naming), key)
    return f"_{name}" if name in RESERVED or name in (OVERFLOW, PROFILE_ID) else name


def key_name(key: str) -> str:
    """What a key contributes to the path of a column: itself, or a stable name when no letter or digit of it would be left.

    >>> key_name("address"), key_name("住所")
    ('address', 'column_phbahnldcj')
    """
    return key if _ALPHANUMERIC.search(key) else f"column_{_mark(key).translate(_LETTERS)}"


def snake_case(text: str, naming: Naming = "segment") -> str:
    """The words of a text in lower case, joined with `_`; empty when it has no letter or digit of ASCII."""
    if naming == "segment":
        return _segment_case(text)
    words = "_".join(word.lower() for word in _RUDDERSTACK_WORD.findall(text))
    if words and text.startswith("_"):
        return text[: len(text) - len(text.lstrip("_"))] + words
    return f"_{words}" if words[:1].isdigit() else words


def _segment_case(text: str) -> str:
    if _SEGMENT_PLAIN.fullmatch(text):
        return text
    return "_".join(word.lower() for word in _SEGMENT_WORD.findall(text))


def _fitting(name: str, text: str) -> str:
    """Names longer than the limit keep their beginning and end in a mark of the whole text, so that no two of them meet."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 11]}_{_mark(text)}"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
