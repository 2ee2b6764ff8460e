"""Answers that take a while, kept until what they were made of changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")
_MOST = 128


class Kept:
    """The newest answers by key. Two who ask for the same at the same time share one answer."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._working: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer for a key; made when it is not known. What `make` raises is raised, and nothing is kept."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: T = self._answers[key]
                return found
            working = self._working.setdefault(key, threading.Lock())
        with working:
            with self._lock:
                if key in self._answers:
                    found = self._answers[key]
                    return found
            try:
                made = make()
                with self._lock:
                    self._answers[key] = made
                    while len(self._answers) > self._most:
                        self._answers.popitem(last=False)
            finally:
                with self._lock:
                    self._working.pop(key, None)
            return made


def kept_answers(request: Request) -> Kept:
    """The answers kept by this application."""
    state = request.app.state
    known: Kept | None = getattr(state, "kept_answers", None)
    if known is None:
        known = state.kept_answers = Kept()
    return known
