"""Calls of a made-up web shop, as an SDK sends them: so that sources, their tables and the live debugger have something to show."""

from __future__ import annotations

import base64
import json
import random
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

PRODUCTS = (("Ground coffee", "GROCERY", 7.49), ("Cat food", "PET CARE", 12.99), ("Red wine", "SPIRITS", 9.95), ("Apples", "PRODUCE", 3.2))
PAGES = ("/", "/sale", "/cart", "/coffee", "/wine")
VISITORS = 40
CALLS = 400
BATCH = 50


def calls(now: datetime) -> Iterator[dict[str, Any]]:
    """Calls of the last two hours, oldest first; the same ones each time but for their times. Two of them break the rules."""
    chosen = random.Random(2017)
    for number in range(CALLS):
        visitor = chosen.randrange(VISITORS)
        at = now - timedelta(hours=2) * (1 - number / CALLS)
        call: dict[str, Any] = {"messageId": f"shop-{number}", "anonymousId": f"visitor-{visitor}", "timestamp": at.isoformat()}
        if chosen.random() < 0.6:
            call["userId"] = str(900 + visitor)
        kind = chosen.random()
        if kind < 0.1 and "userId" in call:
            yield {**call, "type": "identify", "traits": {"email": f"household{visitor}@example.com", "newsletter": chosen.random() < 0.5}}
        elif kind < 0.5:
            yield {**call, "type": "page", "name": "Shop", "properties": {"path": chosen.choice(PAGES)}}
        else:
            product, department, price = chosen.choice(PRODUCTS)
            event = chosen.choice(("Product Viewed", "Product Added", "Order Completed"))
            yield {
                **call,
                "type": "track",
                "event": event,
                "properties": {"product": product, "department": department, "price": price, "quantity": chosen.randint(1, 4)},
            }
    yield {"type": "track", "messageId": "shop-without-name", "userId": "901", "properties": {"price": 1}}
    yield {"type": "track", "messageId": "shop-without-user", "event": "Product Viewed"}


def send(url: str, write_key: str) -> int:
    """Send all calls to a server, in batches; how many."""
    everything = list(calls(datetime.now(UTC)))
    secret = base64.b64encode(f"{write_key}:".encode()).decode()
    for start in range(0, len(everything), BATCH):
        body = json.dumps({"batch": everything[start : start + BATCH], "sentAt": datetime.now(UTC).isoformat()}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {secret}"}
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/batch", body, headers), timeout=30) as answer:
            answer.read()
    return len(everything)
