"""JSON that strict parsers refuse: NaN, numbers that are too large, broken characters, any depth of nesting."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

MAX_DEPTH: Final = 100
_MAX_DIGITS: Final = 4_300
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_walk: Final = json.JSONDecoder(parse_int=float).raw_decode


def lenient_value(raw: bytes) -> Any:
    """The value of JSON: NaN and infinities are null, too large numbers text, broken characters U+FFFD. Raises ValueError."""
    text = _ESCAPE.sub(_whole_character, raw).decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_float, parse_int=_int)
    except RecursionError as problem:
        raise ValueError("brackets do not close") from problem


def shallow(raw: bytes) -> bytes:
    """The same JSON, with arrays and objects below `MAX_DEPTH` levels as texts of themselves.

    >>> shallow(b'[' * 101 + b']' * 101) == b'[' * 100 + b'"[]"' + b']' * 100
    True
    """
    parts, depth, done, begin = [], 0, 0, 0
    for token in _TOKEN.finditer(raw):
        byte = raw[token.start()]
        if byte in b"[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                begin = token.start()
        elif byte in b"]}":
            depth -= 1
            if depth == MAX_DEPTH:
                parts += [raw[done:begin], json.dumps(raw[begin : token.end()].decode("utf-8", "replace"), ensure_ascii=False).encode()]
                done = token.end()
    return b"".join([*parts, raw[done:]])


def elements(raw: bytes) -> list[bytes]:
    """The exact bytes of each element of an array. Raises ValueError; elements deeper than Python reads are not looked into."""
    return list(_spans(raw, ","))


def members(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The exact bytes of each key and value of an object. Raises ValueError as `elements` does."""
    spans = list(_spans(raw, ":,"))
    return list(zip(spans[::2], spans[1::2], strict=True))


def _spans(raw: bytes, separators: str) -> Iterator[bytes]:
    try:
        return iter(_walked_spans(raw.decode("latin-1").strip(" \t\n\r"), separators))
    except RecursionError:
        return iter(_counted_spans(raw.strip(), separators.encode()))


def _walked_spans(text: str, separators: str) -> list[bytes]:
    closing = "]" if text[:1] == "[" else "}"
    spans: list[bytes] = []
    at, last = _past_blanks(text, 1), len(text) - 1
    while text[at : at + 1] != closing or spans:
        _, end = _walk(text, at)
        spans.append(text[at:end].encode("latin-1"))
        at = _past_blanks(text, end)
        if text[at : at + 1] == closing:
            break
        if text[at : at + 1] != separators[(len(spans) - 1) % len(separators)]:
            raise ValueError("a separator is not where it belongs")
        at = _past_blanks(text, at + 1)
    if at != last:
        raise ValueError("something stands after the end")
    return spans


def _past_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _counted_spans(raw: bytes, separators: bytes) -> list[bytes]:
    """The same by counting brackets alone: whatever the depth, without a look at what they hold."""
    cuts: list[int] = []
    depth = end = 0
    for token in _TOKEN.finditer(raw):
        byte = raw[token.start()]
        if byte in b"[{":
            depth += 1
        elif byte in b"]}":
            depth -= 1
            if depth == 0:
                end = token.start()
                break
        elif depth == 1 and byte in b",:":
            if byte != separators[len(cuts) % len(separators)]:
                raise ValueError("a separator is not where it belongs")
            cuts.append(token.start())
    if raw[:1] + raw[end:].strip() not in (b"[]", b"{}"):
        raise ValueError("brackets do not close")
    parts = [raw[begin + 1 : cut].strip() for begin, cut in zip([0, *cuts], [*cuts, end], strict=True)]
    return [] if parts == [b""] else parts


def _whole_character(escape: re.Match[bytes]) -> bytes:
    found = escape.group()
    return rb"\ufffd" if len(found) == 6 else found


def _float(literal: str) -> float | str:
    number = float(literal)
    return literal if math.isinf(number) else number


def _int(literal: str) -> int | str:
    return int(literal) if len(literal.lstrip("-")) <= _MAX_DIGITS else literal
