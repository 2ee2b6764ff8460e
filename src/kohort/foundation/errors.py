"""The exception tree.

KohortError
├── UserError        something the user can mend: carries a code, a message and a way out
│   └── InvalidInput what was written has problems: carries every one of them as `Issues`
└── Interrupted      the user stopped the work (Ctrl-C); what was there before still answers
"""

from __future__ import annotations

from kohort.foundation.issues import Issues


class KohortError(Exception):
    """Base of everything Kohort raises on purpose."""


class UserError(KohortError):
    """Something the user can mend. `code` is stable, `hint` says the way out.

    >>> str(UserError("TABLE_NOT_FOUND", "there is no table sales.orders", hint="run: kohort tables list"))
    'there is no table sales.orders'
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class InvalidInput(UserError):
    """What the user wrote has problems; `issues` holds all of them."""

    def __init__(self, issues: Issues) -> None:
        first = issues.errors[0] if issues.errors else issues.items[0]
        super().__init__(first.code, first.message, hint=first.hint)
        self.issues = issues


class Interrupted(KohortError):
    """The user stopped the work; nothing half-written stays."""
