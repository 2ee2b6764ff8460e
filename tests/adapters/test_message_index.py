"""Which messages were received: the same answers as a plain set, whatever is in memory, in files or only in the log."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohort.adapters.eventlog import MessageIndex, SQLiteEventLog
from kohort.adapters.eventlog.dedup import READER, message_key
from kohort.adapters.eventlog.runs import DamagedRun, FileRun, MemoryRun, filter_bits, merged_in_memory, write_run
from kohort.events.model import Received
from kohort.ports.event_log import Position


def ids_of(received: Received) -> Sequence[str]:
    return received.body.decode().split()


class Writer:
    """A log and an index over it, used as the writer of the log does."""

    def __init__(self, folder: Path, told: list[str] | None = None) -> None:
        self.told: list[str] = [] if told is None else told
        self.log = SQLiteEventLog(folder / "log")
        self.index = MessageIndex(folder / "ids", self.log, ids_of, set_keys=8, memory_keys=32, on_trouble=self.told.append)

    def receive(self, source: str, ids: Sequence[str]) -> list[int]:
        (known,) = self.index.take([(source, ids)])
        if len(known) < len(ids):
            self.log.append([Received(source, 1, " ".join(ids).encode(), "", tuple(known))])
        self.index.settle(self.log.end())
        return known

    def close(self) -> None:
        self.index.close()
        self.log.close()

    def crash(self) -> None:
        """Leave everything as a killed process would."""
        self.index.close(write=False)
        self.log.close()


_NAMES = st.text(st.sampled_from("abcd"), min_size=1, max_size=3)
_STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from(("a", "b")), st.lists(_NAMES, min_size=1, max_size=12)), st.sampled_from(("restart", "crash"))),
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_it_answers_as_a_set_would(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[str]] | str]) -> None:
    folder = tmp_path_factory.mktemp("index")
    place, seen = Writer(folder), set[tuple[str, str]]()
    for step in steps:
        if isinstance(step, str):
            place.crash() if step == "crash" else place.close()
            place = Writer(folder)
            continue
        source, names = step
        expected = []
        for number, name in enumerate(names):
            if (source, name) in seen:
                expected.append(number)
            seen.add((source, name))
        assert place.receive(source, names) == expected
    place.close()
    assert place.told == []


def test_ids_of_any_age_are_known_after_many_merges(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    for number in range(300):
        assert place.receive("s", [f"{number}-{each}" for each in range(10)]) == []
    place.close()
    again = Writer(tmp_path)
    assert again.index.size == 3000
    assert again.index.replayed == 0
    assert 1 <= again.index.file_count <= 8
    for number in (0, 1, 150, 299):
        assert again.receive("s", [f"{number}-{each}" for each in range(10)]) == list(range(10))
        assert again.receive("t", [f"{number}-0"]) == []
    again.close()


def test_what_did_not_get_into_the_log_is_forgotten(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    place.receive("s", ["old"])
    assert place.index.take([("s", ["new", "", "old"]), ("t", ["old"]), ("s", ["new", "", "old", "more"])]) == [[2], [], [0, 2]]
    place.index.forget()
    assert place.receive("s", ["new", "old"]) == [1]
    place.close()


def test_the_log_is_kept_until_its_ids_are_in_files(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    assert place.log.marks()[READER] == Position(0)
    for number in range(10):
        place.receive("s", [f"{number}-{each}" for each in range(8)])
    place.close()
    mark = SQLiteEventLog(tmp_path / "log").marks()[READER]
    assert mark == place.log.end() == Position(10)


def test_a_lost_index_is_told(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    place.receive("s", ["a"])
    place.close()
    (tmp_path / "ids" / "manifest.json").unlink()
    again = Writer(tmp_path)
    assert "is gone" in again.told[0]
    assert again.receive("s", ["a", "b"]) == [0]
    again.close()


def test_a_damaged_file_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    for number in range(40):
        place.receive("s", [f"{number}"])
    place.close()
    path = min((tmp_path / "ids").glob("*.run"))
    path.write_bytes(path.read_bytes()[:-8])
    again = Writer(tmp_path)
    assert "cannot be read" in again.told[0]
    again.close()


def test_files_that_a_crash_left_are_removed(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    place.receive("s", ["a"])
    place.close()
    left = tmp_path / "ids" / "ids-00000099.run"
    left.write_bytes(b"half")
    Writer(tmp_path).close()
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_forgotten(tmp_path: Path) -> None:
    place = Writer(tmp_path)
    (tmp_path / "ids").rename(tmp_path / "away")
    for number in range(20):
        place.receive("s", [f"{number}-{each}" for each in range(8)])
    (tmp_path / "ids").mkdir(exist_ok=True)
    assert place.receive("s", ["0-0", "19-7", "new"]) == [0, 1]
    place.close()
    assert "stays in memory" in place.told[0]
    again = Writer(tmp_path)
    assert again.receive("s", ["0-0", "19-7", "new", "newer"]) == [0, 1, 2]
    again.close()


@pytest.mark.parametrize("counts", [(1,), (1000, 3), (300_000, 5000, 100)])
def test_runs_hold_what_they_were_made_of(tmp_path: Path, counts: tuple[int, ...]) -> None:
    random = np.random.default_rng(7)
    keys = [random.integers(0, 256, 16 * count, np.uint8).tobytes() for count in counts]
    runs = [MemoryRun.of(each) for each in keys]
    file = write_run(runs, tmp_path / "x.run")
    assert file.size == sum(counts)
    halves = np.frombuffer(b"".join(keys), "<u8").reshape(-1, 2)[:3000]
    upper, lower = halves[:, 0].copy(), halves[:, 1].copy()
    for run in (file, FileRun(tmp_path / "x.run"), merged_in_memory(runs), write_run([file, runs[0]], tmp_path / "y.run")):
        assert run.holds(upper, lower, filter_bits(lower)).all()
        assert not run.holds(upper, lower + np.uint64(1), filter_bits(lower + np.uint64(1))).any()
        strangers = random.integers(0, 2**63, len(lower)).astype(np.uint64)
        assert not run.holds(strangers, lower, filter_bits(lower)).any()


def test_a_filter_lets_few_strangers_through() -> None:
    random = np.random.default_rng(3)
    run = MemoryRun.of(random.integers(0, 256, 16 * 50_000, np.uint8).tobytes())
    upper, lower = (random.integers(0, 2**63, 100_000).astype(np.uint64) * np.uint64(2) for _ in range(2))
    words = run.words[((upper >> np.uint64(32)) * np.uint64(len(run.words))) >> np.uint64(32)]
    bits = filter_bits(lower)
    assert ((words & bits) == bits).mean() < 0.02


@pytest.mark.parametrize("damage", [b"", b"KOHORTI1", b"x" * 500])
def test_what_is_no_run_is_not_read(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "bad.run"
    path.write_bytes(damage)
    with pytest.raises(DamagedRun):
        FileRun(path)


def test_keys_are_the_same_for_ever() -> None:
    assert message_key("web_shop", "m-1").hex() == "db617cf369963f8052ec5ddab2d77aeb"
    assert message_key("web_shop", "m-1") != message_key("app", "m-1")
    assert len(message_key("s", "\ud800")) == 16


def test_its_threads_end(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    place = Writer(tmp_path)
    place.receive("s", ["a"])
    assert len(set(threading.enumerate()) - before) == 2
    place.close()
    assert not set(threading.enumerate()) - before
