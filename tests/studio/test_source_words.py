"""What pages of sources say of tables and of the last call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kohort.ports.sources import SourceRecord
from kohort.services.sources.status import SourceState
from kohort.web.studio.pages.sources import SourceView, doing_of, table_kinds

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SOURCE = SourceRecord(
    1, "Site", "site", "segment", "enabled", False, None, created_at=NOW, created_by="ann", updated_at=NOW, updated_by="ann"
)


def state_of(**known: Any) -> SourceState:
    return SourceState(SOURCE, (), NOW, **known)


def test_tables_of_identity_are_not_taken_for_events() -> None:
    tables = {
        "id_graph_updates": 4,
        "order_completed": 2,
        "tracks": 2,
        "identity_demotions": 0,
        "external_id_mapping_updates": 9,
        "rejects": 1,
    }
    kinds = table_kinds(state_of(tables=tables))
    assert [name for name, _, _ in kinds] == [
        "tracks",
        "order_completed",
        "external_id_mapping_updates",
        "id_graph_updates",
        "identity_demotions",
        "rejects",
    ]
    assert [text.startswith("identity:") for _, text, _ in kinds] == [False, False, True, True, True, False]


@pytest.mark.parametrize(
    ("known", "said"),
    [({}, "never"), ({"loaded": 3}, "before the server began"), ({"loaded": 3, "last_call_at": NOW}, "")],
)
def test_the_last_call_is_never_said_not_to_have_been(known: dict[str, Any], said: str) -> None:
    state = state_of(**known)
    assert SourceView(SOURCE, state, doing_of(state), None, "").last_call == said
