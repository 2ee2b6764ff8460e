"""Comparisons with an average, exactly: the sum is compared with the literal times the count, nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from kohort.evaluation.numbers import WIDE_MAX, Comparator, floor_and_ceiling, fraction_digits, off_grid
from kohort.evaluation.predicates import COMPARISONS, Outcome
from kohort.sql import build
from kohort.sql.dialects import SqlDialect

_MODERATE = 10**27  # times any count, it still fits a wide integer
_MODERATE_DECIMAL = 10**18
_INT64_EXTRA_DIGITS = 8  # a sum of int64 values has so much room left in a wide integer


@dataclass(frozen=True, slots=True)
class AverageSql:
    """An average whose sum and count are at hand.

    total: in units of 10**-scale; of decimals the engine's own DECIMAL, else a wide integer. count: of the values, 0 when none.
    """

    total: exp.Expression
    count: exp.Expression
    storage: str
    scale: int
    dialect: SqlDialect

    def compare(self, op: Comparator, literal: Decimal | int) -> Outcome:
        """`average op literal`."""
        low, high = floor_and_ceiling(literal, self.scale)
        if abs(low) > WIDE_MAX:
            return op in (("<", "<=") if low > 0 else (">", ">="))
        numerator, digits = fraction_digits(literal, self.scale)
        if self.storage == "decimal" and low == high and abs(low) < _MODERATE_DECIMAL and self.scale <= 18:
            return COMPARISONS[op](this=self.total.copy(), expression=self._decimal_product(low))
        if self.storage == "int64" and digits <= _INT64_EXTRA_DIGITS and abs(low) * 10**digits < _MODERATE:
            return self._product(op, low * 10**digits + numerator, digits)
        if self.storage == "float64" and low == high and abs(low) < _MODERATE:
            return self._product(op, low, 0)
        return self._by_parts(op, low, numerator, digits)

    def _product(self, op: Comparator, literal: int, digits: int) -> exp.Expression:
        """total * 10**digits op literal * count, in wide integers."""
        total = self.total.copy()
        left = exp.Mul(this=total, expression=build.wide(build.integer(10**digits), self.dialect)) if digits else total
        right = exp.Mul(this=build.wide(self.count.copy(), self.dialect), expression=build.wide(build.integer(literal), self.dialect))
        return COMPARISONS[op](this=left, expression=right)

    def _decimal_product(self, whole: int) -> exp.Expression:
        literal = exp.cast(build.decimal(off_grid(whole, self.scale)), f"DECIMAL(19, {self.scale})")
        return exp.Mul(this=exp.cast(self.count.copy(), "DECIMAL(18, 0)"), expression=literal)

    def _by_parts(self, op: Comparator, low: int, numerator: int, digits: int) -> exp.Expression:
        """Whole parts first; where they agree, rest / count with the literal's digits after the grid."""
        whole, rest = self.parts()
        right: exp.Expression = build.integer(0)
        if numerator:
            rest = exp.Mul(this=rest, expression=build.wide(build.integer(10**digits), self.dialect))
            right = exp.Mul(this=build.wide(self.count.copy(), self.dialect), expression=build.wide(build.integer(numerator), self.dialect))
        same = exp.EQ(this=whole, expression=build.integer(low))
        tie = build.all_of([same, COMPARISONS[op](this=rest, expression=right)])
        if op == "=":
            return tie
        strictly = exp.GT if op in (">", ">=") else exp.LT
        return build.any_of([strictly(this=whole.copy(), expression=build.integer(low)), tie])

    def parts(self) -> tuple[exp.Expression, exp.Expression]:
        """The average as `whole + rest / count`, 0 <= rest < count, in units of 10**-scale; null without values."""
        total = self._whole_total()
        divisor = build.wide(build.call("nullif", self.count.copy(), build.integer(0)), self.dialect)
        remainder = exp.Mod(this=exp.Paren(this=total), expression=divisor)
        positive = exp.Mod(this=exp.Paren(this=exp.Add(this=remainder, expression=divisor.copy())), expression=divisor.copy())
        rest = exp.Paren(this=positive)
        return self._quotient(exp.Paren(this=exp.Sub(this=total.copy(), expression=rest)), divisor), rest.copy()

    def share(self, unit: int) -> exp.Expression:
        """rest / count in whole units of 1 / unit."""
        _, rest = self.parts()
        scaled = exp.Mul(this=rest, expression=build.wide(build.integer(unit), self.dialect))
        return self._quotient(exp.Paren(this=scaled), build.call("nullif", self.count.copy(), build.integer(0)))

    def _whole_total(self) -> exp.Expression:
        if self.storage != "decimal":
            return self.total.copy()
        digits = build.call("replace", exp.cast(self.total.copy(), "VARCHAR"), build.text("."), build.text(""))
        return build.wide(digits, self.dialect)

    def _quotient(self, dividend: exp.Expression, divisor: exp.Expression) -> exp.Expression:
        """A division of whole numbers that leaves no remainder, or whose last digit does not matter."""
        kind = exp.IntDiv if self.dialect.name == "duckdb" else exp.Div
        return exp.Paren(this=kind(this=dividend, expression=divisor.copy()))
