"""How long the index of message ids takes, and how much memory, up to a number of ids. A process of its own.

    python -m bench.ingest_ids MILLIONS FOLDER

One line of JSON a step comes back.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from kohort.adapters.eventlog import MessageIndex, SQLiteEventLog
from kohort.ports.event_log import Position

BATCH = 100


def request(number: int) -> list[tuple[str, list[str]]]:
    """One batch; every number has ids of its own."""
    return [("shop", [f"4f1c2d3e-{each:04x}-4000-8000-{number:012x}" for each in range(BATCH)])]


def memory() -> dict[str, float]:
    """Of this process, in MiB: all of it, and without mapped files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {"resident_mib": int(status["VmRSS"].split()[0]) / 1024, "anonymous_mib": int(status["RssAnon"].split()[0]) / 1024}


def fill(index: MessageIndex, first: int, last: int) -> dict[str, float]:
    """Take batches; what one id took, and the longest batches."""
    taken, cpu, spent = [], time.process_time(), 0.0
    for number in range(first, last):
        batch = request(number)
        began = time.perf_counter()
        (known,) = index.take(batch)
        index.settle(Position(number + 1))
        taken.append(time.perf_counter() - began)
        spent += taken[-1]
        assert not known
    taken.sort()
    making = (time.process_time() - cpu) / (last - first) / BATCH * 1e6
    return {
        "micros_an_id": spent / len(taken) / BATCH * 1e6,
        "cpu_micros_an_id_with_making_it": making,
        "p99_ms": taken[int(len(taken) * 0.99)] * 1e3,
        "p9999_ms": taken[int(len(taken) * 0.9999)] * 1e3,
        "max_ms": taken[-1] * 1e3,
    }


def main() -> None:
    millions, folder = int(sys.argv[1]), Path(sys.argv[2])
    log = SQLiteEventLog(folder / "log")
    index = MessageIndex(folder / "ids", log, lambda received: ())  # noqa: ARG005
    done = 0
    steps = [step for step in (1, 10, 25, 50, 100, 200, 500, 1000) if step < millions] + [millions]
    for step in steps:
        figures = fill(index, done, step * 10_000)
        done = step * 10_000
        print(json.dumps({"millions": step, **figures, "files": index.file_count, **memory()}), flush=True)
    began = time.perf_counter()
    for number in random.Random(1).sample(range(done), 1000):
        assert index.take(request(number)) == [list(range(BATCH))]
        index.settle(Position(done))
    again = (time.perf_counter() - began) / 1000 / BATCH * 1e6
    began = time.perf_counter()
    index.close()
    closing = time.perf_counter() - began
    began = time.perf_counter()
    opened = MessageIndex(folder / "ids", log, lambda received: ())  # noqa: ARG005
    opening = time.perf_counter() - began
    on_disk = sum(path.stat().st_size for path in (folder / "ids").iterdir())
    print(json.dumps({"again_micros": again, "close_seconds": closing, "open_seconds": opening, "bytes_an_id": on_disk / opened.size}))
    opened.close(write=False)


if __name__ == "__main__":
    main()
