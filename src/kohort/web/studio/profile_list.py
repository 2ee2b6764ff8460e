"""A list of profiles as its pages show it: which columns, which page, and the address of every other view of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from kohort.parent.catalog import Field as CatalogField
from kohort.services.access import Access, hidden_attributes
from kohort.services.evaluation.evaluate import Engine
from kohort.services.profiles.pages import ProfilePage, ProfileRow, profile_page
from kohort.web.api.pages import read_number, write_cursor
from kohort.web.studio.values import Values

ROWS_A_PAGE = 50
_SHOWN_AT_FIRST = 6
View = Literal["", "why", "segments"]


class Asked(BaseModel):
    """What the address of a list asks for. profile: whose drawer is open; part: only a part of the page."""

    search: Annotated[str, Field(max_length=500)] = ""
    cursor: Annotated[str, Field(max_length=2000)] = ""
    column: Annotated[list[Annotated[str, Field(max_length=600)]], Field(max_length=500)] = []
    variant: Annotated[str, Field(max_length=600)] = ""
    profile: Annotated[str, Field(max_length=2000)] = ""
    view: View = ""
    explain: Annotated[str, Field(max_length=1300)] = ""
    rows: Annotated[int, Field(ge=1, le=500)] = 20
    part: Literal["", "drawer"] = ""


@dataclass(frozen=True, slots=True)
class Column:
    """An attribute and whether its values are not for the one who looks."""

    field: CatalogField
    locked: bool
    chosen: bool

    @property
    def title(self) -> str:
        return self.field.label or self.field.name


@dataclass(frozen=True, slots=True)
class ProfileList:
    """A page of profiles. key_locked: keys are personal data here, so profiles go by their cdp_customer_id."""

    address: str
    asked: Asked
    page: ProfilePage
    columns: tuple[Column, ...]
    key_column: str
    key_locked: bool
    values: Values

    @property
    def chosen(self) -> list[Column]:
        return [column for column in self.columns if column.chosen]

    @property
    def first(self) -> int:
        """The place of the first row among all, from 1."""
        return self.page.earlier + 1

    @property
    def last(self) -> int:
        return self.page.earlier + len(self.page.rows)

    def name_of(self, row: ProfileRow) -> str:
        """What a profile is called in addresses."""
        return row.customer_id if self.key_locked else row.key

    def cell(self, row: ProfileRow, column: Column) -> str:
        return self.values.cell(row.attributes[column.field.name])

    def to(self, **changes: Any) -> str:
        """The address with something changed; what is as at first is left out."""
        return address_of(self.address, self.asked, **changes)

    @property
    def following(self) -> str | None:
        """The address of the next page."""
        return self.to(cursor=write_cursor(self.page.rows[-1].ordinal), profile="", view="") if self.page.has_more else None

    @property
    def preceding(self) -> str | None:
        """The address of the page before."""
        before = self.page.previous
        return None if before is None else self.to(cursor="" if before < 0 else write_cursor(before), profile="", view="")


def address_of(base: str, asked: Asked, **changes: Any) -> str:
    """An address that asks for the same with something changed; without `part`, so that it is always a whole page.

    >>> address_of("/a", Asked(search="c0", column=["age", "tier"]), profile="c 1")
    '/a?search=c0&column=age&column=tier&profile=c+1'
    """
    wanted = {**asked.model_dump(exclude_defaults=True), **changes}
    plain = Asked().model_dump()
    pairs = [(name, wanted[name]) for name in plain if name in wanted and name != "part" and wanted[name] != plain[name]]
    return f"{base}?{urlencode(pairs, doseq=True)}" if pairs else base


def list_profiles(engine: Engine, access: Access, address: str, asked: Asked, target: str | None) -> ProfileList:
    """The page that is asked for: of members of a segment or variant, or (None) of everybody."""
    hidden = hidden_attributes(engine.catalog, access, engine.parent.id)
    locked = engine.key_column in hidden
    shown = asked.column or _shown_at_first(engine.catalog.attributes, engine.key_column)
    wanted = [field.name for field in engine.catalog.attributes if field.name in shown and field.name not in hidden]
    after, text = read_number(asked.cursor, -1), asked.search.strip()
    page = profile_page(engine, target, search=text, by_key=not locked, after=after, limit=ROWS_A_PAGE, columns=wanted)
    columns = tuple(
        Column(field, field.name in hidden, field.name in shown) for field in engine.catalog.attributes if field.name != engine.key_column
    )
    return ProfileList(address, asked, page, columns, engine.key_column, locked, Values(ZoneInfo(engine.catalog.timezone)))


def _shown_at_first(fields: Sequence[CatalogField], key_column: str) -> list[str]:
    return [field.name for field in fields if field.name != key_column and field.visibility != "blocked"][:_SHOWN_AT_FIRST]
