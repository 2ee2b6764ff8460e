"""Whatever stops a refresh, wherever: the last good one answers, and the next one clears up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kohort.foundation.errors import Interrupted, UserError
from tests.services.shop import BOOK, TABLES, Shop, open_shop

STEPS = 9


class StopAt:
    """Raises an exception when a step begins (or at the end)."""

    def __init__(self, step: int, error: BaseException) -> None:
        self.at, self.error = step, error

    def step(self, name: str, done: int, total: int) -> None:  # noqa: ARG002
        if done == self.at:
            raise self.error


def answers(shop: Shop, parent_id: int) -> tuple[int, int]:
    """Customers and purchases that the public views show."""
    counts = [shop.rows(f"SELECT COUNT(*) FROM cdp_audience_{parent_id}.{name}")[0][0] for name in ("customers", "behavior_purchase")]
    return counts[0], counts[1]


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_ctrl_c_leaves_the_last_refresh_answering(shop: Shop, step: int) -> None:
    record = shop.push()
    shop.refresh(record)
    shop.sql("INSERT INTO marketing.customers VALUES ('c4', 'd@example.com', 'US')")
    with pytest.raises(Interrupted):
        shop.refresh(record, progress=StopAt(step, KeyboardInterrupt()))
    assert answers(shop, record.id) == (3, 4)
    stopped = shop.store.refreshes(record.id)[0]
    assert (stopped.status, stopped.message) == ("canceled", "stopped by the user")
    assert f"cdp_audience_{record.id}_r2" not in shop.databases()
    assert shop.refresh(record).number == 3
    assert answers(shop, record.id) == (4, 4)


@pytest.mark.parametrize("step", [0, 5, STEPS])
def test_an_error_leaves_nothing_of_a_first_refresh(shop: Shop, step: int) -> None:
    record = shop.push()
    full = UserError("DISK_FULL", "no space left on device")
    with pytest.raises(UserError, match="no space left"):
        shop.refresh(record, progress=StopAt(step, full))
    (failed,) = shop.store.refreshes(record.id)
    assert (failed.status, failed.message) == ("error", "no space left on device")
    assert not [name for name in shop.databases() if name.endswith("_r1")]
    assert shop.rows(f"SELECT table_name FROM information_schema.views WHERE table_schema = 'cdp_audience_{record.id}'") == []
    assert shop.refresh(record).status == "success"


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.services.shop import BOOK, open_shop
import kohort.services.refresh.refresh as refreshing

shop = open_shop(Path(sys.argv[1]))
at = int(sys.argv[2])

class Kill:
    def step(self, name, done, total):
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)

shop.refresh(shop.push(BOOK), progress=Kill())
"""


@pytest.mark.parametrize("step", [4, 8, STEPS])
def test_a_killed_refresh_leaves_the_last_one_answering(tmp_path: Path, step: int) -> None:
    before = open_shop(tmp_path)
    before.sql(TABLES)
    record = before.push()
    before.refresh(record)
    before.sql("INSERT INTO marketing.customers VALUES ('c4', 'd@example.com', 'US')")
    before.close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(step)], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -9
    after = open_shop(tmp_path)
    last = after.store.last_refresh(record.id)
    assert last is not None
    assert last.number == 1
    assert after.rows(f"SELECT COUNT(*) FROM cdp_audience_{record.id}_r1.profiles") == [(3,)]
    assert answers(after, record.id) == ((4, 4) if step == STEPS else (3, 4))
    done = after.refresh(after.push(BOOK))
    assert (done.number, done.status) == (3, "success")
    assert answers(after, record.id) == (4, 4)
    assert [r.status for r in after.store.refreshes(record.id)] == ["success", "error", "success"]
    assert after.databases() == {f"cdp_audience_{record.id}{end}" for end in ("", "_keys", "_r1", "_r3")}
    after.close()


def test_views_go_back_to_the_last_good_refresh_when_the_next_one_fails_early(tmp_path: Path) -> None:
    """Killed between the switch and its record: a next refresh that cannot even begin still leaves good views."""
    before = open_shop(tmp_path)
    before.sql(TABLES)
    record = before.push()
    before.refresh(record)
    before.sql("INSERT INTO marketing.customers VALUES ('c4', 'd@example.com', 'US')")
    before.close()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(STEPS)], cwd=Path(__file__).parents[3], check=False)
    after = open_shop(tmp_path)
    after.sql("DROP TABLE marketing.customers")
    with pytest.raises(UserError, match="there is no table"):
        after.refresh(after.push(BOOK))
    assert answers(after, record.id) == (3, 4)
    after.close()


def test_a_real_signal_stops_a_running_statement(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    shop.sql("INSERT INTO events.purchases SELECT 'c' || (1 + range % 3), 1, 'Toys', range FROM range(2000000)")

    class Signal:
        def step(self, name: str, done: int, total: int) -> None:  # noqa: ARG002
            if name == "Build behavior purchase":
                threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(Interrupted):
        shop.refresh(record, progress=Signal())
    assert answers(shop, record.id) == (3, 4)
    assert shop.store.refreshes(record.id)[0].status == "canceled"
    assert f"cdp_audience_{record.id}_r2" not in shop.databases()


def test_a_warehouse_that_was_made_anew_can_be_refreshed_after_a_kill(tmp_path: Path) -> None:
    before = open_shop(tmp_path)
    before.sql(TABLES)
    record = before.push()
    before.refresh(record)
    before.close()
    for file in tmp_path.glob("warehouse.duckdb*"):
        file.unlink()
    after = open_shop(tmp_path)
    after.sql(TABLES, f"CREATE SCHEMA cdp_audience_{record.id}_r2")
    assert after.refresh(record).status == "success"
    after.close()
