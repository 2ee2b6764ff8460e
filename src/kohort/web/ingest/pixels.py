"""Calls in the address of a picture, for e-mails: `?data=<base64 JSON>` or pairs with dotted keys."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl

from kohort.events.lenient import MAX_DEPTH
from kohort.events.reading import readable
from kohort.events.validation import json_text


def pixel_call(query: bytes) -> bytes:
    """The call as JSON; b"" when there is none in it.

    >>> pixel_call(b"writeKey=k&userId=7&properties.subject=Hi")
    b'{"writeKey":"k","userId":"7","properties":{"subject":"Hi"}}'
    """
    try:
        pairs = parse_qsl(query.decode("utf-8", "replace"), max_num_fields=10_000)
    except ValueError:
        return b""
    call: dict[str, Any] = {}
    for key, value in pairs:
        if key == "data":
            call = {**_decoded(value), **call}
        else:
            _put(call, key.split(".", MAX_DEPTH - 1), value)
    return json_text(call).encode() if call else b""


def _decoded(data: str) -> dict[str, Any]:
    """A `+` of base64 arrives as a blank; both alphabets are read."""
    text = data.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        decoded = readable(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _put(call: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[:-1]:
        inner = call.get(key)
        if not isinstance(inner, dict):
            inner = call[key] = {}
        call = inner
    call[path[-1]] = value
