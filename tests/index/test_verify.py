"""Damage is found: lengths when an index is opened, contents when it is verified."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.index.build import build_index
from kohort.index.files import read_facts
from kohort.index.layout import MANIFEST, index_folder, read_manifest
from kohort.index.open import open_index
from kohort.index.verify import verify_index
from kohort.testing.dataset_tables import load_into
from tests.index.test_build import EVERY_KIND


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("index")
    with DuckDBWarehouse(None, threads=1) as warehouse:
        load_into(warehouse, EVERY_KIND, 7, 1)
        build_index(warehouse.stream, EVERY_KIND.catalog, root, 7, 1)
    return root


@pytest.fixture
def root(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "index")
    return tmp_path / "index"


def damages(root: Path) -> list[str]:
    return [f"{issue.code}: {issue.message}" for issue in verify_index(root, 7, 1)]


def resealed(folder: Path, name: str) -> None:
    """Note a changed file in the manifest, so that only its contents can betray it."""
    document = json.loads((folder / MANIFEST).read_text())
    facts = read_facts(folder / name)
    document["index"]["files"][name] = {"bytes": facts.bytes, "checksum": facts.checksum}
    document["checksum"] = zlib.crc32(json.dumps(document["index"], sort_keys=True).encode())
    (folder / MANIFEST).write_text(json.dumps(document))


def test_what_was_just_built_is_sound(root: Path) -> None:
    assert damages(root) == []


def test_no_index_at_all(tmp_path: Path) -> None:
    assert damages(tmp_path) == ["INDEX_MISSING: refresh 1 has no index"]
    assert open_index(tmp_path, 7, 1) is None


def test_every_single_changed_byte_is_found(root: Path) -> None:
    folder = index_folder(root, 7, 1)
    manifest = read_manifest(folder)
    assert manifest is not None
    for name, facts in manifest.files.items():
        if facts.bytes:
            whole = (folder / name).read_bytes()
            at = facts.bytes // 2
            (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert damages(root) == [f"INDEX_DAMAGED: the contents of {name} changed"]
            (folder / name).write_bytes(whole)
    assert damages(root) == []


def test_every_truncated_or_missing_file_is_found_and_the_index_not_opened(root: Path) -> None:
    folder = index_folder(root, 7, 1)
    manifest = read_manifest(folder)
    assert manifest is not None
    for name, facts in manifest.files.items():
        whole = (folder / name).read_bytes()
        if facts.bytes:
            (folder / name).write_bytes(whole[:-1])
            assert damages(root) == [f"INDEX_DAMAGED: {name} has {facts.bytes - 1} bytes instead of {facts.bytes}"]
            assert open_index(root, 7, 1) is None
        (folder / name).unlink()
        assert damages(root) == [f"INDEX_DAMAGED: {name} is missing"]
        assert open_index(root, 7, 1) is None
        (folder / name).write_bytes(whole)
    assert open_index(root, 7, 1) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"format": 2', '"format": 1'),
        lambda text: text.replace('"size": 7', '"size": 8'),
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_a_damaged_manifest(root: Path, change: Callable[[str], str]) -> None:
    path = index_folder(root, 7, 1) / MANIFEST
    assert change(path.read_text()) != path.read_text()
    path.write_text(change(path.read_text()))
    assert damages(root) == ["INDEX_DAMAGED: the manifest is missing, damaged or of another format"]
    assert open_index(root, 7, 1) is None


def test_an_index_under_another_number_is_not_opened(root: Path) -> None:
    index_folder(root, 7, 1).rename(index_folder(root, 7, 5))
    assert open_index(root, 7, 5) is None


@pytest.mark.parametrize(
    ("file", "dtype", "place", "value", "told"),
    [
        ("a0.codes", np.int8, 0, 3, "city: a code is not in the dictionary"),
        ("a0.codes", np.int8, 0, -1, "city: not 4 values are null"),
        ("a4.values", np.int8, 0, 2, "vip: a value is no truth value"),
        ("a3.values", np.int16, 0, 2**15 - 1, "cents: a value is smaller or larger than it says"),
        ("a2.valid", np.uint64, 0, 3, "score: 5 values are null instead of 6"),
        ("a7.offsets", np.int32, 1, 5, "tags: the lists do not follow one another"),
        ("a7.valid", np.uint64, 0, 6, "tags: a null list has elements"),
        ("b0.time", np.int64, 2, 0, "buy: the rows of a profile are not in order of time"),
        ("b0.time", np.int64, 2, 2**62, "buy: a profile has more rows, or a row is later, than it says"),
        ("b0.offsets", np.int32, 1, 1, "buy: the rows do not belong to profiles one after the other"),
        ("b0.offsets", np.int32, 2, 1, "buy: a row belongs to no profile"),
        ("live.bits", np.uint64, 0, 1, "not 4 profiles are live"),
        ("id_rank.i32", np.int32, 0, 1, "the order of the customers is not one of all profiles"),
    ],
)
def test_contents_that_contradict_each_other(root: Path, file: str, dtype: type, place: int, value: int, told: str) -> None:
    folder = index_folder(root, 7, 1)
    values = np.fromfile(folder / file, dtype=dtype)
    values[place] = value
    values.tofile(folder / file)
    resealed(folder, file)
    assert any(re.search(re.escape(told), damage) for damage in damages(root)), damages(root)
