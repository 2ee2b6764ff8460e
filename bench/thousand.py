"""A thousand segments: the hundred and nine more of each, with one or two of its thresholds, windows or values changed, or narrowed
down by another condition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from bench import generate
from bench.counting import counted_by
from bench.measured import Measured, best, timed
from bench.shop import bound_segments, forgetful, hundred_rules, opened
from kohort.rules.bind import leaves
from kohort.rules.core import Expr, MemberLeaf

FORMS = 10
CHECKED = 30
"""So many of them are counted by SQL too, where there are more than `CHECK_ALL` profiles."""
CHECK_ALL = 200_000
DAYS = (7, 14, 30, 45, 60, 90, 120, 180, 270, 365)
FACTORS = (0.5, 0.75, 1.5, 2.0)
DOMAINS: tuple[tuple[str, ...], ...] = (
    generate.COUNTRIES,
    generate.CITIES,
    generate.TIERS,
    generate.INTERESTS,
    generate.CATEGORIES,
    generate.BRANDS,
    generate.CHANNELS,
    generate.DEVICES,
    generate.REFERRERS,
    generate.CAMPAIGNS,
    generate.TOPICS,
    ("email", "push", "sms", "none"),
    ("en", "fr", "de", "ja", "pt", "es"),
    ("5.2", "5.1", "5.0", "4.9", "4.8"),
    ("ios", "android"),
    ("low", "normal", "high"),
    ("/sale", "/cart", "/checkout", "/account", "/help"),
)
NARROWER = (
    *(f"country = '{country}'" for country in generate.COUNTRIES),
    *(f"device = '{device}'" for device in generate.DEVICES),
    *(f"purchase in last {days} days" for days in DAYS),
    "email_opt_in",
    "lifetime_value >= 200",
    "not support_ticket in last 90 days",
)
"""What a form that would be one of the others is narrowed down by."""
_SPOT = re.compile(r"(?P<window>\b(?:last|past) \d+ days)|(?P<threshold>(?:>=|<=|>|<) \d+(?:\.\d+)?)(?! \w+ ago)\b|'(?P<value>[^']*)'")

Options = Mapping[str, Any]


def thousand_rules() -> dict[str, str]:
    """Path -> rule in text form, always the same."""
    found = hundred_rules()
    known = set(found.values())
    for path, text in list(found.items()):
        for form in range(2, FORMS + 1):
            random = Random(f"{path} {form}")
            changed = varied(text, random)
            if changed in known and " limit " not in changed:
                changed = f"({changed}) and {random.choice(NARROWER)}"
            known.add(changed)
            found[f"{path} {form}"] = changed
    return found


def varied(text: str, random: Random) -> str:
    """The rule with one or two of its spots changed; as it is when there are none."""
    spots = [match for match in _SPOT.finditer(text) if match["value"] is None or _domain(match["value"])]
    chosen = random.sample(spots, min(len(spots), random.choice((1, 2))))
    for match in sorted(chosen, key=lambda one: -one.start()):
        text = text[: match.start()] + _other(match, random) + text[match.end() :]
    return text


def _other(match: re.Match[str], random: Random) -> str:
    if match["window"] is not None:
        return f"{match[0].split(' ')[0]} {random.choice(DAYS)} days"
    if match["threshold"] is not None:
        sign, number = match["threshold"].split(" ")
        changed = float(number) * random.choice(FACTORS)
        return f"{sign} {round(changed, 2)}" if "." in number else f"{sign} {max(1, round(changed))}"
    domain = _domain(match["value"])
    return f"'{random.choice(domain)}'" if domain else match[0]


def _domain(value: str) -> tuple[str, ...]:
    return next((domain for domain in DOMAINS if value in domain), ())


def measure_thousand(folder: Path, _options: Options) -> Measured:
    """All of them on the index: warm, nothing remembered."""
    with opened(folder) as (shop, engine):
        exprs = bound_segments(engine.catalog, thousand_rules())
        first, _ = timed(lambda: counted_by(engine, exprs))
        engine = forgetful(engine, shop.indexes.root)
        found = best(lambda: counted_by(forgetful(engine, shop.indexes.root), exprs))
        facts = {"first": first, "leaves": found.outcome.leaves, "counts": found.outcome.counts, "cpu": found.cpu_seconds}
        return Measured(found.seconds, facts)


def measure_thousand_check(folder: Path, _: Options) -> Measured:
    """The same counts by SQL: of all, or of some with those that they refer to."""
    with opened(folder) as (_shop, engine):
        exprs = bound_segments(engine.catalog, thousand_rules())
        chosen = exprs if engine.refresh.population <= CHECK_ALL else _sample(exprs)
        seconds, counted = timed(lambda: counted_by(replace(engine, indexes=None), chosen))
        return Measured(seconds, {"counts": counted.counts, "leaves": counted.leaves})


def _sample(exprs: Mapping[str, Expr]) -> dict[str, Expr]:
    wanted = set(Random("sample").sample(sorted(exprs), CHECKED))
    for path in reversed(list(exprs)):
        wanted |= {leaf.path for leaf in leaves(exprs[path]) if isinstance(leaf, MemberLeaf)} if path in wanted else set()
    return {path: expr for path, expr in exprs.items() if path in wanted}
