"""Makes answers smaller for browsers that can unpack them."""

from __future__ import annotations

import gzip
from functools import cache

from fastapi import Request, Response

_GZIP = {"quick": 3, "small": 9}
_BROTLI = {"quick": 5, "small": 11}
FROM_BYTES, TO_BYTES = 1_000, 1_000_000
"""Less is not worth it; packing more would keep others waiting."""


def coding_for(accepted: str) -> str:
    """The content coding that suits an Accept-Encoding header best: br, gzip or "" for none."""
    parts = [part.replace(" ", "").partition(";") for part in accepted.split(",")]
    known = {name for name, _, weight in parts if weight.rstrip("0") not in ("q=", "q=0.")}
    return next((coding for coding in ("br", "gzip") if coding in known and (coding != "br" or _brotli_is_there())), "")


def packed(content: bytes, coding: str, effort: str) -> bytes:
    """The content in a coding of `coding_for`. effort: quick (for what is sent once) or small (for what is kept)."""
    match coding:
        case "br":
            from pyarrow import Codec

            found: bytes = Codec("brotli", _BROTLI[effort]).compress(content, asbytes=True)
            return found
        case "gzip":
            return gzip.compress(content, _GZIP[effort], mtime=0)
        case _:
            return content


def made_small(request: Request, answer: Response) -> Response:
    """The same answer, packed when it is JSON of some length and the caller can unpack it."""
    body = bytes(getattr(answer, "body", b""))
    if not FROM_BYTES <= len(body) <= TO_BYTES or "json" not in (answer.media_type or "") or "content-encoding" in answer.headers:
        return answer
    answer.headers.add_vary_header("Accept-Encoding")
    coding = coding_for(request.headers.get("accept-encoding", ""))
    if coding:
        answer.body = packed(body, coding, "quick")
        answer.headers["Content-Encoding"] = coding
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


@cache
def _brotli_is_there() -> bool:
    from pyarrow import Codec

    return bool(Codec.is_available("brotli"))
