"""Requests a second, by source."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDING = 1e-9


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """One bucket a source: a second's worth of requests at once, then as many a second as its limit says.

    Instants are seconds of a clock that only goes forward.
    """

    def __init__(self, per_second: int) -> None:
        """per_second: of sources without a limit of their own; 0 = no limit."""
        self._per_second = per_second
        self._buckets: dict[str, _Bucket] = {}

    def wait_seconds(self, source: str, limit: int | None, now: float) -> float:
        """0.0 and one request less, or how long until the next one may come.

        >>> rates = Rates(2)
        >>> [rates.wait_seconds("shop", None, 10.0) for _ in range(3)]
        [0.0, 0.0, 0.5]
        >>> rates.wait_seconds("shop", None, 10.5)
        0.0
        """
        rate = self._per_second if limit is None else limit
        if rate <= 0:
            return 0.0
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = _Bucket(float(rate), now)
        bucket.tokens = min(float(rate), bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if bucket.tokens >= 1.0 - _ROUNDING:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / rate
