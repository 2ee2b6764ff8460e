"""Where a refresh puts its tables in the warehouse. Everybody who reads or writes them asks here.

    cdp_audience_<id>            what people and other tools see: views `customers`, `behavior_<slug>`
    cdp_audience_<id>_r<n>       the tables of refresh n: `profiles`, `behavior_<slug>`, in ordinal order
    cdp_audience_<id>_keys       `ordinals(key, ordinal)`: append-only, an ordinal is for life

`profiles`: ordinal INTEGER, cdp_customer_id VARCHAR, then the attributes.
`behavior_<slug>`: ordinal INTEGER, the behavior's fields, "timestamp" TIMESTAMP (UTC), arrival BIGINT (order of arrival),
sorted by (ordinal, timestamp, arrival).

The view `customers` has cdp_customer_id and the attributes; a view `behavior_<slug>` has cdp_customer_id, the behavior's
fields, "timestamp", "time" BIGINT (whole Unix seconds) and arrival (which settles First and Last among rows of one instant).
"""

from __future__ import annotations

import re

from kohort.parent.definition import TableRef

CUSTOMER_ID = "cdp_customer_id"
ORDINAL = "ordinal"
ARRIVAL = "arrival"
TIMESTAMP = "timestamp"
_BUILT = re.compile(r"(cdp_audience_\d+|kohort)(_.*)?", re.IGNORECASE)


def is_built(database: str) -> bool:
    """Whether refreshes or the server build what is in a database; a parent segment is made of the other ones.

    >>> is_built("cdp_audience_1"), is_built("cdp_audience_1_r2"), is_built("kohort_events"), is_built("cdp_audience"), is_built("shop")
    (True, True, True, False, False)
    """
    return _BUILT.fullmatch(database) is not None


def output_database(parent_id: int) -> str:
    """The database other tools read."""
    return f"cdp_audience_{parent_id}"


def refresh_database(parent_id: int, number: int) -> str:
    """The database that holds the tables of one refresh."""
    return f"cdp_audience_{parent_id}_r{number}"


def keys_table(parent_id: int) -> TableRef:
    """The key map: master key as text -> ordinal."""
    return TableRef(f"cdp_audience_{parent_id}_keys", "ordinals")


def profiles_table(parent_id: int, number: int) -> TableRef:
    return TableRef(refresh_database(parent_id, number), "profiles")


def behavior_table(parent_id: int, number: int, slug: str) -> TableRef:
    return TableRef(refresh_database(parent_id, number), f"behavior_{slug}")
