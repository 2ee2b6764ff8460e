"""Examples of the commands people use most: the help pages and the reference both show these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "init": ("kohort init shop",),
    "query": (
        "kohort query 'SELECT country, count(*) AS n FROM shop.customers GROUP BY 1'",
        "kohort query 'SELECT * FROM cdp_audience_1.customers' --format csv",
    ),
    "serve": ("kohort serve", "kohort -w /srv/shop serve --host 0.0.0.0 --port 8040"),
    "tables list": ("kohort tables list", "kohort tables list shop --json"),
    "tables import": (
        "kohort tables import shop.customers data/customers.csv",
        "kohort tables import web.page_views data/page_views.jsonl --type url=VARCHAR",
    ),
    "tables create": ("kohort tables create shop.few --as 'SELECT * FROM shop.customers LIMIT 9'",),
    "tables drop": ("kohort tables drop shop.few --yes",),
    "tables show": ("kohort tables show shop.customers --limit 3",),
    "source add": ('kohort source add "Web Shop"', 'kohort source add "Old Site" --schema legacy_site --naming rudderstack'),
    "source status": ("kohort source status", 'kohort source status "Web Shop" --json'),
    "source tail": ('kohort source tail "Web Shop" --last 20 --no-follow',),
    "ps push": ("kohort ps push", "kohort ps push parent_segments/all-customers.yml --dry-run"),
    "ps validate": ("kohort ps validate", "kohort ps validate parent_segments/all-customers.yml"),
    "ps run": ("kohort ps run", 'kohort ps run "All Customers" --as-of 2024-03-01'),
    "ps fields": ("kohort ps fields",),
    "ps values": ("kohort ps values loyalty_tier", "kohort ps values purchase.category --limit 5"),
    "sg push": ("kohort sg push --dry-run", "kohort sg push segments/all-customers/Value --yes"),
    "sg list": ("kohort sg list -r", "kohort sg list 'Value/*' --json"),
    "sg count": ("kohort sg count Value/VIP", "kohort sg count -e 'purchase in last 30 days and lifetime_value > 1000'"),
    "sg preview": (
        "kohort sg preview segments/all-customers/Value/vip.yml",
        "kohort sg preview -e 'email_open count > 3 this month' --columns country",
    ),
    "sg eval": ("kohort sg eval", "kohort sg eval --as-of 2024-03-01"),
    "sg show": ("kohort sg show Value/VIP --limit 5",),
    "sg explain": ("kohort sg explain Value/VIP --profile c024", "kohort sg explain -e 'purchase in last 30 days' --profile c024"),
    "sg export": ("kohort sg export Value/VIP --columns country -o vip.csv", "kohort sg export Value/VIP --format jsonl"),
    "sg diff": ("kohort sg diff Value/VIP --file", "kohort sg diff --between previous last"),
    "sg history": ("kohort sg history Value/VIP --days 90",),
    "sg backtest": ("kohort sg backtest -e 'purchase in last 30 days' --days 14",),
    "profile show": ("kohort profile show c024", "kohort profile show c024 --recent 3 --json"),
    "user add": ("kohort user add ann@example.com --role marketer", "kohort user add reports --no-password"),
    "token add": ("kohort token add reports 'nightly export' --role viewer --days 30",),
}
"""By command, as one would type it in the workspace of the tutorial."""


def commands_of(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group with its path, such as "sg count"."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, below in inner.items():
        yield from commands_of(below, f"{path} {name}".strip())


def with_examples(root: Any) -> Any:
    """The same commands; their help pages end with the examples there are."""
    for path, command in commands_of(root):
        if path in EXAMPLES:
            command.epilog = "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in EXAMPLES[path])))
    return root
