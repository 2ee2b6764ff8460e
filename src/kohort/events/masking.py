"""Write keys that clients put into calls are not for the eyes of those who look at samples."""

from __future__ import annotations

import re
from typing import Final

KEY_NAMES: Final = ("writeKey", "write_key")
_WRITTEN = re.compile(r'("write_?key"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)


def mask_write_keys(sample: str) -> str:
    """The JSON text, or the beginning of one, with stars for the write keys in it.

    >>> mask_write_keys('{"writeKey": "abc", "type": "track"}')
    '{"writeKey": "****", "type": "track"}'
    """
    return _WRITTEN.sub(r'\1"****"', sample)
