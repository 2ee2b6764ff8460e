"""Who may send: the sources as the server knows them, replaced as a whole every few seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kohort.events.model import SourceRules

MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Sender:
    """One source. rate_limit: requests a second, None = that of the server. keys: SHA-256 of its write keys, in hexadecimal."""

    slug: str
    name: str = ""
    enabled: bool = True
    accepts_unknown_keys: bool = False
    rate_limit: int | None = None
    rules: SourceRules = field(default_factory=SourceRules)
    keys: tuple[str, ...] = ()

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Sender:
        """See `kohort.services.loading.serve.sender_document`."""
        return Sender(
            document["slug"],
            document["name"],
            document["enabled"],
            document["accepts_unknown_keys"],
            document["rate_limit"],
            SourceRules(naming=document["naming"]),
            tuple(document["keys"]),
        )


def key_hash(key: str) -> str:
    """What the store keeps of a write key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def masked(key: str) -> str:
    """A write key as messages may show it: its last four characters, and of a short one nothing."""
    return f"****{key[-4:]}" if len(key) >= 12 else "****"


class Senders:
    """Finds the source of a write key. A key that was found once is a look-up in a dictionary."""

    def __init__(self, senders: Iterable[Sender] = ()) -> None:
        self.replace(senders)

    def replace(self, senders: Iterable[Sender]) -> None:
        """From now on these, and no others."""
        listed = tuple(senders)
        self._by_hash = {hashed: sender for sender in listed for hashed in sender.keys}
        self._remembered: dict[str, Sender] = {}
        self.catch_all = next((sender for sender in listed if sender.accepts_unknown_keys and sender.enabled), None)
        self.listed = listed

    def find_key(self, key: str) -> Sender | None:
        """The source of a write key; None when it belongs to nobody."""
        known = self._remembered.get(key)
        if known is None:
            known = self._by_hash.get(key_hash(key))
            if known is not None:
                if len(self._remembered) >= MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = known
        return known
