"""Names of files that browsers keep: of what is in them, safe on every disk."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from urllib.parse import quote

_LONGEST_PART = 60


def file_name(*parts: str, day: date, ending: str) -> str:
    """Words of letters and digits of any script, joined by hyphens.

    >>> file_name("all-customers", "VIP: Größe/1", day=date(2024, 3, 1), ending="csv")
    'all-customers-vip-größe-1-2024-03-01.csv'
    """
    words = [word for part in parts if (word := _words(part))]
    return f"{'-'.join([*words, day.isoformat()])}.{ending}"


def as_attachment(name: str) -> str:
    """The header Content-Disposition (RFC 6266); clients that know ASCII alone get the name without the signs that are not.

    >>> as_attachment("größe.csv")
    'attachment; filename="grosse.csv"; filename*=UTF-8\\'\\'gr%C3%B6%C3%9Fe.csv'
    """
    plain = _ascii(name)
    more = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{more}'


def _words(text: str) -> str:
    found = "-".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower()))
    return found[:_LONGEST_PART].rstrip("-")


def _ascii(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", bare)
    return re.sub(r"-{2,}", "-", kept).strip("-") or "download"
