"""How long work tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears about every step of long work before it begins, and about the end (done = total)."""

    def step(self, name: str, done: int, total: int) -> None:
        """`done` of `total` steps are finished; `name` is the one that begins now ("" at the end)."""
        ...


class Silent:
    """Hears nothing."""

    def step(self, name: str, done: int, total: int) -> None:
        """Nothing is shown."""
