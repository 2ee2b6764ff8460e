"""Literals brought to the grid of the values they are compared with, so that SQL compares whole numbers with whole numbers."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Literal

Comparator = Literal["=", "<", "<=", ">", ">="]

INT64_LIMIT = 2**63  # of -2**63, which is an int64 too
WIDE_MAX = 10**38 - 1
TIE_DIGITS = 28
_FINE_DIGITS = 60  # digits after the point of a literal that can still change a comparison
_EXACT = Context(prec=200)


def on_grid(op: Comparator, literal: Decimal | int, scale: int, limit: int) -> tuple[Comparator, int] | bool:
    """`value op literal` for values that are whole multiples n of 10**-scale with |n| <= limit, as `n op whole`.

    True or False when that holds for every such value, or for none.

    >>> on_grid(">", Decimal("1.5"), 0, 100)
    ('>=', 2)
    >>> on_grid("=", Decimal("1.5"), 0, 100)
    False
    >>> on_grid("<", 1000, 0, 100)
    True
    """
    low, high = floor_and_ceiling(literal, scale)
    if low == high:
        bound = (op, low)
    elif op == "=":
        return False
    else:
        bound = ("<=", low) if op in ("<", "<=") else (">=", high)
    if abs(bound[1]) <= limit:
        return bound
    return op in (("<", "<=") if bound[1] > 0 else (">", ">="))


def off_grid(whole: int, scale: int) -> Decimal:
    """whole * 10**-scale, with `scale` digits after the point.

    >>> off_grid(1250, 2)
    Decimal('12.50')
    """
    return Decimal(whole).scaleb(-scale, _EXACT)


def floor_and_ceiling(literal: Decimal | int, scale: int) -> tuple[int, int]:
    """The whole numbers around literal * 10**scale; equal when it is whole. Saturates far outside any column's range."""
    if isinstance(literal, int):
        return literal * 10**scale, literal * 10**scale
    if literal and literal.adjusted() > 2 * _FINE_DIGITS:
        edge = 10 ** (2 * _FINE_DIGITS) * (1 if literal > 0 else -1)
        return edge, edge
    if literal and literal.adjusted() < -_FINE_DIGITS:
        return (0, 1) if literal > 0 else (-1, 0)
    scaled = literal.scaleb(scale, _EXACT)
    return int(scaled.to_integral_value(ROUND_FLOOR)), int(scaled.to_integral_value(ROUND_CEILING))


def fraction_digits(literal: Decimal | int, scale: int) -> tuple[int, int]:
    """What literal * 10**scale has after its floor, as numerator / 10**digits; cut to 28 digits, never to a whole number.

    >>> fraction_digits(Decimal("-1.25"), 0)
    (75, 2)
    """
    low, high = floor_and_ceiling(literal, scale)
    if isinstance(literal, int) or low == high:
        return 0, 0
    if literal.adjusted() < -_FINE_DIGITS:
        return (1, TIE_DIGITS) if literal > 0 else (10**TIE_DIGITS - 1, TIE_DIGITS)
    rest = _EXACT.subtract(literal.scaleb(scale, _EXACT), Decimal(low)).normalize(_EXACT)
    digits = -int(rest.as_tuple().exponent)
    if digits <= TIE_DIGITS:
        return int(rest.scaleb(digits, _EXACT)), digits
    return int(rest.scaleb(TIE_DIGITS - 1, _EXACT)) * 10 + 5, TIE_DIGITS
