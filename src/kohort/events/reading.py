"""From bytes to messages: whatever clients send as JSON is read, and a message that is odd never takes its neighbours with it.

Beside strict JSON these are read: `NaN` and infinities (as null), numbers that are too large (as text), invalid UTF-8 and lone
surrogates (as U+FFFD), and any depth: what is nested deeper than `MAX_DEPTH` levels of a message becomes JSON text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 100
_MAX_DIGITS: Final = 4_300
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_strict = msgspec.json.Decoder().decode


class BadRequest(Exception):
    """A body that cannot be read at all. status: of the answer; code and message: of its body."""

    def __init__(self, code: str = "invalid_request", message: str = "malformed JSON", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class Request:
    """The messages of a body, each as its exact bytes, and what stands beside the batch: `sentAt`, `context`, `writeKey` and so on."""

    messages: Sequence[bytes]
    envelope: Mapping[str, Any]


def read_request(body: bytes, single: bool) -> Request:
    """single: the body is one message. A body that is JSON but no object is one message, too. Raises BadRequest."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if single:
            _strict(body)
            return Request((body,), {})
        members = _members(body)
        batch = bytes(members.pop("batch", b""))
        messages = _elements(batch) if batch[:1] == b"[" else ()
        return Request([bytes(raw) for raw in messages], {key: read_message(bytes(raw)) for key, raw in members.items()})
    except (*_UNREADABLE, ValueError):
        return _read_leniently(body, single)


def read_message(raw: bytes) -> Any:
    """The value of one message. Raises ValueError for what is no JSON."""
    if len(raw) > 2 * MAX_DEPTH and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        raw = shallow(raw)
    try:
        return _strict(raw)
    except _UNREADABLE:
        text = _ESCAPE.sub(_whole_character, raw).decode("utf-8", "replace")
        return _lenient(text)


def readable(raw: bytes) -> Any:
    """The value of one message; None for what is no JSON."""
    try:
        return read_message(raw)
    except ValueError:
        return None


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


def _read_leniently(body: bytes, single: bool) -> Request:
    try:
        if single or body.lstrip()[:1] != b"{":
            read_message(body)
            return Request((body,), {})
        members = _parts(body.strip(), b":,")
        pairs = {read_message(key): value for key, value in zip(members[::2], members[1::2], strict=True)}
        batch = pairs.pop("batch", b"")
        messages = _parts(batch, b",") if batch[:1] == b"[" else []
        for raw in messages:
            read_message(raw)
        return Request(messages, {key: read_message(raw) for key, raw in pairs.items()})
    except (ValueError, TypeError) as problem:
        raise BadRequest from problem


def _parts(raw: bytes, separators: bytes) -> list[bytes]:
    """The exact bytes of what stands between separators, which follow in turn. Raises ValueError where they or brackets do not fit."""
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


def _lenient(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_float, parse_int=_int)
    except RecursionError as problem:
        raise ValueError("brackets do not close") from problem


def _float(literal: str) -> float | str:
    number = float(literal)
    return literal if math.isinf(number) else number


def _int(literal: str) -> int | str:
    return int(literal) if len(literal.lstrip("-")) <= _MAX_DIGITS else literal
