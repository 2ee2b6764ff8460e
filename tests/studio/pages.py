"""Pages of a running studio as text, without a browser."""

from __future__ import annotations

import re
from html import unescape

import httpx

from kohort.testing.studio import RunningStudio


def get(studio: RunningStudio, path: str, role: str = "admin", status: int = 200) -> str:
    """The HTML of a page as somebody with a role gets it."""
    cookies = {cookie["name"]: cookie["value"] for cookie in studio.cookies(role)}
    answer = httpx.get(f"{studio.url}{path}", cookies=cookies, timeout=60)
    assert answer.status_code == status, answer.text
    return answer.text


def words(html: str) -> str:
    """What a person reads of the content: without tags, spaces as one."""
    content = html[html.find('<main id="content"') :] if '<main id="content"' in html else html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content)).split())


def link(html: str, text: str) -> str:
    """The address of the link that says this (tags inside it do not count)."""
    for found in re.finditer(r'<a\b[^>]*href="([^"]*)"[^>]*>(.*?)</a>', html, re.S):
        if words(found[2]) == text:
            return unescape(found[1])
    raise AssertionError(f"there is no link {text!r}")


def segment_address(studio: RunningStudio, path: str) -> str:
    """Where the pages of a segment are."""
    store = studio.kohort.store
    parent = store.parents()[0]
    found = next(record for record in store.segments(parent.id) if record.path == path)
    return f"/audiences/{parent.slug}/segments/{found.id}"
