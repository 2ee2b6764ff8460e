"""One text for one value: how parts of rules, and of their core form, are ordered, compared and named."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from decimal import MAX_PREC, Context, Decimal
from functools import cache
from typing import Any

from kohort.foundation.fingerprints import canonical_json, fingerprint

_EXACT = Context(prec=MAX_PREC)


def plain(value: object) -> Any:
    """A frozen value as plain data with its class names; fields that hold their default are left out, so that a field
    added later, with a default, changes no name.

    >>> from kohort.rules.ast import Comparison
    >>> plain(Comparison("Greater", 5))
    {'Comparison': {'key': 'Greater', 'value': 5}}
    """
    kind: Any = type(value)
    if kind is str or value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return {"Decimal": str(trimmed(value))}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    assert is_dataclass(value), kind
    found = {}
    for name, default in _fields(kind):
        held = getattr(value, name)
        if held is not default and not (type(held) is type(default) and held == default):
            found[name] = plain(held)
    return {kind.__name__: found}


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any], ...]:
    """The fields of a class with their defaults; MISSING for none."""
    return tuple((part.name, part.default) for part in fields(kind))


def trimmed(value: Decimal) -> Decimal:
    """The same number written in one way: no zeros at the end, no negative zero.

    >>> trimmed(Decimal("1.50")), trimmed(Decimal("1E+2"))
    (Decimal('1.5'), Decimal('100'))
    """
    whole = value.to_integral_value()
    return Decimal(int(whole)) if whole == value else value.normalize(_EXACT)


def text_of(value: object) -> str:
    """The canonical text of a value; also the order of conditions in a normal form."""
    return canonical_json(plain(value))


def name_of(value: object) -> str:
    """The fingerprint of a value: 32 hex digits, the same for ever."""
    return fingerprint(plain(value))
