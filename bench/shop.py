"""The benchmark's workspace: the shop's tables as views over the generated files, one parent segment, one hundred segments."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from bench.generate import AS_OF, HERE
from kohort.bootstrap import Kohort, open_kohort
from kohort.documents.yaml import read_yaml
from kohort.evaluation.indexed.cache import LeafCache
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
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.stored import stored_document
from kohort.services.evaluation.evaluate import Engine, IndexUse, open_engine
from kohort.services.refresh.refresh import refresh
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


def hundred_rules() -> dict[str, str]:
    """Path -> rule in text form."""
    return dict(yaml.safe_load(RULES_FILE.read_text(encoding="utf-8")))


def segments(catalog: FieldCatalog, written: Mapping[str, str] | None = None) -> list[Segment]:
    """The given segments (default: the hundred), checked against the fields. Raises InvalidInput with every problem."""
    written = hundred_rules() if written is None else written
    issues, found = Issues(), []
    for path, text in written.items():
        rule, problems = parse_rule(text, catalog)
        for issue in [*problems, *check_rule(rule, catalog, written)]:
            issues.error(issue.code, f"{path}: {issue.message}", issue.path, issue.hint)
        folder, _, name = path.rpartition("/")
        found.append(Segment(name, folder, rule))
    issues.raise_if_errors()
    return found


def bound_segments(catalog: FieldCatalog, written: Mapping[str, str] | None = None) -> dict[str, Expr]:
    """Path -> core form, each after those it refers to."""
    return bind_segments(segments(catalog, written), catalog, read_parent_file().key_column)


def open_shop(folder: Path) -> Kohort:
    """The workspace beside the generated files."""
    return open_kohort(folder / "workspace")


def make_workspace(folder: Path) -> Kohort:
    """The workspace anew, opened: views over the files, the parent segment; not refreshed yet."""
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    init_workspace(folder / "workspace")
    shop = open_shop(folder)
    for file in sorted(folder.glob("*.parquet")):
        shop.warehouse.import_files(TableRef("shop", file.stem), [str(file)], as_view=True)
    parent = read_parent_file()
    shop.store.save_parent(parent.name, parent.slug, parent_to_document(parent), by="bench", at=SystemClock().now())
    return shop


def build(folder: Path) -> RefreshRecord:
    """The workspace anew and refreshed, without an index."""
    shop = make_workspace(folder)
    try:
        return refresh(shop.warehouse, shop.store, shop.store.parents()[0], clock=SystemClock(), as_of=AS_OF)
    finally:
        shop.close()


def save_segments(shop: Kohort, catalog: FieldCatalog) -> None:
    """The hundred segments as saved ones, for services that start from those; once."""
    parent = shop.store.parents()[0]
    known = {record.path for record in shop.store.segments(parent.id)}
    with shop.store.transaction():
        for one in segments(catalog):
            if one.path not in known:
                document, mark = stored_document(one), segment_fingerprint(one)
                shop.store.save_segment(parent.id, one.folder, one.name, one.kind, document, mark, by="bench", at=SystemClock().now())


def refreshed(shop: Kohort) -> tuple[ParentRecord, RefreshRecord, FieldCatalog]:
    """The parent segment, its last refresh and its fields."""
    record = shop.store.parents()[0]
    last = shop.store.last_refresh(record.id)
    if last is None:
        raise RuntimeError("the workspace was not refreshed")
    return record, last, catalog_from_document(last.catalog)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Kohort, Engine]]:
    """The workspace and what evaluates on its last refresh."""
    shop = open_shop(folder)
    try:
        parent = shop.store.parents()[0]
        yield shop, open_engine(shop.warehouse, shop.store, parent, shop.settings.range_size, shop.index_use)
    finally:
        shop.close()


def forgetful(engine: Engine, root: Path) -> Engine:
    """The same with the files still open, but nothing remembered of earlier evaluations."""
    again = replace(engine, indexes=IndexUse(root, LeafCache()))
    vars(again)["index"] = engine.index
    return again
