"""Values of some profiles by ordinal, read from the profile index alone: no warehouse is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kohort.parent.layout import CUSTOMER_ID
from kohort.services.evaluation.evaluate import Engine
from kohort.services.evaluation.profile_keys import customer_id


def index_values(engine: Engine, names: Sequence[str], ordinals: Sequence[int]) -> list[tuple[Any, ...]] | None:
    """The attributes (and cdp_customer_id) of the profiles with these ordinals, as queries give them.

    None when the refresh has no index, or not all that was asked for is in it.
    """
    from kohort.index.rows import value_at

    index = engine.index
    if index is None or any(name not in index.attributes for name in names if name != CUSTOMER_ID):
        return None
    key_text = engine.key_text
    if key_text is None and CUSTOMER_ID in names:
        return None

    def value(name: str, ordinal: int) -> Any:
        if name != CUSTOMER_ID:
            return value_at(index.attributes[name], ordinal)
        assert key_text is not None
        return customer_id(key_text(ordinal))

    return [tuple(value(name, ordinal) for name in names) for ordinal in ordinals]
