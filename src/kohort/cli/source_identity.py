"""`kohort source identity`: how ids of a source's calls become profiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kohort.cli.audit import changed_source
from kohort.cli.context import JSON
from kohort.cli.output import show_json, show_table, styled
from kohort.cli.session import open_session
from kohort.foundation.errors import UserError

if TYPE_CHECKING:
    from kohort.events.identity import IdentityRules
    from kohort.ports.sources import SourceRecord

Several = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the command of this module to `kohort source`."""
    app.command("identity")(identity)


def identity(
    name: Annotated[str, typer.Argument(help="The source: its name or its schema.")],
    limit: Annotated[
        Several, typer.Option("--limit", metavar="TYPE=N[/PERIOD]", help="Most ids of a type a profile gathers: email=5, email=5/monthly.")
    ] = None,
    other_limit: Annotated[str, typer.Option("--other-limit", metavar="N[/PERIOD]", help="The limit of all types without one.")] = "",
    priority: Annotated[str, typer.Option("--priority", metavar="TYPES", help="The most trusted types in order: user_id,email.")] = "",
    block: Annotated[Several, typer.Option("--block", metavar="VALUE", help="A value that is nobody's, such as a test user's.")] = None,
    unblock: Annotated[Several, typer.Option("--unblock", metavar="VALUE", help="A blocked value that counts again.")] = None,
    block_pattern: Annotated[
        str | None, typer.Option("--block-pattern", metavar="REGEX", help="Values that are nobody's, as a pattern of the whole value.")
    ] = None,
    custom: Annotated[
        Several,
        typer.Option("--custom", metavar="TYPE=KEY", help="A trait or property that is an id: shop_id=shopId; without KEY: no more."),
    ] = None,
    leave_out: Annotated[Several, typer.Option("--leave-out", metavar="TYPE", help="A type that is not of one person.")] = None,
    use: Annotated[Several, typer.Option("--use", metavar="TYPE", help="A type that was left out and counts again.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with what holds in every source.")] = False,
    as_json: JSON = False,
) -> None:
    """Show how ids of calls become profiles, or change it. A change holds for calls that come later; merges are never undone."""
    from kohort.events.identity import DEFAULT_IDENTITY
    from kohort.services.sources.identity import change_identity, identity_document, identity_rules, parse_limit
    from kohort.services.sources.registry import require_source

    session = open_session()
    record = require_source(session.store, name)
    rules = before = identity_rules(record)
    if reset:
        rules = DEFAULT_IDENTITY
    rules = replace(rules, limits=dict(rules.limits) | dict(map(parse_limit, limit or ())))
    if other_limit:
        rules = replace(rules, limit=parse_limit(f"other={other_limit}")[1])
    if priority:
        rules = replace(rules, first=tuple(each.strip() for each in priority.split(",")))
    if block_pattern is not None:
        rules = replace(rules, blocked_pattern=block_pattern)
    rules = replace(rules, blocked=_changed(rules.blocked, block, unblock), left_out=_changed(rules.left_out, leave_out, use))
    rules = replace(rules, custom=_custom(rules, custom or ()))
    if rules != before:
        with changed_source("source.identity", record.slug):
            record = change_identity(session.store, record.slug, rules, by=session.settings.user_name, clock=session.clock)
    if as_json:
        show_json({"name": record.name, "schema": record.slug, "own": bool(record.identity), **identity_document(rules)})
    else:
        _show(record, rules, changed=rules != before)


def _changed(values: frozenset[str], more: Several, fewer: Several) -> frozenset[str]:
    return (values | frozenset(more or ())) - frozenset(fewer or ())


def _custom(rules: IdentityRules, pairs: Iterable[str]) -> dict[str, str]:
    custom = dict(rules.custom)
    for pair in pairs:
        kind, equals, key = (part.strip() for part in pair.partition("="))
        if not equals:
            raise UserError("IDENTITY_INVALID", f'"{pair}" is not a custom id', hint="write shop_id=shopId, or shop_id= to take it away")
        if key:
            custom[kind] = key
        else:
            custom.pop(kind, None)
    return custom


def _show(record: SourceRecord, rules: IdentityRules, *, changed: bool) -> None:
    from kohort.services.sources.identity import limit_text

    whose = "rules of its own" if record.identity else "the rules of every source"
    styled(f"[bold]{escape(record.name)}[/bold] [dim]{whose}{', for calls that come from now on' if changed else ''}[/dim]")
    ranked = list(dict.fromkeys([*rules.first, *sorted({*rules.limits, *rules.custom})]))
    rows = [
        (str(place), kind, limit_text(rules.limit_of(kind)), rules.custom.get(kind, ""), "left out" if kind in rules.left_out else "")
        for place, kind in enumerate(ranked, 1)
    ]
    rows.append(("then", "other types, by name", limit_text(rules.limit), "", ""))
    show_table(("trust", "type of id", "ids a profile", "key", ""), rows)
    for label, value in (
        ("Blocked:", ", ".join(sorted(rules.blocked)) or "no value"),
        ("Pattern:", rules.blocked_pattern or "none"),
        ("Left out:", ", ".join(sorted(rules.left_out)) or "no type"),
    ):
        styled(f"[dim]{label:<14}[/dim]{escape(value)}")
