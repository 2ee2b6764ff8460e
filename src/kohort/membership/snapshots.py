"""Who was in which segment: the bitmaps of one evaluation, kept on disk.

One folder an evaluation, `<root>/<parent id>/<evaluation id>/`: `manifest.json` (paths, instant, refresh) and `members.npz` (one
array of uint64 words a segment, over ordinals). Written beside and renamed, so a snapshot is whole or not there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What one snapshot is of. `as_of` in microseconds; `counts` by segment path."""

    parent_id: int
    evaluation_id: int
    refresh_number: int
    as_of: int
    counts: Mapping[str, int]


class SnapshotStore:
    """Snapshots under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _folder(self, parent_id: int, evaluation_id: int) -> Path:
        return self._root / str(parent_id) / str(evaluation_id)

    def save(self, manifest: SnapshotManifest, members: Mapping[str, Words], keep: int) -> None:
        """Keep the members of one evaluation; of the older snapshots of this parent only the newest `keep` stay."""
        target = self._folder(manifest.parent_id, manifest.evaluation_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
        try:
            paths = list(members)
            arrays = {f"s{position}": members[path] for position, path in enumerate(paths)}
            with (beside / "members.npz").open("wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            facts = {
                "parent_id": manifest.parent_id,
                "evaluation_id": manifest.evaluation_id,
                "refresh_number": manifest.refresh_number,
                "as_of": manifest.as_of,
                "segments": [{"path": path, "count": manifest.counts[path]} for path in paths],
            }
            (beside / "manifest.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)
            beside.rename(target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        self._drop_old(manifest.parent_id, keep)

    def _drop_old(self, parent_id: int, keep: int) -> None:
        folder = self._root / str(parent_id)
        numbered = sorted((int(entry.name), entry) for entry in folder.iterdir() if entry.name.isdigit())
        for _, entry in numbered[:-keep]:
            shutil.rmtree(entry, ignore_errors=True)
        for entry in folder.glob(".writing-*"):
            shutil.rmtree(entry, ignore_errors=True)

    def manifest(self, parent_id: int, evaluation_id: int) -> SnapshotManifest | None:
        """What a snapshot is of; None when it is not (or no longer) there."""
        try:
            facts = json.loads((self._folder(parent_id, evaluation_id) / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        counts = {entry["path"]: int(entry["count"]) for entry in facts["segments"]}
        return SnapshotManifest(facts["parent_id"], facts["evaluation_id"], facts["refresh_number"], facts["as_of"], counts)

    def members(self, parent_id: int, evaluation_id: int, path: str) -> Words | None:
        """The members of one segment as words over ordinals; None when the snapshot does not hold it."""
        manifest = self.manifest(parent_id, evaluation_id)
        if manifest is None or path not in manifest.counts:
            return None
        position = list(manifest.counts).index(path)
        with np.load(self._folder(parent_id, evaluation_id) / "members.npz") as arrays:
            words: Words = arrays[f"s{position}"]
        return words

    def segments_of(self, parent_id: int, evaluation_id: int, ordinal: int) -> tuple[str, ...]:
        """The paths of the segments that hold one profile."""
        manifest = self.manifest(parent_id, evaluation_id)
        if manifest is None:
            return ()
        word, bit = divmod(ordinal, 64)
        found = []
        with np.load(self._folder(parent_id, evaluation_id) / "members.npz") as arrays:
            for position, path in enumerate(manifest.counts):
                words = arrays[f"s{position}"]
                if word < len(words) and (int(words[word]) >> bit) & 1:
                    found.append(path)
        return tuple(found)
