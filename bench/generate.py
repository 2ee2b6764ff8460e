"""Makes the data of the benchmarks: a shop's customers and two years of what they did, the same for the same seed.

    python -m bench.generate --size S|M|L [--profiles N --events N] [--seed N] [--into DIR]

Skewed (few customers do most), with weekly seasons, nulls, unicode, duplicate and late rows, rows without a customer, attribute
tables with repeated and unknown keys. Written as Parquet in row groups of at most 500,000 rows: memory does not grow with size.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench import columns as make
from bench.columns import Ints, Rng

HERE = Path(__file__).parent
DATA = HERE / "data"
VERSION = 1
AS_OF = datetime(2025, 12, 31, 12, tzinfo=UTC)
"""The instant of the evaluations; the data goes on a little longer, as it does in life."""

CHUNK_ROWS = 500_000
DAY = 86_400_000_000
FIRST_DAY = 19_722  # 2023-12-31
DAYS = 733  # to 2026-01-01 included

COUNTRIES = ("US", "FR", "DE", "JP", "BR", "GB", "CA", "MX", "IN", "PL")
CITIES = (
    "New York",
    "Paris",
    "Köln",
    "東京",
    "São Paulo",
    "London",
    "Montréal",
    "Ciudad de México",
    "मुंबई",
    "Łódź",
    "Zürich",
    "Málaga",
    "Seoul 서울",
)
DOMAINS = ("example.com", "mail.example", "post.example.jp", "correo.example")
TIERS = ("Bronze", "Silver", "Gold", "Platinum")
INTERESTS = ("sport", "cuisine", "jardin & extérieur", "音楽", "travel", "books", "games", "beauty", "pets", "kids")
CATEGORIES = ("Electronics", "Fashion", "Home", "Beauty", "Café & Thé", "Toys", "Books", "日用品", "Sport", "Garden", "Pets", "Kids")
BRANDS = tuple(f"brand {number:02d}" for number in range(40))
CHANNELS = ("web", "app", "store")
DEVICES = ("mobile", "desktop", "tablet")
PAGES = (
    "/",
    "/cart",
    "/checkout",
    "/account",
    "/help",
    "/sale",
    *(f"/category/{number}" for number in range(24)),
    *(f"/p/{n}" for n in range(170)),
)
REFERRERS = ("google", "newsletter", "instagram", "direct", "partner", "tiktok")
CAMPAIGNS = tuple(f"camp-{number:03d}" for number in range(60))
TOPICS = ("delivery", "refund", "product", "account", "Rückgabe", "other")


@dataclass(frozen=True, slots=True)
class Size:
    """How many customers and how many events of all kinds."""

    profiles: int
    events: int


SIZES = {"S": Size(100_000, 1_000_000), "M": Size(2_000_000, 27_000_000), "L": Size(10_000_000, 135_000_000)}

Columns = dict[str, pa.Array]


# --- customers and their attributes -----------------------------------------------------------------------------------


def _customers(rng: Rng, first: int, count: int) -> Columns:
    numbers = np.arange(first, first + count, dtype=np.int64)
    keys = make.keys(numbers)
    domain = pa.array(DOMAINS).take(pa.array(make.pick(rng, count, len(DOMAINS))))
    signup = FIRST_DAY - 1500 + (rng.random(count) ** 0.6 * (1500 + DAYS - 10)).astype(np.int64)
    return {
        "customer_id": keys,
        "email": make.nulled(rng, pc.binary_join_element_wise(keys, domain, "@"), 0.04),
        "country": make.choices(rng, count, COUNTRIES, null_share=0.02),
        "city": make.choices(rng, count, CITIES, null_share=0.05),
        "gender": make.choices(rng, count, ("F", "M", "X", ""), (48, 46, 2, 4), null_share=0.15),
        "birth_date": make.nulled(rng, make.days(rng.integers(-14_600, 14_600, count)), 0.3),
        "signup_date": make.days(signup),
        "created_at": make.instants(signup * DAY + rng.integers(0, DAY, count)),
        "email_opt_in": make.nulled(rng, pa.array(rng.random(count) < 0.6), 0.1),
        "household_size": make.nulled(rng, pa.array(1 + make.pick(rng, count, 6)), 0.2),
    }


def _child_keys(rng: Rng, first: int, count: int, profiles: int) -> pa.Array:
    """Keys of an attribute table: most customers once, some missing, some twice, some unknown, some null."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    kind = rng.random(count)
    numbers = np.where(kind < 0.002, rng.integers(0, max(1, profiles), count), numbers)
    numbers = np.where((kind >= 0.002) & (kind < 0.004), profiles + numbers, numbers)
    return make.nulled(rng, make.keys(numbers), 0.001)


def _loyalty(rng: Rng, first: int, count: int, profiles: int) -> Columns:
    score = rng.beta(1.5, 6, count)
    score[rng.random(count) < 0.001] = np.nan
    joined = (FIRST_DAY - 1400 + (rng.random(count) * (1400 + DAYS)).astype(np.int64)) * DAY + rng.integers(0, DAY, count)
    return {
        "customer_id": _child_keys(rng, first, count, profiles),
        "tier": make.choices(rng, count, TIERS, null_share=0.1),
        "points": make.nulled(rng, pa.array((rng.pareto(1.6, count) * 300).astype(np.int64)), 0.05),
        "lifetime_value": make.nulled(rng, make.money(make.cents(rng, count, 120.0, 1.3)), 0.05),
        "churn_score": make.nulled(rng, pa.array(score), 0.08),
        "joined_at": make.nulled(rng, make.instants(joined), 0.03),
        "expires_on": make.nulled(rng, make.days(FIRST_DAY + rng.integers(0, DAYS + 365, count)), 0.4),
    }


def _preferences(rng: Rng, first: int, count: int, profiles: int) -> Columns:
    return {
        "customer_id": _child_keys(rng, first, count, profiles),
        "language": make.choices(rng, count, ("en", "fr", "de", "ja", "pt", "es"), null_share=0.03),
        "channel": make.choices(rng, count, ("email", "push", "sms", "none"), (5, 3, 1, 1), null_share=0.1),
        "interests": make.lists(rng, count, pa.array(INTERESTS), 5, 0.12),
        "sizes": make.lists(rng, count, pa.array(np.arange(34, 50, dtype=np.int64)), 3, 0.4),
        "survey_score": make.nulled(rng, pa.array(rng.integers(0, 11, count)), 0.6),
        "device": make.choices(rng, count, DEVICES, (6, 3, 1), null_share=0.07),
    }


# --- behaviors ----------------------------------------------------------------------------------------------------------


def _purchase(rng: Rng, count: int) -> Columns:
    return {
        "order_id": pa.array(rng.integers(1, max(2, count // 2), count)),
        "category": make.choices(rng, count, CATEGORIES, null_share=0.02),
        "brand": make.choices(rng, count, BRANDS, null_share=0.05),
        "amount": make.nulled(rng, make.money(make.cents(rng, count, 32.0, 0.9)), 0.01),
        "quantity": pa.array(1 + make.pick(rng, count, 8)),
        "discount": make.nulled(rng, pa.array(np.round(rng.random(count) * 20, 2)), 0.7),
        "channel": make.choices(rng, count, CHANNELS, (5, 3, 2)),
        "coupon": make.choices(rng, count, ("WELCOME10", "ÉTÉ25", "SALE", "VIP"), null_share=0.85),
    }


def _page_view(rng: Rng, count: int) -> Columns:
    return {
        "path": make.choices(rng, count, PAGES),
        "referrer": make.choices(rng, count, REFERRERS, null_share=0.3),
        "device": make.choices(rng, count, DEVICES, (6, 3, 1)),
        "seconds": make.nulled(rng, pa.array((rng.exponential(40, count)).astype(np.int64)), 0.1),
    }


def _email_open(rng: Rng, count: int) -> Columns:
    return {"campaign_id": make.choices(rng, count, CAMPAIGNS), "device": make.choices(rng, count, DEVICES, (7, 2, 1), null_share=0.1)}


def _email_click(rng: Rng, count: int) -> Columns:
    return {"campaign_id": make.choices(rng, count, CAMPAIGNS), "link": make.choices(rng, count, PAGES, null_share=0.02)}


def _add_to_cart(rng: Rng, count: int) -> Columns:
    return {
        "category": make.choices(rng, count, CATEGORIES, null_share=0.02),
        "amount": make.money(make.cents(rng, count, 35.0, 0.9)),
        "quantity": pa.array(1 + make.pick(rng, count, 5)),
    }


def _app_session(rng: Rng, count: int) -> Columns:
    return {
        "platform": make.choices(rng, count, ("ios", "android"), (4, 6)),
        "version": make.choices(rng, count, ("5.2", "5.1", "5.0", "4.9", "4.8")),
        "duration_seconds": make.nulled(rng, pa.array(rng.exponential(180, count)), 0.02),
        "screens": pa.array(1 + rng.poisson(5, count)),
    }


def _support_ticket(rng: Rng, count: int) -> Columns:
    return {
        "topic": make.choices(rng, count, TOPICS),
        "priority": make.choices(rng, count, ("low", "normal", "high"), (3, 6, 1)),
        "satisfaction": make.nulled(rng, pa.array(rng.integers(1, 6, count)), 0.5),
    }


@dataclass(frozen=True, slots=True)
class EventTable:
    """One kind of event: its share of all events, its time column (unix: whole seconds), how skewed customers are, its columns."""

    name: str
    share: float
    time_column: str
    unix: bool
    skew: float
    columns: Callable[[Rng, int], Columns]


EVENTS = (
    EventTable("purchase", 0.15, "purchased_at", False, 2.0, _purchase),
    EventTable("page_view", 0.44, "time", True, 2.3, _page_view),
    EventTable("email_open", 0.18, "opened_at", False, 1.6, _email_open),
    EventTable("email_click", 0.05, "clicked_at", False, 2.0, _email_click),
    EventTable("add_to_cart", 0.10, "time", True, 2.2, _add_to_cart),
    EventTable("app_session", 0.07, "started_at", False, 2.4, _app_session),
    EventTable("support_ticket", 0.01, "time", True, 1.3, _support_ticket),
)

_WEEK = np.array([1.0, 0.92, 0.9, 0.95, 1.15, 1.4, 1.3])  # Monday first
_DAY_EDGES = np.cumsum(
    _WEEK[(np.arange(DAYS) + FIRST_DAY + 3) % 7]
    * (1 + 0.4 * np.arange(DAYS) / DAYS)
    * (1 + 0.25 * np.sin(2 * np.pi * np.arange(DAYS) / 365))
)


def _times(rng: Rng, count: int, low: float, high: float) -> Ints:
    """Sorted instants (microseconds) of the part [low, high) of all traffic: weekly and yearly seasons, busier evenings."""
    place = np.sort(low + rng.random(count) * (high - low)) * _DAY_EDGES[-1]
    day = np.minimum(np.searchsorted(_DAY_EDGES, place, side="right"), DAYS - 1).astype(np.int64)
    moment = np.minimum(rng.triangular(0, 0.8, 1, count), 0.999999) * DAY
    return np.sort((FIRST_DAY + day) * DAY + moment.astype(np.int64))


def _owners(rng: Rng, count: int, profiles: int, skew: float) -> pa.Array:
    """Customers' keys, Zipf-like: customer of rank r turns up in proportion to r ** (1 / skew - 1). Some rows have none."""
    rank = (profiles * rng.random(count) ** skew).astype(np.int64)
    numbers = (np.minimum(rank, profiles - 1) * _step(profiles)) % profiles
    stray = rng.random(count)
    numbers = np.where(stray < 0.004, profiles * 2 + numbers, numbers)
    return pc.if_else(pa.array(stray > 0.996), pa.scalar(None, pa.string()), make.keys(numbers))


def _step(profiles: int) -> int:
    """A multiplier without common divisor: spreads the busy customers over the whole table."""
    step = int(profiles * 0.6180339887) | 1
    while np.gcd(step, profiles) != 1:
        step += 2
    return step


def _events(rng: Rng, table: EventTable, count: int, profiles: int, low: float, high: float) -> pa.Table:
    """One row group: in order of time, but 2 % arrive up to 30 days late and 0.5 % arrive twice."""
    repeats = int(rng.binomial(count, 0.005)) if count > 1 else 0
    distinct = count - repeats
    moments = _times(rng, distinct, low, high)
    late = rng.random(distinct) < 0.02
    moments[late] = np.maximum(moments[late] - rng.integers(0, 30 * DAY, int(late.sum())), FIRST_DAY * DAY)
    time = pa.array(moments // 1_000_000) if table.unix else make.instants(moments)
    owners = _owners(rng, distinct, profiles, table.skew)
    rows = pa.table({"customer_id": owners, table.time_column: time, **table.columns(rng, distinct)})
    return rows.take(pa.array(np.sort(np.concatenate((np.arange(distinct), rng.integers(0, distinct, repeats))))))


# --- files ----------------------------------------------------------------------------------------------------------------


def _chunks(count: int) -> Iterator[tuple[int, int, int]]:
    """(number, first row, rows) of each row group."""
    for number, first in enumerate(range(0, count, CHUNK_ROWS)):
        yield number, first, min(CHUNK_ROWS, count - first)


def _tables(size: Size, seed: int) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Every table as its row groups. Each row group has a random stream of its own, named by (seed, table, number)."""
    people: tuple[tuple[str, int, Callable[[Rng, int, int], Columns]], ...] = (
        ("customers", size.profiles, _customers),
        ("loyalty", int(size.profiles * 0.7), lambda rng, first, count: _loyalty(rng, first, count, size.profiles)),
        ("preferences", int(size.profiles * 0.85), lambda rng, first, count: _preferences(rng, first, count, size.profiles)),
    )
    for position, (name, total, columns) in enumerate(people):
        yield name, (pa.table(columns(np.random.default_rng((seed, position, n)), first, rows)) for n, first, rows in _chunks(total))
    for position, table in enumerate(EVENTS, start=len(people)):
        total = max(1, int(size.events * table.share))
        yield (
            table.name,
            (
                _events(np.random.default_rng((seed, position, n)), table, rows, size.profiles, first / total, (first + rows) / total)
                for n, first, rows in _chunks(total)
            ),
        )


def generate(folder: Path, size: Size, seed: int = 1) -> bool:
    """Write the data into `folder`; False when it was already there. An interrupted run is begun again from its start."""
    mark = folder / "generated.json"
    wanted = {"version": VERSION, "profiles": size.profiles, "events": size.events, "seed": seed}
    if mark.exists() and json.loads(mark.read_text()) == wanted:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    for name, groups in _tables(size, seed):
        target = folder / f"{name}.parquet"
        partial = target.with_suffix(".partial")
        _write(partial, groups)
        os.replace(partial, target)
    mark.write_text(json.dumps(wanted))
    return True


def _write(path: Path, groups: Iterator[pa.Table]) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for group in groups:
            writer = writer or pq.ParquetWriter(path, group.schema, compression="zstd")
            writer.write_table(group)
    finally:
        if writer is not None:
            writer.close()


def add_size_options(parser: argparse.ArgumentParser) -> None:
    """--size, or --profiles and --events; --seed; --into."""
    parser.add_argument("--size", choices=tuple(SIZES), default="S")
    parser.add_argument("--profiles", type=int, help="instead of a size: so many customers")
    parser.add_argument("--events", type=int, help="with --profiles: so many events (default 10 a customer)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, help="folder (default bench/data/<size>)")


def chosen(options: argparse.Namespace) -> tuple[str, Size, Path]:
    """(name, size, folder) of the options."""
    if options.profiles:
        name, size = f"custom-{options.profiles}-{options.seed}", Size(options.profiles, options.events or 10 * options.profiles)
    else:
        name, size = options.size, SIZES[options.size]
    return name, size, options.into or DATA / name


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__.split("\n", 1)[0])
    add_size_options(parser)
    options = parser.parse_args()
    _, size, folder = chosen(options)
    started = perf_counter()
    made = generate(folder, size, options.seed)
    print(
        f"{folder}: {size.profiles:,} profiles, {size.events:,} events",
        f"in {perf_counter() - started:.1f} s" if made else "(already there)",
    )


if __name__ == "__main__":
    main()
