"""How many calls a second are taken, how long a request waits, and what it costs: a server and a load generator on one machine.

    python -m bench.ingest [--seconds 10] [--minutes 1] [--ids 10] [--record]

Every call has 593 bytes and an id of its own, 100 of them a request. The server is the real one: each request is authenticated, limited,
checked call by call, compared with every message ever received, and answered when it is on disk. --minutes: how long tables have to keep
up with 20,000 calls a second; --ids: millions of ids for the index of messages (0: leave it out); --record writes bench/INGEST.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from kohort.adapters.http_process import HttpProcess, listening_socket
from kohort.testing.server import make_sources, running_server

HERE = Path(__file__).parent
RESULTS = HERE / "INGEST.md"
SOURCES = 16
BATCH = 100
RATE = 200
_TICKS = os.sysconf("SC_CLK_TCK")
_runs = iter(range(1, 1_000_000))


def process_cpu(process_id: int) -> float:
    """Seconds of both kinds that a process has used."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(process_id: int) -> float:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def shared_out_mib(process_id: int) -> tuple[float, float]:
    """(memory of a process, each page divided among the processes that share it; the part of it that is no file)."""
    lines = (line.split() for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()[1:])
    found = {words[0]: int(words[1]) / 1024 for words in lines}
    return found["Pss:"], found["Pss_Anon:"]


def load(port: int, keys: list[str], seconds: float, rate: float, connections: int = 32, gzip: bool = False) -> dict[str, Any]:
    """Send from another process; what it measured."""
    options = {"port": port, "keys": keys, "seconds": seconds, "rate": rate, "connections": connections, "run": next(_runs), "gzip": gzip}
    command = [sys.executable, "-m", "bench.ingest_load", json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    if set(figures["statuses"]) != {"200"} or figures["lost"]:
        print(f"  not all requests were taken: {figures['statuses']}, {figures['lost']} connections lost", file=sys.stderr)
    return figures


@contextmanager
def http_alone(**switches: bool) -> Iterator[tuple[int, list[str], int]]:
    """The process that answers, without tables: (port, keys, process id). switches: deduplicate, durable."""
    folder = Path(tempfile.mkdtemp(dir=HERE / "data"))
    listener = listening_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    keys = [f"bench-key-{number:06d}" for number in range(SOURCES)]
    limits = {"request_bytes": 512_000, "pending_bytes": 64 * 2**20, "rate": 1_000, "unknown_keys": "refuse"}
    settings = {"log_folder": str(folder / "log"), "grace_seconds": 5, "trusted_proxies": "", "limits": limits}
    process = HttpProcess(listener, {**settings, **switches})
    senders = [
        {
            "slug": f"source_{number}",
            "name": "",
            "enabled": True,
            "accepts_unknown_keys": False,
            "rate_limit": None,
            "naming": "segment",
            "keys": [hashlib.sha256(key.encode()).hexdigest()],
        }
        for number, key in enumerate(keys)
    ]
    process.start()
    process.tell({"senders": senders})
    try:
        if not process.wait_until_ready(60):
            sys.exit("the server did not start")
        yield port, keys, process.process_id
    finally:
        process.stop(20)
        shutil.rmtree(folder)


def flat_out(seconds: float, label: str, *, gzip: bool = False, **switches: bool) -> dict[str, Any]:
    """As many requests as are answered."""
    print(f"  {label} ...", file=sys.stderr, flush=True)
    with http_alone(**switches) as (port, keys, process_id):
        load(port, keys, 1.0, 0)
        cpu = process_cpu(process_id)
        figures = load(port, keys, seconds, 0, gzip=gzip)
        return {"label": label, **figures, "server_cpu": process_cpu(process_id) - cpu, "rss": resident_mib(process_id)}


def at_rate(seconds: float, label: str) -> dict[str, Any]:
    """20,000 calls a second."""
    print(f"  {label} ...", file=sys.stderr, flush=True)
    with http_alone() as (port, keys, process_id):
        load(port, keys, 1.0, RATE)
        cpu = process_cpu(process_id)
        figures = load(port, keys, seconds, RATE)
        return {"label": label, **figures, "server_cpu": process_cpu(process_id) - cpu, "rss": resident_mib(process_id)}


def gauges(url: str) -> Mapping[str, float]:
    """The figures of /metrics that have no labels."""
    text = urlopen(f"{url}/metrics", timeout=20).read().decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, value in pairs if "{" not in name}


class Watch:
    """Looks at a server every second: memory of its processes, requests that wait for tables, their age."""

    def __init__(self, url: str, processes: dict[str, int]) -> None:
        self.rows: list[dict[str, float]] = []
        self._url = url
        self._processes = processes
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self.rows.append(self.look())

    def look(self) -> dict[str, float]:
        seen = gauges(self._url)
        rss = {name: resident_mib(process_id) for name, process_id in self._processes.items()}
        shares = [shared_out_mib(process_id) for process_id in self._processes.values()]
        rss |= {"together": sum(share for share, _ in shares), "anonymous": sum(anonymous for _, anonymous in shares)}
        waiting = seen["kohort_ingest_unloaded_requests"]
        return {"at": time.monotonic() - self._began, "waiting": waiting, "age": seen["kohort_ingest_unloaded_age_seconds"], **rss}

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def with_tables(minutes: float, burst_seconds: float) -> dict[str, Any]:
    """The whole server: 20,000 calls a second into tables, identity and users included; then a burst, and how long tables are behind."""
    print(f"  tables beside it, {minutes:g} min ...", file=sys.stderr, flush=True)
    folder = Path(tempfile.mkdtemp(dir=HERE / "data"))
    try:
        keys = make_sources(folder, ("One", "Two", "Three", "Four"))
        with running_server(folder, keys, settings={"serve_drain_seconds": 300}) as server:
            port = int(server.url.rpartition(":")[2])
            processes = {"http": server.http_process_id(), "tables": server.process.pid}
            cpu = {name: process_cpu(process_id) for name, process_id in processes.items()}
            watch = Watch(server.url, processes)
            steady = load(port, list(keys.values()), 60 * minutes, RATE)
            steady_end, caught_up = watch.look(), _caught_up(watch)
            used = {name: process_cpu(process_id) - cpu[name] for name, process_id in processes.items()}
            steady_rows = list(watch.rows)
            burst = load(port, list(keys.values()), burst_seconds, 0, connections=8) if burst_seconds else {}
            behind = watch.look() if burst_seconds else {}
            after_burst = _caught_up(watch) if burst_seconds else 0.0
            watch.stop()
            rows = watch.rows
        return {
            "steady": steady,
            "steady_end": steady_end,
            "caught_up": caught_up,
            "cpu": used,
            "rows": steady_rows,
            "burst": burst,
            "behind": behind,
            "after_burst": after_burst,
            "peak": {name: max(row[name] for row in rows) for name in (*processes, "together", "anonymous")},
        }
    finally:
        shutil.rmtree(folder)


def _caught_up(watch: Watch) -> float:
    """Seconds until nothing waits."""
    began = time.monotonic()
    while watch.look()["waiting"] > 0 and time.monotonic() - began < 600:
        time.sleep(0.2)
    return time.monotonic() - began


def ids(millions: int) -> list[dict[str, float]]:
    print(f"  index of message ids, {millions} million ...", file=sys.stderr, flush=True)
    folder = tempfile.mkdtemp(dir=HERE / "data")
    try:
        command = [sys.executable, "-m", "bench.ingest_ids", str(millions), folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]
    finally:
        shutil.rmtree(folder)


# --- what is printed ------------------------------------------------------------------------------------------------


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Markdown that reads well as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def http_table(measured: list[dict[str, Any]]) -> list[str]:
    rows = [("requests", "calls/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us a call", "memory MiB")]
    for each in measured:
        calls = max(1, each["requests"] * BATCH)
        latency = (f"{each['p50_ms']:.1f}", f"{each['p99_ms']:.1f}", f"{each['p999_ms']:.1f}")
        cpu = f"{each['server_cpu'] / calls * 1e6:.1f}"
        rows.append((each["label"], f"{each['events_a_second']:,.0f}", *latency, cpu, f"{each['rss']:.0f}"))
    return table(rows)


def tables_lines(found: dict[str, Any], minutes: float) -> list[str]:
    steady, rows, peak = found["steady"], found["rows"], found["peak"]
    calls = steady["requests"] * BATCH
    lines = [
        f"- {steady['events_a_second']:,.0f} calls/s for {minutes:g} min: p50 {steady['p50_ms']:.1f} ms, p99 {steady['p99_ms']:.1f} ms, "
        f"p99.9 {steady['p999_ms']:.1f} ms.",
        f"- Oldest call not in tables: {max(row['age'] for row in rows):.1f} s at most, {found['steady_end']['age']:.1f} s at the end; "
        f"nothing waited {found['caught_up']:.1f} s later.",
        f"- CPU a call: HTTP {found['cpu']['http'] / calls * 1e6:.1f} us, tables {found['cpu']['tables'] / calls * 1e6:.1f} us.",
        f"- Memory at most: HTTP {peak['http']:.0f} MiB, tables {peak['tables']:.0f} MiB; both together, shared pages counted once, "
        f"{peak['together']:.0f} MiB, of which {peak['anonymous']:.0f} MiB are not files that the system may drop.",
    ]
    if found["burst"]:
        burst = found["burst"]
        lines.append(
            f"- A burst of {burst['requests'] * BATCH:,} calls at {burst['events_a_second']:,.0f}/s left {found['behind']['waiting']:,.0f} "
            f"requests waiting; tables had them {found['after_burst']:.1f} s later."
        )
    shown = rows[:: max(1, len(rows) // 10)]
    header = ("second", "waiting requests", "oldest s", "HTTP MiB", "tables MiB", "together MiB")
    cells = [
        (f"{row['at']:.0f}", f"{row['waiting']:.0f}", f"{row['age']:.1f}", *(f"{row[name]:.0f}" for name in ("http", "tables", "together")))
        for row in shown
    ]
    return [*lines, "", *table([header, *cells])]


def ids_table(found: list[dict[str, float]]) -> list[str]:
    rows = [("million ids", "us an id", "p99 ms of 100", "max ms of 100", "files", "memory MiB", "of that not mapped files")]
    for each in found[:-1]:
        slow = (f"{each['p99_ms']:.2f}", f"{each['max_ms']:.1f}")
        size = (f"{each['files']:.0f}", f"{each['resident_mib']:.0f}", f"{each['anonymous_mib']:.0f}")
        rows.append((f"{each['millions']:.0f}", f"{each['micros_an_id']:.2f}", *slow, *size))
    last = found[-1]
    told = (
        f"An old id that comes again takes {last['again_micros']:.1f} us. Closing {last['close_seconds']:.2f} s, "
        f"opening {last['open_seconds']:.2f} s; {last['bytes_an_id']:.1f} bytes an id on disk."
    )
    return [*table(rows), "", told]


def report(sections: list[tuple[str, list[str]]]) -> str:
    load_now = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    head = f"{datetime.now(UTC):%Y-%m-%d %H:%M} GMT, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Taking calls: how many, how fast, at what cost",
        "",
        f"Written by `make bench-ingest`. {head}; load of the machine at the end: {load_now}.",
        "The load generator runs on the same cores.",
        "",
    ]
    for title, body in sections:
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run of the HTTP process alone")
    parser.add_argument("--minutes", type=float, default=1.0, help="of 20,000 calls a second into tables; 0: leave it out")
    parser.add_argument("--burst", type=float, default=5.0, help="seconds of the burst after it")
    parser.add_argument("--ids", type=int, default=10, help="millions of ids for the index of messages; 0: leave it out")
    parser.add_argument("--record", action="store_true", help="write bench/INGEST.md")
    options = parser.parse_args()
    (HERE / "data").mkdir(exist_ok=True)
    seconds = options.seconds
    measured = [
        flat_out(seconds, "as many as are answered"),
        flat_out(seconds, "the same, gzip", gzip=True),
        flat_out(seconds, "without recognising duplicates", deduplicate=False),
        flat_out(seconds, "without waiting for the disk", durable=False),
        at_rate(seconds, "20,000 calls/s"),
    ]
    sections = [("Requests of 100 calls, 593 bytes each", http_table(measured))]
    if options.minutes:
        sections.append(("Tables beside it", tables_lines(with_tables(options.minutes, options.burst), options.minutes)))
    if options.ids:
        sections.append(("The index of message ids", ids_table(ids(options.ids))))
    text = report(sections)
    print(text)
    if options.record:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
