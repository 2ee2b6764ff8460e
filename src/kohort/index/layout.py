"""Where an index lies on disk and what its manifest says.

    <root>/<parent id>/<refresh number>/     one index, whole or not there
        manifest.json                        schema, counts, length and checksum of every file
        live.bits  id_rank.i32               packed bits and places over ordinals
        a<i>.*                               attribute i
        b<j>.offsets  b<j>.time              rows of behavior j
        b<j>.c<i>.*                          its column i
    <root>/<parent id>/.building-*           one under way (or left by a process that died)

Columns: text `.codes` and `.dictionary` (Arrow file), numbers, times and booleans `.values`, arrays `.offsets` (int32) and their elements
`.e.*`; where there are nulls `.valid` (packed bits, whole uint64 words). Codes and whole numbers have the narrowest of int8, int16, int32
and int64 that holds them all (`dtype`); `.time` is int64, `.offsets` int32. All little-endian.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kohort.parent.catalog import Storage

FORMAT = 2
MANIFEST = "manifest.json"
LIVE = "live.bits"
ID_RANK = "id_rank.i32"
BUILDING = ".building-"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Length and CRC-32 of one file."""

    bytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: `stem` is how its files begin; `nulls` of `rows` values are null; `distinct` texts (-1: not text).

    dtype: of its values or codes ("" for arrays). low, high: no value is smaller or larger (as stored; 0 where there is none).
    """

    name: str
    stem: str
    storage: Storage
    rows: int
    nulls: int
    scale: int = 0
    distinct: int = -1
    elements: ColumnFacts | None = None
    dtype: str = ""
    low: float = 0
    high: float = 0


@dataclass(frozen=True, slots=True)
class BehaviorFacts:
    """One behavior and its columns. arrival: dtype of the order of arrival; longest: the most rows of one profile; latest: of all times."""

    name: str
    stem: str
    rows: int
    columns: tuple[ColumnFacts, ...]
    arrival: str = "int64"
    longest: int = 0
    latest: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that no column can hold: its conditions are answered by SQL. behavior: "" for an attribute."""

    behavior: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one index consists of. size: ordinals; profiles: those of them that are live; stamp: which refresh of that number it is of."""

    parent_id: int
    refresh_number: int
    size: int
    profiles: int
    attributes: tuple[ColumnFacts, ...]
    behaviors: tuple[BehaviorFacts, ...]
    left_out: tuple[LeftOut, ...]
    files: Mapping[str, FileFacts]
    stamp: str = ""

    @property
    def bytes(self) -> int:
        """Length of all files."""
        return sum(facts.bytes for facts in self.files.values())

    def bytes_of(self, stem: str) -> int:
        """Length of the file of that name and of those that begin with it: a column, a behavior."""
        return sum(facts.bytes for name, facts in self.files.items() if f"{name}.".startswith(f"{stem}."))


def parent_folder(root: Path, parent_id: int) -> Path:
    """Where the indexes of one parent segment are."""
    return root / str(parent_id)


def index_folder(root: Path, parent_id: int, refresh_number: int) -> Path:
    """Where the index of one refresh is."""
    return parent_folder(root, parent_id) / str(refresh_number)


def kept_numbers(root: Path, parent_id: int) -> tuple[int, ...]:
    """The refreshes that have an index, oldest first."""
    folder = parent_folder(root, parent_id)
    return tuple(sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())) if folder.is_dir() else ()


def manifest_text(manifest: Manifest) -> str:
    """The manifest as a file, with its own checksum."""
    body = asdict(manifest)
    return json.dumps({"format": FORMAT, "checksum": _checksum(body), "index": body}, ensure_ascii=False, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an index; None when there is none, it is damaged or of another format."""
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if document["format"] != FORMAT or document["checksum"] != _checksum(document["index"]):
            return None
        return _manifest(document["index"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(body: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode("ascii"))


def _manifest(body: Mapping[str, Any]) -> Manifest:
    behaviors = tuple(BehaviorFacts(**{**facts, "columns": tuple(map(_column, facts["columns"]))}) for facts in body["behaviors"])
    return Manifest(
        **{
            **body,
            "attributes": tuple(map(_column, body["attributes"])),
            "behaviors": behaviors,
            "left_out": tuple(LeftOut(**facts) for facts in body["left_out"]),
            "files": {name: FileFacts(**facts) for name, facts in body["files"].items()},
        }
    )


def _column(facts: Mapping[str, Any]) -> ColumnFacts:
    return ColumnFacts(**{**facts, "elements": _column(facts["elements"]) if facts["elements"] else None})
