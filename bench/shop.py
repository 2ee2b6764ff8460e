"""The benchmark's workspace: the shop's tables as views over the generated files, one parent segment, one hundred segments."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from bench.generate import AS_OF, HERE
from kohort.bootstrap import Kohort, open_kohort
from kohort.documents.yaml import read_yaml
from kohort.foundation.clock import SystemClock
from kohort.foundation.errors import InvalidInput
from kohort.foundation.issues import Issues
from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.codec import parent_to_document, read_parent
from kohort.parent.definition import ParentSegment, TableRef
from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.rules.check import check_rule
from kohort.rules.core import Expr
from kohort.rules.text import parse_rule
from kohort.segments.definition import Segment
from kohort.segments.graph import bind_segments
from kohort.services.refresh import refresh
from kohort.workspace.workspace import init_workspace

PARENT_FILE = HERE / "parent.yml"
RULES_FILE = HERE / "rules.yaml"


def read_parent_file() -> ParentSegment:
    """The parent segment of the benchmarks."""
    document, issues = read_yaml(PARENT_FILE.read_text(encoding="utf-8"), str(PARENT_FILE))
    parent, found = read_parent(document)
    Issues([*issues, *found]).raise_if_errors()
    if parent is None:
        raise InvalidInput(found)
    return parent


def segments(catalog: FieldCatalog) -> list[Segment]:
    """The hundred segments, checked against the fields. Raises InvalidInput with every problem."""
    written: dict[str, str] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    issues, found = Issues(), []
    for path, text in written.items():
        rule, problems = parse_rule(text, catalog)
        for issue in [*problems, *check_rule(rule, catalog, written)]:
            issues.error(issue.code, f"{path}: {issue.message}", issue.path, issue.hint)
        folder, _, name = path.rpartition("/")
        found.append(Segment(name, folder, rule))
    issues.raise_if_errors()
    return found


def bound_segments(catalog: FieldCatalog) -> dict[str, Expr]:
    """Path -> core form, each after those it refers to."""
    return bind_segments(segments(catalog), catalog, read_parent_file().key_column)


def open_shop(folder: Path) -> Kohort:
    """The workspace beside the generated files."""
    return open_kohort(folder / "workspace")


def build(folder: Path) -> RefreshRecord:
    """Make the workspace anew: views over the files, the parent segment, its refresh."""
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    init_workspace(folder / "workspace")
    shop = open_shop(folder)
    try:
        for file in sorted(folder.glob("*.parquet")):
            shop.warehouse.import_files(TableRef("shop", file.stem), [str(file)], as_view=True)
        parent, clock = read_parent_file(), SystemClock()
        record = shop.store.save_parent(parent.name, parent.slug, parent_to_document(parent), by="bench", at=clock.now())
        return refresh(shop.warehouse, shop.store, record, clock=clock, as_of=AS_OF)
    finally:
        shop.close()


def refreshed(shop: Kohort) -> tuple[ParentRecord, RefreshRecord, FieldCatalog]:
    """The parent segment, its last refresh and its fields."""
    record = shop.store.parents()[0]
    last = shop.store.last_refresh(record.id)
    if last is None:
        raise RuntimeError("the workspace was not refreshed")
    return record, last, catalog_from_document(last.catalog)
