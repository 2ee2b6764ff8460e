"""What the server has done, counted, in the text form that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from kohort.web.broken_requests import BrokenRequests

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_HELP = {
    "kohort_ingest_requests_total": "Requests with calls, by source and status.",
    "kohort_ingest_refused_total": "Requests that were not taken, by source and reason.",
    "kohort_ingest_events_total": "Calls that were acknowledged and are new, bad ones included.",
    "kohort_ingest_duplicates_total": "Calls that were acknowledged and had been received before, since ever.",
    "kohort_ingest_rejected_total": "Calls that were acknowledged but cannot become rows, by source and reason.",
    "kohort_ingest_bytes_total": "Bytes of JSON of acknowledged requests.",
    "kohort_ingest_unknown_key_events_total": "Calls under unknown write keys that were answered with 200 and thrown away.",
}
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters by name and labels, and how long requests took."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter[Labels]] = {name: Counter() for name in _HELP}
        self._buckets = [0] * (len(BUCKETS_SECONDS) + 1)
        self._seconds = 0.0
        self.broken: BrokenRequests | None = None

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter of the list above."""
        self._counters[name][tuple(labels.items())] += amount

    def took(self, seconds: float) -> None:
        """A request with calls was answered after so long."""
        self._buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._seconds += seconds

    def total(self, name: str) -> int:
        """Of a counter, over all labels."""
        return sum(self._counters[name].values())

    def by(self, name: str, label: str) -> dict[str, int]:
        """A counter by the value of one of its labels."""
        found: dict[str, int] = {}
        for labels, amount in self._counters[name].items():
            value = dict(labels).get(label, "")
            found[value] = found.get(value, 0) + amount
        return found

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it. gauges: name -> (help, value)."""
        lines: list[str] = []
        for name, counter in self._counters.items():
            lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} counter"]
            lines += [f"{name}{_labels(labels)} {value}" for labels, value in sorted(counter.items())]
        lines += self._histogram()
        name, broken = "kohort_ingest_broken_requests_total", self.broken.total if self.broken else 0
        lines += [f"# HELP {name} What came to the port and was no HTTP.", f"# TYPE {name} counter", f"{name} {broken}"]
        for name, (help_text, value) in gauges.items():
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", f"{name} {_number(value)}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> Iterable[str]:
        name = "kohort_ingest_request_seconds"
        yield f"# HELP {name} From the first byte of a request to its answer."
        yield f"# TYPE {name} histogram"
        running = 0
        for edge, amount in zip((*map(str, BUCKETS_SECONDS), "+Inf"), self._buckets, strict=True):
            running += amount
            yield f'{name}_bucket{{le="{edge}"}} {running}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {running}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
    return f"{{{inner}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
