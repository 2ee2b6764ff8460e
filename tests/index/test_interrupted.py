"""Whatever stops a build, the last good index stays and no half one is ever opened."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.index.build import build_index
from kohort.index.exchange import exchange
from kohort.index.layout import index_folder, kept_numbers
from kohort.index.open import open_index
from kohort.index.verify import verify_index
from kohort.testing.dataset_tables import load_into
from tests.index.test_build import EVERY_KIND, assert_same

STEPS = 6
WRITES = 60
SWITCHED = STEPS

KILLED = """
import os, signal, sys
from pathlib import Path
import kohort.index.files as files
from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.index.build import build_index
from tests.index.test_build import EVERY_KIND

folder, step, write = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
appended, original = 0, files.ArrayFile.append

def append(self, values):
    global appended
    appended += 1
    if appended == write:
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, values)

def progress(name, done, total):
    if done == step:
        os.kill(os.getpid(), signal.SIGKILL)

files.ArrayFile.append = append
warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")
build_index(lambda query: warehouse.stream(query, 2), EVERY_KIND.catalog, folder / "index", 7, 2, keep=1, progress=progress)
"""


def prepared(folder: Path) -> DuckDBWarehouse:
    """A warehouse with refreshes 1 and 2, and an index of 1."""
    warehouse = DuckDBWarehouse(folder / "warehouse.duckdb", threads=1)
    for number in (1, 2):
        load_into(warehouse, EVERY_KIND, 7, number)
    build_index(warehouse.stream, EVERY_KIND.catalog, folder / "index", 7, 1)
    return warehouse


@pytest.mark.parametrize(("step", "write"), [(1, 0), (-1, WRITES), (4, 0), (SWITCHED - 1, 0), (SWITCHED, 0)])
def test_a_killed_build(tmp_path: Path, step: int, write: int) -> None:
    prepared(tmp_path).close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(step), str(write)], cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == -signal.SIGKILL
    root = tmp_path / "index"
    whole = step == SWITCHED
    assert kept_numbers(root, 7) == ((1, 2) if whole else (1,))
    assert (open_index(root, 7, 2) is not None) == whole
    assert not verify_index(root, 7, 1)
    left = [entry.name for entry in (root / "7").iterdir() if not entry.name.isdigit()]
    assert len(left) == (0 if whole else 1)
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb", threads=1) as warehouse:
        build_index(warehouse.stream, EVERY_KIND.catalog, root, 7, 2, keep=1)
    assert [entry.name for entry in (root / "7").iterdir()] == ["2"]
    index = open_index(root, 7, 2)
    assert index is not None
    assert_same(index, EVERY_KIND)


REBUILT = """
import os, shutil, signal, sys
from pathlib import Path
import kohort.index.build as building
from kohort.adapters.duckdb import DuckDBWarehouse
from tests.index.test_build import EVERY_KIND

folder, after_switch = Path(sys.argv[1]), sys.argv[2] == "after"

def kill(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

begin = building.begin_folder
if after_switch:
    building.begin_folder = lambda *where: (begin(*where), setattr(shutil, "rmtree", kill))[0]
Path.rename = kill
warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")
warehouse.execute("DELETE FROM cdp_audience_7_r1.behavior_buy")
building.build_index(lambda query: warehouse.stream(query, 2), EVERY_KIND.catalog, folder / "index", 7, 1)
"""


@pytest.mark.parametrize("when", ["after", "never"])
def test_an_index_that_is_built_again_is_there_at_every_moment(tmp_path: Path, when: str) -> None:
    """The old and the new one change places in one step: no moment in which a kill leaves neither."""
    prepared(tmp_path).close()
    ended = subprocess.run([sys.executable, "-c", REBUILT, str(tmp_path), when], cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == (-signal.SIGKILL if when == "after" else 0)
    index = open_index(tmp_path / "index", 7, 1)
    assert index is not None
    assert len(index.behaviors["buy"].time) == 0
    assert not verify_index(tmp_path / "index", 7, 1)
    left = [entry.name for entry in (tmp_path / "index" / "7").iterdir() if not entry.name.isdigit()]
    assert len(left) == (1 if when == "after" else 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", range(STEPS))
def test_an_error_leaves_only_the_last_index(tmp_path: Path, step: int, error: type[BaseException]) -> None:
    def stop(name: str, done: int, total: int) -> None:  # noqa: ARG001
        if done == step:
            raise error

    with prepared(tmp_path) as warehouse, pytest.raises(error):
        build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path / "index", 7, 2, progress=stop)
    assert [entry.name for entry in (tmp_path / "index" / "7").iterdir()] == ["1"]
    index = open_index(tmp_path / "index", 7, 1)
    assert index is not None
    assert_same(index, EVERY_KIND)


def test_where_folders_cannot_change_places_the_old_one_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohort.index.build.exchange", lambda *_: False)
    with prepared(tmp_path) as warehouse:
        warehouse.execute("DELETE FROM cdp_audience_7_r1.behavior_buy")
        build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path / "index", 7, 1)
    index = open_index(tmp_path / "index", 7, 1)
    assert index is not None
    assert len(index.behaviors["buy"].time) == 0
    assert [entry.name for entry in (tmp_path / "index" / "7").iterdir()] == ["1"]


def test_what_is_not_there_cannot_change_places(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert not exchange(tmp_path / "a", tmp_path / "b")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_row_of_nobody_stops_the_build(tmp_path: Path) -> None:
    with prepared(tmp_path) as warehouse:
        warehouse.execute("UPDATE cdp_audience_7_r2.behavior_buy SET ordinal = 100")
        with pytest.raises(ValueError, match="belongs to no profile"):
            build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path / "index", 7, 2)
    assert not index_folder(tmp_path / "index", 7, 2).exists()


def test_two_profiles_of_one_ordinal_stop_the_build(tmp_path: Path) -> None:
    with prepared(tmp_path) as warehouse:
        warehouse.execute("UPDATE cdp_audience_7_r2.profiles SET ordinal = 0")
        with pytest.raises(Exception, match="two of them have one ordinal"):
            build_index(warehouse.stream, EVERY_KIND.catalog, tmp_path / "index", 7, 2)
    assert not index_folder(tmp_path / "index", 7, 2).exists()
