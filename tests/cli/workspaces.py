"""A small shop as a workspace, made with the commands a person would type, and a way to run commands in it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kohort.cli.main import main

AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
CUSTOMERS = 60
TIERS = ("Gold", "Silver", "Bronze", None)
COUNTRIES = ("US", "JP", "DE")

PARENT = """\
name: All Customers
description: Everybody who ever signed up
timezone: UTC
master:
  database: shop
  table: customers
  key_column: customer_id
schedule:
  type: daily
  time: "03:00:00"
  timezone: Asia/Tokyo
attributes:
  - name: Metrics
    source: { database: shop, table: metrics }
    join: { parent_key: customer_id, child_key: customer_id }
    columns:
      - { column: lifetime_value, type: number }
      - { column: loyalty_tier, type: string }
      - { column: last_purchase_date, type: timestamp }
      - { column: email_opt_in, type: boolean }
behaviors:
  - name: Purchase
    source: { database: shop, table: purchases }
    join: { parent_key: customer_id, child_key: customer_id }
    time_column: purchased_at
    columns:
      - { column: amount, type: number }
      - { column: product_id, type: string }
      - { column: category, type: string }
  - name: Page View
    source: { database: web, table: page_views }
    join: { parent_key: customer_id, child_key: customer_id }
    columns:
      - { column: url, type: string }
      - { column: duration, type: number }
  - name: Email Open
    source: { database: web, table: email_opens }
    join: { parent_key: customer_id, child_key: customer_id }
    columns:
      - { column: campaign_id, type: string }
"""

SEGMENTS = {
    "Everybody.yml": "name: Everybody\n",
    "Value/vip.yml": "name: VIP\ndescription: The best\nrule: lifetime_value > 1000 and loyalty_tier = 'Gold'\n",
    "Value/spenders.yml": """\
name: Spenders
rule:
  type: And
  conditions:
    - type: Value
      attribute: ""
      source: behavior_purchase
      aggregation: { type: Sum, column: amount }
      operator: { type: GreaterEqual, value: 100 }
      filter: { type: And, conditions: [] }
""",
    "Lifecycle/active.yml": "# comments stay\nname: Active\nrule: purchase in last 30 days   # a month\n",
    "Lifecycle/lapsing.yml": "name: Lapsing\nrule: purchase in last 90 days and not in segment 'Active'\n",
    "Lifecycle/Deep/active-vip.yml": "name: Active VIP\nbase: Value/VIP\nrule: in segment 'Lifecycle/Active'\n",
    "Engagement/openers.yml": "name: Openers\nrule: email_open count > 3 this month\n",
    "Engagement/japan.yml": "name: 日本の顧客\nrule: country = 'JP'\n",
    "Experiments/offer.yml": """\
name: Offer
rule: in segment 'Lifecycle/Active'
ab_test:
  id: offer-1
  variants:
    - { name: A, ratio: 40 }
    - { name: B, ratio: 40 }
  control: { name: Control, ratio: 20 }
""",
}


def tier(number: int) -> str | None:
    return TIERS[number % 4]


def lifetime_value(number: int) -> float | None:
    return None if number % 10 == 0 else number * 50.5


def purchases(number: int) -> list[tuple[datetime, float]]:
    """(when, amount) of a customer, newest first: number % 5 of them, a week apart, the last one `number` days before AS_OF."""
    return [(AS_OF - timedelta(days=number + 7 * i), number + 10.25 * (i + 1)) for i in range(number % 5)]


def vips() -> list[str]:
    return [key(n) for n in range(1, CUSTOMERS + 1) if tier(n) == "Gold" and (lifetime_value(n) or 0) > 1000]


def active() -> list[str]:
    return [key(n) for n in range(1, CUSTOMERS + 1) if any(at > AS_OF - timedelta(days=30) for at, _ in purchases(n))]


def key(number: int) -> str:
    return f"c{number:03d}"


def write_data(folder: Path) -> None:
    """customers.csv, metrics.csv, page_views.jsonl and email_opens.jsonl (unix seconds), purchases.parquet (timestamps)."""
    folder.mkdir()
    numbers = range(1, CUSTOMERS + 1)
    with (folder / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "name", "country"])
        writer.writerows([key(n), f"Zoë {n}, Jr.", COUNTRIES[n % 3]] for n in numbers)
    with (folder / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "lifetime_value", "loyalty_tier", "last_purchase_date", "email_opt_in"])
        writer.writerows(
            [key(n), lifetime_value(n), tier(n), f"2024-02-{n % 28 + 1:02d} 10:00:00", str(n % 2 == 0).lower()] for n in numbers
        )
    views = [
        {"customer_id": key(n), "time": int(AS_OF.timestamp()) - 3600 * n * (i + 1), "url": f"/página/{i}", "duration": 1.5 * n}
        for n in numbers
        for i in range(n % 3)
    ]
    opens = [
        {"customer_id": key(n), "time": int(AS_OF.timestamp()) - 60 * n * (i + 1), "campaign_id": f"m{i}"}
        for n in numbers
        for i in range(n % 7)
    ]
    for name, rows in (("page_views", views), ("email_opens", opens)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    bought = [
        {"customer_id": key(n), "purchased_at": at, "amount": amount, "product_id": f"p{i}", "category": ("Books", "Toys")[i % 2]}
        for n in numbers
        for i, (at, amount) in enumerate(purchases(n))
    ]
    pq.write_table(pa.Table.from_pylist(bought), folder / "purchases.parquet")


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A workspace and commands in it."""

    folder: Path

    @property
    def parent_file(self) -> Path:
        return self.folder / "parent_segments" / "all-customers.yml"

    @property
    def segments(self) -> Path:
        return self.folder / "segments" / "all-customers"

    def run(self, *arguments: str, stdin: str = "") -> Ran:
        """Run `kohort -w FOLDER ARGUMENTS`; no traceback may ever be printed."""
        return run("-w", str(self.folder), *arguments, stdin=stdin)

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; returns its standard output."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 0, ran.err + ran.out
        return ran.out

    def refused(self, *arguments: str, code: int = 1) -> str:
        """Run a command that must fail; returns its standard error."""
        ran = self.run(*arguments)
        assert ran.code == code, ran.err + ran.out
        return ran.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "--json"))

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of the workspace."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def segment(self, name: str, text: str | bytes) -> Path:
        return self.write(f"segments/all-customers/{name}", text)

    def state(self) -> tuple[Any, ...]:
        """What must be as before when a command was refused."""
        parent = self.json("ps", "view")
        return (
            self.json("sg", "list", "-r"),
            parent["version"],
            parent["definition"],
            self.json("ps", "list"),
            self.json("tables", "list"),
        )

    def files(self) -> dict[str, bytes]:
        """Every definition file with its bytes."""
        found = [path for name in ("segments", "parent_segments") for path in (self.folder / name).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in [*found, self.folder / "kohort.toml"]}


def run(*arguments: str, stdin: str = "") -> Ran:
    """Run `kohort ARGUMENTS` in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2))
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
    finally:
        sys.stdin = before
    raw, errors = out.buffer.getvalue(), err.buffer.getvalue().decode()  # type: ignore[attr-defined]
    text = raw.decode(errors="replace")
    assert "Traceback" not in errors + text, errors
    assert "INTERNAL" not in errors, errors
    return Ran(code, text, errors, raw)


def make_workspace(folder: Path) -> Desk:
    """From nothing to an evaluated workspace."""
    assert run("init", str(folder)).code == 0
    desk = Desk(folder)
    write_data(folder / "data")
    for table, file in (
        ("shop.customers", "customers.csv"),
        ("shop.metrics", "metrics.csv"),
        ("shop.purchases", "purchases.parquet"),
        ("web.page_views", "page_views.jsonl"),
        ("web.email_opens", "email_opens.jsonl"),
    ):
        desk.ok("tables", "import", table, str(folder / "data" / file))
    desk.write("parent_segments/all-customers.yml", PARENT)
    desk.ok("ps", "push")
    desk.ok("ps", "use", "All Customers")
    desk.ok("ps", "run", "--as-of", AS_OF.isoformat())
    for name, text in SEGMENTS.items():
        desk.segment(name, text)
    desk.ok("sg", "push", "-y")
    desk.ok("sg", "eval")
    return desk


def make_sources(folder: Path) -> Desk:
    """A workspace with the sources Web and App."""
    assert run("init", str(folder)).code == 0
    desk = Desk(folder)
    desk.ok("source", "add", "Web")
    desk.ok("source", "add", "App")
    return desk
