"""Who was in which segment: the bitmaps of one evaluation, kept on disk.

One folder an evaluation, `<root>/<parent id>/<evaluation id>/`: `manifest.json` (what it is of, where each bitmap lies, a checksum)
and `members.bin` (packed bitmaps over ordinals, one a segment or variant, and one of all profiles). Ordinals are for life, so
bitmaps of different refreshes compare. Written beside and renamed, so a snapshot is whole or not there.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from kohort.foundation.errors import UserError
from kohort.membership.packed import Damaged, Words, count_common, has_bit, pack, unpack, unpack_chunk

FORMAT = 1
THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, order=True)
class SegmentKey:
    """What a segment or variant is called for life: the id of the (splitting) segment and the variant's letter and name, "" for none."""

    segment_id: int
    variant: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotSegment:
    """One segment or variant of a snapshot: what it was called then, the version that was evaluated, how many were in it."""

    key: SegmentKey
    path: str
    version: int
    count: int


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What one snapshot is of. `as_of` in microseconds; `total`: all profiles of the refresh."""

    parent_id: int
    evaluation_id: int
    refresh_number: int
    as_of: int
    total: int
    segments: tuple[SnapshotSegment, ...]


class SnapshotDamaged(UserError):
    """The refusal to answer from a snapshot that is not what was written; `code` is SNAPSHOT_DAMAGED."""

    def __init__(self, evaluation_id: int, folder: Path, error: Exception) -> None:
        super().__init__(
            "SNAPSHOT_DAMAGED",
            f"the members kept of evaluation {evaluation_id} cannot be read: {str(error) or type(error).__name__}",
            hint=f"remove {folder}; other evaluations are not affected, and kohort sg eval keeps the members of now",
        )
        self.evaluation_id = evaluation_id


class Snapshot:
    """One snapshot, opened: bitmaps are read when asked for. It stays readable when its folder is dropped meanwhile."""

    def __init__(self, folder: Path, manifest: SnapshotManifest, word_count: int, places: tuple[tuple[int, int], ...]) -> None:
        self.manifest = manifest
        self.word_count = word_count
        self._folder = folder
        self._positions = {segment.key: position for position, segment in enumerate(manifest.segments)}
        self._places = places
        self._data = memoryview(_mapped(folder / "members.bin"))
        if len(self._data) != sum(length for _, length in places):
            raise Damaged("members.bin has another length than it was written with")

    def find(self, key: SegmentKey) -> SnapshotSegment | None:
        """The segment or variant, when this evaluation counted it."""
        position = self._positions.get(key)
        return None if position is None else self.manifest.segments[position]

    def members(self, key: SegmentKey) -> Words:
        """The members of a segment as words over ordinals. Raises KeyError, UserError SNAPSHOT_DAMAGED."""
        return self._read(self._positions[key])

    def part(self, key: SegmentKey, number: int) -> Words:
        """Those with ordinals in chunk `number`, PROFILES_PER_CHUNK ordinals each. Raises KeyError, UserError SNAPSHOT_DAMAGED."""
        try:
            return unpack_chunk(self._packed(self._positions[key]), self.word_count, number)
        except Damaged as error:
            raise SnapshotDamaged(self.manifest.evaluation_id, self._folder, error) from error

    def live(self) -> Words:
        """All profiles of the refresh. Raises UserError SNAPSHOT_DAMAGED."""
        return self._read(len(self._places) - 1)

    def segments_of(self, ordinal: int) -> tuple[SnapshotSegment, ...]:
        """The segments and variants that held one profile. Raises UserError SNAPSHOT_DAMAGED."""
        return tuple(segment for position, segment in enumerate(self.manifest.segments) if self._holds(position, ordinal))

    def is_live(self, ordinal: int) -> bool:
        """Whether the refresh had that profile. Raises UserError SNAPSHOT_DAMAGED."""
        return self._holds(len(self._places) - 1, ordinal)

    def count_stayed(self, key: SegmentKey, other: Snapshot) -> int:
        """How many of a segment's members are its members in another snapshot too. Raises KeyError, UserError SNAPSHOT_DAMAGED."""
        mine, theirs = self._packed(self._positions[key]), other._packed(other._positions[key])
        try:
            return count_common(mine, self.word_count, theirs, other.word_count)
        except Damaged:
            self.members(key)
            other.members(key)
            raise

    def _packed(self, position: int) -> memoryview:
        start, length = self._places[position]
        return self._data[start : start + length]

    def _read(self, position: int) -> Words:
        try:
            return unpack(self._packed(position), self.word_count)
        except Damaged as error:
            raise SnapshotDamaged(self.manifest.evaluation_id, self._folder, error) from error

    def _holds(self, position: int, ordinal: int) -> bool:
        try:
            return has_bit(self._packed(position), self.word_count, ordinal)
        except Damaged as error:
            raise SnapshotDamaged(self.manifest.evaluation_id, self._folder, error) from error


class SnapshotStore:
    """Snapshots under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, manifest: SnapshotManifest, members: Mapping[str, Words], live: Words, keep: int) -> None:
        """Keep the members of one evaluation by path, and all profiles; of this parent's snapshots only the newest `keep` stay.

        The snapshot that is saved always stays. All words have one length.
        """
        target = self._folder(manifest.parent_id, manifest.evaluation_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
        try:
            lengths = _write_members(beside / "members.bin", [*(members[segment.path] for segment in manifest.segments), live])
            _write_manifest(beside / "manifest.json", manifest, len(live), lengths)
            if target.exists():
                shutil.rmtree(target)
            beside.rename(target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        self._drop_old(manifest.parent_id, manifest.evaluation_id, keep)

    def kept(self, parent_id: int) -> tuple[int, ...]:
        """The evaluations whose members are kept, by id."""
        folder = self._root / str(parent_id)
        if not folder.is_dir():
            return ()
        return tuple(sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()))

    def open(self, parent_id: int, evaluation_id: int) -> Snapshot | None:
        """One snapshot; None when it is not (or no longer) there. Raises UserError SNAPSHOT_DAMAGED."""
        folder = self._folder(parent_id, evaluation_id)
        try:
            return _open(folder)
        except FileNotFoundError as error:
            if not (folder / "manifest.json").exists():
                return None
            raise SnapshotDamaged(evaluation_id, folder, error) from error
        except (Damaged, ValueError, KeyError, TypeError) as error:
            raise SnapshotDamaged(evaluation_id, folder, error) from error

    def segments_of(self, parent_id: int, evaluation_id: int, ordinal: int) -> tuple[str, ...]:
        """The paths of the segments that hold one profile. Raises UserError SNAPSHOT_DAMAGED."""
        snapshot = self.open(parent_id, evaluation_id)
        return () if snapshot is None else tuple(segment.path for segment in snapshot.segments_of(ordinal))

    def _folder(self, parent_id: int, evaluation_id: int) -> Path:
        return self._root / str(parent_id) / str(evaluation_id)

    def _drop_old(self, parent_id: int, saved: int, keep: int) -> None:
        self._sweep(parent_id)
        others = [number for number in self.kept(parent_id) if number != saved]
        for number in others[: max(0, len(others) + 1 - max(1, keep))]:
            folder = self._folder(parent_id, number)
            folder.rename(folder.with_name(f".writing-dropped-{number}"))
        self._sweep(parent_id)

    def _sweep(self, parent_id: int) -> None:
        for entry in (self._root / str(parent_id)).glob(".writing-*"):
            shutil.rmtree(entry, ignore_errors=True)


def variant_name(path: str, owner: str) -> str:
    """What a variant is called for life: of "Tests/Offer/A-Offer", split from "Tests/Offer", the letter A; "" for the segment itself.

    >>> variant_name("Tests/Offer/Control-Offer", "Tests/Offer")
    'Control'
    """
    return path[len(owner) + 1 :].removesuffix(f"-{owner.rpartition('/')[2]}")


def _write_members(path: Path, bitmaps: Iterable[Words]) -> list[int]:
    """Packs and writes; returns the bytes of each."""
    lengths = []
    with path.open("wb") as file, ThreadPoolExecutor(THREADS) as threads:
        for packed in threads.map(pack, bitmaps):
            lengths.append(len(packed))
            file.write(packed)
        _settle(file)
    return lengths


def _write_manifest(path: Path, manifest: SnapshotManifest, word_count: int, lengths: list[int]) -> None:
    facts = {
        "parent_id": manifest.parent_id,
        "evaluation_id": manifest.evaluation_id,
        "refresh_number": manifest.refresh_number,
        "as_of": manifest.as_of,
        "total": manifest.total,
        "words": word_count,
        "lengths": lengths,
        "segments": [[s.key.segment_id, s.key.variant, s.path, s.version, s.count] for s in manifest.segments],
    }
    with path.open("wb") as file:
        file.write(json.dumps({"format": FORMAT, "checksum": _checksum(facts), "facts": facts}, ensure_ascii=False).encode())
        _settle(file)


def _settle(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _checksum(facts: Any) -> int:
    return zlib.crc32(json.dumps(facts, ensure_ascii=True, sort_keys=True).encode())


def _open(folder: Path) -> Snapshot:
    document = json.loads((folder / "manifest.json").read_bytes())
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise Damaged(f"its format{f' {found}' if found else ''} is not known to this version of Kohort")
    facts = document["facts"]
    if document["checksum"] != _checksum(facts):
        raise Damaged("manifest.json is not what was written")
    segments = tuple(
        SnapshotSegment(SegmentKey(segment_id, variant), path, version, count)
        for segment_id, variant, path, version, count in facts["segments"]
    )
    manifest = SnapshotManifest(
        facts["parent_id"], facts["evaluation_id"], facts["refresh_number"], facts["as_of"], facts["total"], segments
    )
    lengths: list[int] = facts["lengths"]
    starts = (0, *accumulate(lengths[:-1]))
    return Snapshot(folder, manifest, facts["words"], tuple(zip(starts, lengths, strict=True)))


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
