"""What `kohort sg lint` can find, by code: a segment file may silence any of it."""

from __future__ import annotations

OF_RULES = (
    "LINT_CONTRADICTION",
    "LINT_TAUTOLOGY",
    "LINT_NEVER",
    "LINT_ALWAYS",
    "LINT_DUPLICATE",
    "LINT_SUBSUMED",
    "LINT_NULLS_LEFT_OUT",
    "LINT_NULLS_LET_IN",
    "LINT_NO_ROWS_LEFT_OUT",
    "LINT_UNITS_MIXED",
    "LINT_FUTURE_WINDOW",
)
"""Said of a rule by itself."""

OF_MEMBERS = ("LINT_EMPTY", "LINT_EVERYBODY", "LINT_KEEPS_NOBODY", "LINT_KEEPS_EVERYBODY", "LINT_SAME_MEMBERS")
"""Said of a rule on the customers of a refresh."""

OF_DATA = (*OF_MEMBERS, "LINT_NULLS_LEFT_OUT", "LINT_NULLS_LET_IN")
"""Said today, perhaps not tomorrow: silencing them is never for nothing."""

UNUSED_IGNORE = "LINT_UNUSED_IGNORE"
"""Said of what is silenced for nothing; it cannot be silenced."""

LINT_CODES = (*OF_RULES, *OF_MEMBERS)
