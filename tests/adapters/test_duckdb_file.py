"""The file of the embedded warehouse: one process owns it, and no crash and no full disk leaves half a table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from tests.adapters.duckdb_files import ORDERS, parquet, refusal, rows, write

PRELUDE = """
import sys
from pathlib import Path
from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.parent.definition import TableRef
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PRELUDE + code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "state" / "warehouse.duckdb"
    with DuckDBWarehouse(path, threads=1, memory_limit="500MB", temp_directory=tmp_path / "spill") as warehouse:
        warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n")])
    with DuckDBWarehouse(path, read_only=True) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders") == [{"a": 1}]
        assert refusal(lambda: warehouse.execute("DROP TABLE sales.orders")).code == "WAREHOUSE_READ_ONLY"


def test_one_process_owns_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    owner = child("w = DuckDBWarehouse(Path(sys.argv[1]))\nprint('open', flush=True)\nimport time\ntime.sleep(60)", str(path))
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        problem = refusal(lambda: DuckDBWarehouse(path))
        assert problem.code == "WAREHOUSE_LOCKED"
        assert f"process {owner.pid}" in problem.message
    finally:
        owner.kill()
        owner.wait()
    DuckDBWarehouse(path).close()


def test_files_that_are_no_warehouse(tmp_path: Path) -> None:
    other = write(tmp_path, "w.duckdb", "something else entirely " * 1000)
    assert refusal(lambda: DuckDBWarehouse(Path(other))).code == "WAREHOUSE_CORRUPT"
    assert refusal(lambda: DuckDBWarehouse(tmp_path / "no.duckdb", read_only=True)).code == "WAREHOUSE_NOT_FOUND"
    assert refusal(lambda: DuckDBWarehouse(tmp_path / "w.duckdb" / "w.duckdb")).code == "WAREHOUSE_UNUSABLE"


def test_out_of_memory_and_out_of_temporary_space(tmp_path: Path) -> None:
    hungry = "CREATE TABLE t AS SELECT md5(range::VARCHAR) AS m FROM range(3000000) ORDER BY m"
    with DuckDBWarehouse(None, memory_limit="30MB", temp_directory=tmp_path / "spill") as warehouse:
        warehouse.execute("SET max_temp_directory_size = '2MB'")
        assert refusal(lambda: warehouse.execute(hungry)).code == "DISK_FULL"
        warehouse.execute("SET max_temp_directory_size = '10GB'")
        assert refusal(lambda: warehouse.query("SELECT list(range) FROM range(30000000)")).code == "OUT_OF_MEMORY"
        assert not warehouse.tables()


IMPORT_UNTIL_FULL = """
from kohort.foundation.errors import UserError
if len(sys.argv) > 3:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
try:
    warehouse.import_files(TableRef("sales", "orders"), [sys.argv[2]])
except UserError as error:
    print(error.code)
print(warehouse.query("SELECT count(*) AS n FROM sales.orders")["n"][0].as_py())
warehouse.close()
"""


def fill(path: Path, big: str, *limit: str) -> list[str]:
    output, _ = child(IMPORT_UNTIL_FULL, str(path), big, *limit).communicate(timeout=100)
    return output.split()


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> str:
    noise = [os.urandom(24).hex() for _ in range(400_000)]
    return parquet(tmp_path_factory.mktemp("big"), "big.parquet", noise=noise)


def small_warehouse(path: Path, tmp_path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n2\n")])


def test_a_file_that_may_not_grow_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    assert fill(path, big, str(4 << 20)) == ["DISK_FULL", "2"]
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here; the limit on file size above covers the same path")
    try:
        small_warehouse(disk / "w.duckdb", tmp_path)
        assert fill(disk / "w.duckdb", big) == ["DISK_FULL", "2"]
        with DuckDBWarehouse(disk / "w.duckdb") as warehouse:
            assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


KILLED_IMPORT = """
import os, signal
w = DuckDBWarehouse(Path(sys.argv[1]))
with w.transaction():
    w.import_files(TableRef("sales", "orders"), [sys.argv[2]])
    os.kill(os.getpid(), signal.SIGKILL)
"""

HALFWAY = """
w = DuckDBWarehouse(Path(sys.argv[1]))
print("open", flush=True)
while True:
    w.import_files(TableRef("sales", "orders"), [sys.argv[2]])
    w.import_files(TableRef("sales", "orders"), [sys.argv[3]])
"""


def test_kill_before_the_commit_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    killed = child(KILLED_IMPORT, str(path), big)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("seconds", [0.05, 0.4, 0.9])
def test_kill_at_any_moment_leaves_one_whole_table(tmp_path: Path, big: str, seconds: float) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    small = write(tmp_path, "s.csv", "a\n1\n2\n")
    busy = child(HALFWAY, str(path), big, small)
    assert busy.stdout is not None
    assert busy.stdout.readline() == "open\n"
    with pytest.raises(subprocess.TimeoutExpired):
        busy.wait(timeout=seconds)
    busy.kill()
    busy.wait()
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT count(*) AS n FROM sales.orders")[0]["n"] in (2, 400_000)
