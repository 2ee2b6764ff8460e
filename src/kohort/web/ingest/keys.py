"""The write key of a request, wherever the client put it."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from urllib.parse import parse_qsl


@lru_cache(maxsize=4096)
def key_in_header(authorization: bytes) -> str:
    """The write key of an Authorization header; "" when it is elsewhere (Bearer) or cannot be read.

    >>> key_in_header(b"Basic " + base64.b64encode(b"key:")), key_in_header(b"basic " + base64.b64encode(b"key"))
    ('key', 'key')
    """
    scheme, _, rest = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    text = rest.strip()
    try:
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        return decoded.decode("utf-8").partition(":")[0].strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def key_in_query(query: bytes) -> str:
    """`?writeKey=...`: beacons and pixels cannot send headers.

    >>> key_in_query(b"a=1&writeKey=abc")
    'abc'
    """
    if b"riteKey" not in query and b"rite_key" not in query:
        return ""
    pairs = dict(parse_qsl(query.decode("utf-8", "replace")))
    return pairs.get("writeKey") or pairs.get("WriteKey") or pairs.get("write_key") or ""
