"""Passwords as argon2id hashes."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE = 2


class Argon2Passwords:
    """See `kohort.services.users.Passwords`. At most two are worked on at once: each takes its memory and a core."""

    def __init__(self, memory_kib: int = 65_536, rounds: int = 3) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._turn = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = self._hasher.hash("nobody's password")

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with self._turn:
            return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def verify(self, kept: str, password: str) -> bool:
        """Whether it is the password; takes as long for an account without one ("")."""
        with self._turn:
            try:
                return self._hasher.verify(kept or self._nobody, password.encode("utf-8", "surrogatepass")) and bool(kept)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with other settings than those of today."""
        return self._hasher.check_needs_rehash(kept)
