"""How long the overlap of 100 segments takes: every pair, over 1, 3 and 10 million profiles.

    python -m bench.overlap [--segments N] [--profiles N ...]

Members are drawn at random with shares from 1 in 1000 to 9 in 10; one pair of every run is counted again from plain sets.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.overlap import shared_counts


def segments(count: int, profiles: int, seed: int = 7) -> list[Bitmap]:
    """Random members: segment i holds each profile with a share of its own."""
    rng = np.random.default_rng(seed)
    draw = rng.integers(0, 1 << 16, profiles, dtype=np.uint16)
    found = []
    for share in np.geomspace(0.001, 0.9, count):
        draw = np.roll(draw, int(rng.integers(1, profiles)))
        found.append(Bitmap.from_bools(draw < int(share * (1 << 16))))
    return found


def measure(count: int, profiles: int, rounds: int = 5) -> tuple[str, ...]:
    """One row: profiles, segments, pairs, best and median seconds, pairs a second."""
    sets = segments(count, profiles)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        shared = shared_counts(sets)
        seconds.append(time.perf_counter() - start)
    first, last = set(sets[0].ordinals().tolist()), set(sets[-1].ordinals().tolist())
    assert int(shared[0, -1]) == len(first & last)
    pairs = count * (count - 1) // 2
    best = min(seconds)
    return f"{profiles:,}", f"{count}", f"{pairs:,}", f"{best:.3f}", f"{float(np.median(seconds)):.3f}", f"{pairs / best:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--segments", type=int, default=100)
    parser.add_argument("--profiles", type=int, nargs="*", default=[1_000_000, 3_000_000, 10_000_000])
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, numpy {np.__version__}")
    for row in (("profiles", "segments", "pairs", "best s", "median s", "pairs a second"), ("---:",) * 6):
        print("| " + " | ".join(f"{text:>14}" for text in row) + " |")
    for profiles in options.profiles:
        print("| " + " | ".join(f"{text:>14}" for text in measure(options.segments, profiles)) + " |", flush=True)


if __name__ == "__main__":
    main()
