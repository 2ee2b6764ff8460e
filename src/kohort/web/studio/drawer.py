"""The drawer of one profile: what it is and did, its segments with since when, and why it is in a segment or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from kohort.foundation.errors import InvalidInput, UserError
from kohort.parent.catalog import Field, FieldCatalog
from kohort.ports.definitions import ParentRecord
from kohort.services.access import hidden_attributes, hidden_columns
from kohort.services.evaluation.evaluate import Engine, resolve_path
from kohort.services.insight.explain import explain_segment
from kohort.services.membership.history import ProfileHistory, ProfilePoint, profile_history
from kohort.services.profiles.card import BehaviorRow, ProfileCard, profile_card
from kohort.web.api.desk import Desk
from kohort.web.api.masking import explanation_for
from kohort.web.studio.explained import Words
from kohort.web.studio.profile_list import Asked, View, address_of
from kohort.web.studio.values import Values

_NAMES = (("name",), ("full_name",), ("first_name", "last_name"), ("display_name",))
_EVIDENCE = 5
OPEN_DAYS = 5
"""How many days of behaviors are open at first."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a profile; text "": no value."""

    name: str
    title: str
    text: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Drawer:
    """A profile as its drawer shows it. address: of the list below it; problem: why there is nothing to show.

    segment: the path that is explained, "" while none is chosen. own: whether profiles as a whole may be seen, not just members.
    """

    desk: Desk
    record: ParentRecord
    catalog: FieldCatalog
    address: str
    asked: Asked
    view: View
    own: bool
    values: Values
    segment: str = ""
    explainable: tuple[str, ...] = ()
    card: ProfileCard | None = None
    history: ProfileHistory | None = None
    words: Words | None = None
    problem: UserError | None = None

    def to(self, **changes: Any) -> str:
        """The address of the same page with another view of the drawer."""
        return address_of(self.address, self.asked, **{"rows": 20, **changes})

    @property
    def closed(self) -> str:
        """The address without the drawer."""
        return self.to(profile="", view="", explain="")

    @property
    def hidden(self) -> frozenset[str]:
        return hidden_attributes(self.catalog, self.desk.access, self.record.id)

    @property
    def title(self) -> str:
        """What people call the customer: their name where it may be seen, else the key."""
        known = self._texts()
        named = next((" ".join(known[part] for part in parts) for parts in _NAMES if all(known.get(part) for part in parts)), "")
        return named or self.key

    @property
    def key(self) -> str:
        """The master key, or the cdp_customer_id where keys are personal data."""
        if self.card is None:
            return self.asked.profile
        return self.card.customer_id if self.card.key_column in self.hidden else self.card.key

    @property
    def subtitle(self) -> str:
        return self._texts().get("email", "")

    def _texts(self) -> Mapping[str, str]:
        attributes = self.card.attributes if self.card else ()
        return {field.name.lower(): str(value) for field, value in attributes if value is not None and field.name not in self.hidden}

    @property
    def groups(self) -> list[tuple[str, list[Attribute]]]:
        """Attributes by their headings, in the order of the parent segment."""
        attributes = self.card.attributes if self.card else ()
        return [(name, [self._attribute(*item) for item in of_group]) for name, of_group in groupby(attributes, lambda item: item[0].group)]

    def _attribute(self, field: Field, value: Any) -> Attribute:
        locked = field.name in self.hidden
        return Attribute(field.name, field.label or field.name, "" if locked else self.values.cell(value), locked)

    def shown(self, row: BehaviorRow) -> list[tuple[str, str, bool]]:
        """(column, text, locked) of what a customer did."""
        hidden = hidden_columns(self.catalog.behavior[row.behavior], self.desk.access, self.record.id)
        return [(name, "" if name in hidden else self.values.cell(value), name in hidden) for name, value in row.values.items()]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How often the customer did what, most frequent first."""
        counts = self.card.behavior_counts if self.card else {}
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    @property
    def more_rows(self) -> int:
        """How many rows are not shown."""
        return sum(count for _, count in self.counts) - sum(len(rows) for _, rows in self.card.days) if self.card else 0

    @property
    def changes(self) -> list[ProfilePoint]:
        """Evaluations at which something changed, newest first; the oldest one says where it began."""
        points = self.history.points if self.history else ()
        return [point for place, point in enumerate(points) if not place or self.seen(point.entered) or self.seen(point.left)][::-1]

    def seen(self, paths: Sequence[str]) -> list[str]:
        """The segments among these that may be shown."""
        return [path for path in paths if self.desk.sees(self.record, path)]

    @property
    def lines(self) -> list[str]:
        """The problem in words."""
        error = self.problem
        if error is None:
            return []
        if isinstance(error, InvalidInput):
            return [f"{issue.message}. {issue.hint}".strip() for issue in error.issues.errors]
        return [error.message, *([error.hint] if error.hint else [])]


def drawer_of(desk: Desk, record: ParentRecord, engine: Engine, address: str, asked: Asked, target: str) -> Drawer | None:
    """The drawer that an address asks for; None: none. target: the segment or variant whose members are listed, "" for everybody."""
    if not asked.profile:
        return None
    own = desk.access.may("profiles.read", record.id)
    view: View = asked.view if own else "why"
    values = Values(ZoneInfo(engine.catalog.timezone))
    common: dict[str, Any] = {
        "desk": desk,
        "record": record,
        "catalog": engine.catalog,
        "address": address,
        "asked": asked,
        "view": view,
        "own": own,
        "values": values,
        "segment": asked.explain or target,
        "explainable": tuple(sorted(path for path in engine.graph.owners if _may_explain(desk, record, engine, path))),
    }
    return _filled(lambda: Drawer(**common, **_content(desk, record, engine, asked, view, target)), common)


def _filled(build: Callable[[], Drawer], common: dict[str, Any]) -> Drawer:
    try:
        return build()
    except UserError as error:
        return Drawer(**common, problem=error)


def _content(desk: Desk, record: ParentRecord, engine: Engine, asked: Asked, view: View, target: str) -> dict[str, Any]:
    kohort = desk.kohort
    if view == "segments":
        history = profile_history(engine.warehouse, kohort.store, kohort.snapshots, record, asked.profile)
        return {"history": history, "card": _card_if_any(desk, engine, asked)}
    if view == "why":
        return {"words": _words(desk, record, engine, asked, target), "card": _card(desk, engine, asked, 0)}
    return {"card": _card(desk, engine, asked, asked.rows)}


def _card(desk: Desk, engine: Engine, asked: Asked, recent: int) -> ProfileCard:
    return profile_card(engine, desk.kohort.store, desk.kohort.snapshots, asked.profile, recent=recent)


def _card_if_any(desk: Desk, engine: Engine, asked: Asked) -> ProfileCard | None:
    """The card; None for somebody who is not in the last refresh any more."""
    try:
        return _card(desk, engine, asked, 0)
    except UserError as error:
        if error.code != "PROFILE_NOT_FOUND":
            raise
        return None


def _words(desk: Desk, record: ParentRecord, engine: Engine, asked: Asked, target: str) -> Words | None:
    wanted = asked.explain or target
    if not wanted:
        return None
    path = resolve_path(engine, wanted)
    if not _may_explain(desk, record, engine, path):
        raise UserError("SEGMENT_NOT_FOUND", f'there is no segment "{wanted}"', hint="ask an admin whether you may see it")
    found = explain_segment(engine, path, asked.profile, evidence=_EVIDENCE)
    document = explanation_for(desk, record, engine, found)
    return Words(document, Values(ZoneInfo(engine.catalog.timezone)))


def _may_explain(desk: Desk, record: ParentRecord, engine: Engine, path: str) -> bool:
    folder = engine.graph.owners[path].rpartition("/")[0]
    return all(desk.access.may(action, record.id, folder) for action in ("segments.read", "members.read"))
