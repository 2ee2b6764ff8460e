"""A preview and an overlap as JSON values: the form that programs and editors read (docs/guides/preview.md)."""

from __future__ import annotations

from typing import Any

from kohort.services.evaluation.overlap import Overlap, OverlapMatrix
from kohort.services.issue_document import issue_document
from kohort.services.preview.preview import Changed, Preview, SavedChange


def preview_document(preview: Preview) -> dict[str, Any]:
    """Plain values; instants and the sample's values are left to the writer."""
    return {
        "as_of": preview.as_of,
        "count": preview.count,
        "share": preview.share,
        "share_of": preview.share_of,
        "base_count": preview.base_count,
        "total": preview.total,
        "sentence": preview.sentence,
        "text": preview.text,
        "yaml": preview.yaml,
        "conditions": {
            node.path: {"kind": node.kind, "match": node.match or None, "text": node.text, "count": node.count, "share": node.share}
            for node in preview.nodes
        },
        "waterfalls": [
            {
                "path": waterfall.path,
                "start": waterfall.start,
                "steps": [{"path": s.path, "text": s.text, "kept": s.kept, "dropped": s.dropped} for s in waterfall.steps],
            }
            for waterfall in preview.waterfalls
        ],
        "sample": {"columns": list(preview.sample.columns), "rows": [list(row) for row in preview.sample.rows]},
        "overlaps": [_overlap(pair) for pair in preview.overlaps],
        "saved": _saved(preview.saved) if preview.saved else None,
        "issues": [issue_document(issue) for issue in preview.issues],
    }


def matrix_document(matrix: OverlapMatrix) -> dict[str, Any]:
    """The whole matrix: counts by segment, and every pair."""
    return {
        "as_of": matrix.as_of,
        "total": matrix.total,
        "source": matrix.source,
        "segments": [{"path": path, "count": matrix.count(place)} for place, path in enumerate(matrix.paths)],
        "shared": matrix.shared.tolist(),
        "pairs": [
            {"first": p.first, "second": p.second, "shared": p.shared, "share_of_first": p.share_of_first}
            | {"share_of_second": p.share_of_second, "jaccard": p.jaccard}
            for p in matrix.pairs()
        ],
    }


def _overlap(pair: Overlap) -> dict[str, Any]:
    return {
        "segment": pair.second,
        "count": pair.second_count,
        "shared": pair.shared,
        "share": pair.share_of_first,
        "share_of_segment": pair.share_of_second,
        "jaccard": pair.jaccard,
    }


def _saved(saved: SavedChange) -> dict[str, Any]:
    return {
        **_changed(saved.segment),
        "version": saved.version,
        "same_meaning": saved.same_meaning,
        "dependents": [_changed(changed) for changed in saved.dependents],
    }


def _changed(changed: Changed) -> dict[str, Any]:
    return {
        "segment": changed.path,
        "before": changed.before,
        "after": changed.after,
        "entered": changed.entered,
        "left": changed.left,
    }
