"""How a source tells whose calls are whose: limits, priorities and blocked values of external ids, kept as JSON with the source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kohort.events.identity import DEFAULT_IDENTITY, PERIODS, IdentityRules, Limit
from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.issues import did_you_mean
from kohort.foundation.patterns import bounded, is_quick
from kohort.ports.definitions import DefinitionStore
from kohort.ports.sources import SourceRecord
from kohort.services.sources.registry import require_source

MOST_IDS: Final = 1_000
"""Of one kind, as the ceiling of all ids of a profile."""
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.]{0,62}")
_PATTERN_CHARACTERS: Final = 500
_NO_PATTERN: Final = (re.error, OverflowError, RecursionError)
_PERIOD_OF: Final = {length: name for name, length in PERIODS.items()}


def identity_rules(record: SourceRecord | None) -> IdentityRules:
    """The rules a source's calls are resolved by; those of every source where it has none of its own."""
    return _read(json.loads(record.identity)) if record is not None and record.identity else DEFAULT_IDENTITY


def resolving_rules(record: SourceRecord | None) -> IdentityRules:
    """The same as calls are resolved by: no value, whoever sends it, can hold up the pattern. One that could be is passed over."""
    rules = identity_rules(record)
    if rules.blocked_pattern == DEFAULT_IDENTITY.blocked_pattern:
        return rules
    try:
        quick = is_quick(rules.blocked_pattern)
    except _NO_PATTERN:
        quick = False
    return replace(rules, blocked_pattern=bounded(rules.blocked_pattern) if quick else DEFAULT_IDENTITY.blocked_pattern)


def identity_document(rules: IdentityRules) -> dict[str, Any]:
    """The rules as JSON: what `identity_of_document` reads."""
    return {
        "limits": {kind: _limit_document(limit) for kind, limit in sorted(rules.limits.items())},
        "limit": _limit_document(rules.limit),
        "priority": list(rules.first),
        "blocked": sorted(rules.blocked),
        "blocked_pattern": rules.blocked_pattern,
        "custom": dict(sorted(rules.custom.items())),
        "left_out": sorted(rules.left_out),
    }


def identity_of_document(document: Mapping[str, Any]) -> IdentityRules:
    """The rules of a document; what it does not say is as by default. Raises UserError IDENTITY_INVALID."""
    return checked(_read(document))


def _read(document: Mapping[str, Any]) -> IdentityRules:
    unknown = [name for name in document if name not in identity_document(DEFAULT_IDENTITY)]
    if unknown:
        raise _invalid(f'there is no "{unknown[0]}"', did_you_mean(unknown[0], identity_document(DEFAULT_IDENTITY)))
    said = identity_document(DEFAULT_IDENTITY) | dict(document)
    limits, custom = _table(said["limits"], "limits"), _table(said["custom"], "custom")
    return replace(
        DEFAULT_IDENTITY,
        limits={kind: _limit(kind, limit) for kind, limit in limits.items()},
        limit=_limit("limit", said["limit"]),
        first=tuple(_texts(said["priority"], "priority")),
        blocked=frozenset(_texts(said["blocked"], "blocked")),
        blocked_pattern=_text(said["blocked_pattern"], "blocked_pattern"),
        custom={kind: _text(key, "custom") for kind, key in custom.items()},
        left_out=frozenset(_texts(said["left_out"], "left_out")),
    )


def checked(rules: IdentityRules) -> IdentityRules:
    """The same rules. Raises UserError IDENTITY_INVALID."""
    for kind in (*rules.limits, *rules.first, *rules.custom, *rules.left_out):
        if not _TYPE.fullmatch(kind):
            raise _invalid(f'"{kind}" cannot be the type of an id', "write for example email or shop_id")
    for limit in (*rules.limits.values(), rules.limit):
        if not 1 <= limit.count <= MOST_IDS:
            raise _invalid(f"a profile cannot be limited to {limit.count} ids", f"write 1 to {MOST_IDS}")
    if any(not key for key in rules.custom.values()):
        raise _invalid("a custom id needs the key of a trait or property", "write shop_id=shopId")
    if len(set(rules.first)) < len(rules.first):
        raise _invalid("a type stands twice in the priority", "name each once, the most trusted first")
    _check_pattern(rules.blocked_pattern)
    return rules


def change_identity(store: DefinitionStore, name: str, rules: IdentityRules, *, by: str, clock: Clock) -> SourceRecord:
    """Resolve the calls of a source by these rules from now on; what was resolved stays.

    Raises UserError SOURCE_NOT_FOUND, IDENTITY_INVALID.
    """
    text = "" if checked(rules) == DEFAULT_IDENTITY else json.dumps(identity_document(rules), ensure_ascii=False)
    with store.transaction():
        return store.update_source(replace(require_source(store, name), identity=text), by=by, at=clock.now())


def parse_limit(text: str) -> tuple[str, Limit]:
    """`email=3` or `email=3/monthly`. Raises UserError IDENTITY_INVALID.

    >>> parse_limit("email=3")
    ('email', Limit(count=3, period=None))
    """
    found = re.fullmatch(r"([^=]+)=(\d{1,6})(?:/(\w+))?", text.strip())
    if found is None:
        raise _invalid(f'"{text}" is not a limit', "write email=5 or email=5/monthly")
    return found[1].strip(), _limit(found[1], {"count": int(found[2]), "period": found[3] or "ever"})


def limit_text(limit: Limit) -> str:
    """How a limit is shown.

    >>> limit_text(Limit(5))
    '5 ever'
    """
    return f"{limit.count} {period_of(limit)}"


def period_of(limit: Limit) -> str:
    """What a limit is counted within: ever, weekly, monthly or yearly."""
    return _PERIOD_OF.get(limit.period or 0, "ever")


def _limit_document(limit: Limit) -> dict[str, Any]:
    return {"count": limit.count, "period": period_of(limit)}


def _limit(kind: str, value: Any) -> Limit:
    document = _table(value, kind)
    count, period = document.get("count"), document.get("period", "ever")
    if type(count) is not int:
        raise _invalid(f"the limit of {kind} needs a count", 'write {"count": 5, "period": "ever"}')
    if period != "ever" and period not in PERIODS:
        raise _invalid(f'there is no period "{period}"', f"write ever, {', '.join(PERIODS)}")
    return Limit(count, PERIODS.get(period))


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _invalid(f"{name} is not an object")
    return value


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _invalid(f"{name} is not a list of texts")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _invalid(f"{name} is not a text")
    return value


def _check_pattern(pattern: str) -> None:
    if len(pattern) > _PATTERN_CHARACTERS:
        raise _invalid("the pattern is too long", f"at most {_PATTERN_CHARACTERS} characters")
    try:
        quick = is_quick(pattern)
    except _NO_PATTERN as error:
        raise _invalid(
            f'"{pattern}" is no pattern: {getattr(error, "msg", error)}', "write a regular expression of the whole value, such as test-.*"
        ) from error
    if not quick:
        message = f'"{pattern}" may match in so many ways that some values would hold up all others'
        raise _invalid(message, "at most two * or + in a row, and no repeat, ? or | inside of a repeat; {1,3} in place of + helps")


def _invalid(message: str, hint: str = "") -> UserError:
    return UserError("IDENTITY_INVALID", message, hint=hint or "see kohort source identity --help")
