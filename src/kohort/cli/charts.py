"""Small charts in plain text, for terminals: a line of blocks, a bar, a histogram, a shaded cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import TypeVar

from kohort.cli.output import cell

T = TypeVar("T")
_HEIGHTS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SHADES = " ░▒▓█"


def sparkline(values: Iterable[float | None], low: float | None = None) -> str:
    """One block a value, as high as it is between `low` (default: the smallest) and the largest; None is a gap.

    Values that are all equal to `low` are half high.

    >>> sparkline([0, 1, None, 7])
    '▁▂ █'
    >>> sparkline([5, 5])
    '▄▄'
    """
    listed = list(values)
    known = [value for value in listed if value is not None]
    if not known:
        return " " * len(listed)
    lowest, highest = min(known) if low is None else low, max(known)
    return "".join(" " if value is None else _height(value, lowest, highest) for value in listed)


def thinned(values: Sequence[T], most: int = 60) -> Sequence[T]:
    """At most so many of a long series, evenly spread; the first and the last are among them.

    >>> thinned(range(9), 3)
    [0, 4, 8]
    """
    if len(values) <= most:
        return values
    return [values[place * (len(values) - 1) // (most - 1)] for place in range(most)]


def _height(value: float, low: float, high: float) -> str:
    if high == low:
        return _HEIGHTS[3]
    return _HEIGHTS[round((value - low) / (high - low) * (len(_HEIGHTS) - 1))]


def bar(value: float, total: float, width: int = 20) -> str:
    """`value` of `total` as a bar of `width` cells, filled up with spaces; whatever is not nothing shows at least a sliver.

    >>> bar(1, 2, 4)
    '██  '
    >>> bar(1, 1000, 4)
    '▏   '
    """
    if total <= 0 or value <= 0:
        return " " * width
    eighths = min(width * 8, max(1, round(value / total * width * 8)))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def shade(share: float) -> str:
    """A share from 0 to 1 as one of five shades, twice as wide as high: a square of a matrix.

    >>> shade(0), shade(0.01), shade(1)
    ('  ', '░░', '██')
    """
    if share <= 0:
        return _SHADES[0] * 2
    return _SHADES[min(4, ceil(share * 4))] * 2


def histogram(edges: Sequence[object], counts: Sequence[int], width: int = 30) -> list[str]:
    """One line a bin: from, to, bar and count. edges: one more than counts; bins end before their upper edge, the last one with it.

    >>> histogram([0, 10, 20], [3, 1], 3)
    [' 0 .. 10  ███  3', '10 .. 20  █    1']
    """
    labels = [cell(edge) for edge in edges]
    size = max((len(label) for label in labels), default=0)
    most = max(counts, default=0)
    figures = [f"{count:,}" for count in counts]
    wide = max((len(figure) for figure in figures), default=0)
    return [
        f"{labels[place]:>{size}} .. {labels[place + 1]:>{size}}  {bar(counts[place], most, width)}  {figures[place]:>{wide}}"
        for place in range(len(counts))
    ]
