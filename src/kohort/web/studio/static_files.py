"""The files browsers load: read once, packed once, under an address that changes with them, so that they are kept for ever."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Request, Response

from kohort.foundation.errors import UserError
from kohort.web.packing import coding_for, packed
from kohort.web.studio.modules import joined

PREFIX = "/static"
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
    "woff2": "font/woff2",
    "md": "text/markdown; charset=utf-8",
}
_STYLES = "studio.css"
_REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACE = re.compile(r"\s*([{};,])\s*|(?<=[a-z0-9-])(:)[ ]+")
_FOR_EVER = "public, max-age=31536000, immutable"
_CHECK = "no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. packed: by content coding, where that was done before."""

    media_type: str
    content: bytes
    packed: Mapping[str, bytes]

    @property
    def may_shrink(self) -> bool:
        """Fonts are packed already."""
        return self.media_type != _TYPES["woff2"]


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All files by path, and the digest of all."""

    files: Mapping[str, StaticFile]
    digest: str

    def url(self, path: str) -> str:
        """The address of a file. Raises KeyError when there is none."""
        if path not in self.files:
            raise KeyError(path)
        return f"{PREFIX}/{self.digest}/{path}"


@cache
def static_files() -> StaticFiles:
    """The files of the studio. All of `css/` is one file, `studio.css`, in the order of its names; `js/` is joined to fewer files."""
    root = files("kohort.web.studio") / "static"
    raw = dict(sorted(_walk(root, "")))
    styles = styles_without_space("\n".join(content.decode("utf-8") for path, content in raw.items() if path.startswith("css/")))
    scripts = joined({path: content.decode("utf-8") for path, content in raw.items() if path.startswith("js/")})
    raw = {path: content for path, content in raw.items() if not path.startswith("css/")} | {_STYLES: styles.encode("utf-8")}
    raw |= {path: text.encode("utf-8") for path, text in scripts.items()}
    found = {path: _file(path, content, raw.get(f"{path}.br")) for path, content in raw.items() if path.rpartition(".")[2] in _TYPES}
    digest = hashlib.sha256(b"".join(path.encode() + content for path, content in sorted(raw.items()))).hexdigest()[:12]
    return StaticFiles(found, digest)


def styles_without_space(text: str) -> str:
    """Style sheets without remarks and without the space that only people need. They hold no quoted braces, semicolons or commas."""
    return _SPACE.sub(lambda found: found.group(1) or ":", _REMARK.sub("", text)).strip()


def _walk(folder: Traversable, before: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        path = f"{before}{item.name}"
        found += _walk(item, f"{path}/") if item.is_dir() else [(path, item.read_bytes())]
    return found


def _file(path: str, content: bytes, brotli: bytes | None) -> StaticFile:
    return StaticFile(_TYPES[path.rpartition(".")[2]], content, {"br": brotli} if brotli else {})


@cache
def _packed(path: str, coding: str) -> bytes:
    """A file in a content coding, when it is asked for first."""
    file = static_files().files[path]
    return file.packed.get(coding) or packed(file.content, coding, "small")


def answer_static(request: Request, digest: str, path: str) -> Response:
    """A file; nobody has to sign in for it. Raises UserError FILE_NOT_FOUND."""
    known = static_files()
    file = known.files.get(path)
    if file is None:
        raise UserError("FILE_NOT_FOUND", f'there is no file "{path[:200]}"')
    headers = {
        "Cache-Control": _FOR_EVER if digest == known.digest else _CHECK,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    coding = coding_for(request.headers.get("accept-encoding", "")) if file.may_shrink else ""
    if not coding:
        return Response(file.content, media_type=file.media_type, headers=headers)
    return Response(_packed(path, coding), media_type=file.media_type, headers={**headers, "Content-Encoding": coding})
