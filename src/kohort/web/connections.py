"""Connections of people, proxies and senders."""

from __future__ import annotations

from typing import Final

KEEP_ALIVE_SECONDS: Final = 75
"""How long a connection stays open while nothing is asked over it.

Longer than clients and proxies keep theirs (nginx and most balancers: 60 s): it is they who close it, and no request is sent into a
connection that is closing.
"""
