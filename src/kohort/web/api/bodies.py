"""What people and programs send, with examples."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from kohort.web.api.definition_shapes import of_shape

RoleName = Literal["viewer", "marketer", "engineer", "admin"]
Name = Annotated[str, Field(max_length=200)]
Secret = Annotated[str, Field(max_length=2000)]
Folder = Annotated[str, Field(max_length=1000)]
Note = Annotated[str, Field(max_length=2000)]
Instant = Annotated[str, Field(max_length=60, description="2024-01-31, 2024-01-31T10:00Z or now; empty: the instant of the last refresh.")]


class Body(BaseModel):
    """Unknown keys are refused, since a misspelt one would be lost silently; a text is no number and no yes or no."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Login(Body):
    """A name and its password."""

    name: Annotated[Name, Field(examples=["ann@example.com"])]
    password: Annotated[Secret, Field(examples=["correct horse battery"])]


class SetUp(Body):
    """The secret of the one-time link, and the first admin."""

    secret: Annotated[Secret, Field(examples=["Zk3v..."])]
    name: Annotated[Name, Field(examples=["ann@example.com"])]
    password: Annotated[Secret, Field(examples=["correct horse battery"])]


class OwnPassword(Body):
    """The old password and the new one."""

    old: Secret
    new: Secret


_SEGMENT = {"name": "VIP", "folder": "Value", "rule": "lifetime_value > 1000"}


class NewDefinition(Body):
    """A new segment as its file has it, as JSON; note: what it is for, kept with its first version."""

    definition: Annotated[dict[str, Any], WithJsonSchema(of_shape("NewSegmentDefinition")), Field(examples=[_SEGMENT])]
    note: Annotated[Note, Field(examples=["For the spring mailing"])] = ""


class Definition(Body):
    """The whole definition of a segment as its file has it, as JSON: what is left out is gone, but for name and folder.

    note: why it changes, kept with the version.
    """

    definition: Annotated[dict[str, Any], WithJsonSchema(of_shape("SegmentDefinition")), Field(examples=[_SEGMENT])]
    note: Annotated[Note, Field(examples=["Only those who bought lately"])] = ""


class ParentDefinition(Body):
    """A parent segment as its file has it, as JSON."""

    definition: Annotated[
        dict[str, Any],
        WithJsonSchema(of_shape("ParentSegmentDefinition")),
        Field(examples=[{"name": "All Customers", "master": {"database": "shop", "table": "customers", "key_column": "customer_id"}}]),
    ]


class RefreshWish(Body):
    """The instant of the refresh; empty: now."""

    as_of: Annotated[str, Field(max_length=60, examples=["2024-03-01T00:00:00Z"])] = ""


class EvaluationWish(Body):
    """The instant of the evaluation; empty: that of the last refresh."""

    as_of: Annotated[str, Field(max_length=60, examples=["2024-03-01T00:00:00Z"])] = ""


class Place(Body):
    """A new folder ("" is the root), a new name, or both; what is left out stays."""

    folder: Annotated[Folder | None, Field(description="The new folder; empty: the root.", examples=["Marketing/VIP"])] = None
    name: Annotated[Name | None, Field(description="The new name.", examples=["Gold members"])] = None


class OldVersion(Body):
    """The version to go back to."""

    version: Annotated[int, Field(ge=1, lt=2**31, examples=[2])]


class RuleToTry(Body):
    """A rule that need not be saved: either as text, or as a definition."""

    text: Annotated[
        str | None,
        Field(max_length=100_000, description="The rule as text.", examples=["purchase in last 30 days and lifetime_value > 1000"]),
    ] = None
    definition: Annotated[
        Any,
        Field(description="Instead of text: a `SegmentDefinition`, or a `RuleNode` alone. Mistakes in it come as issues.", examples=[None]),
    ] = None
    folder: Annotated[Folder, Field(description="Where it would be: names of segments in it are looked for there first.")] = ""
    segment: Annotated[int | None, Field(ge=1, lt=2**31, description="The id of the saved segment it would replace.")] = None
    as_of: Instant = ""


class Previewed(RuleToTry):
    """The same, and what to show of members and of other segments."""

    columns: Annotated[list[Name], Field(max_length=100, description="Attributes of the sample; none: some, those of the rule first.")] = []
    sample: Annotated[int, Field(ge=0, le=100, description="How many members to show.")] = 10
    overlaps: Annotated[int, Field(ge=0, le=100, description="With how many segments to compare, those that share most.")] = 20


class Explained(RuleToTry):
    """The same, and the customer: a master key or a cdp_customer_id."""

    key: Annotated[str, Field(max_length=2000, description="A master key or a cdp_customer_id.", examples=["c042"])]
    evidence: Annotated[int, Field(ge=0, le=100, description="How many rows a condition shows at most.")] = 5


class AddedSource(Body):
    """A new source."""

    name: Annotated[Name, Field(description="What people call it.", examples=["Web Shop"])]
    # `schema` is what people call it; pydantic keeps that name for itself
    schema_name: Annotated[
        Name, Field(alias="schema", description="The database of its tables; empty: made of the name.", examples=["web_shop"])
    ] = ""
    naming: Annotated[Literal["segment", "rudderstack"], Field(description="How tables and columns are called.")] = "segment"
    accept_unknown_keys: Annotated[bool, Field(description="Take calls whose key no source has; one source may.")] = False
    rate_limit: Annotated[int | None, Field(ge=1, le=1_000_000, description="Requests a second; null: the server's.")] = None


class ChangedSource(Body):
    """What to change of a source; what is left out stays."""

    status: Annotated[Literal["enabled", "disabled"] | None, Field(description="Calls to a disabled source are refused.")] = None
    accept_unknown_keys: Annotated[bool | None, Field(description="Take calls whose key no source has; one source may.")] = None
    rate_limit: Annotated[int | None, Field(ge=0, le=1_000_000, description="Requests a second; 0: the server's.")] = None


class NewKey(Body):
    """A new write key."""

    grace: Annotated[str, Field(max_length=20, description="How long older keys stay valid: 30m, 24h, 7d, 0.", examples=["24h"])] = "0"


class AddedUser(Body):
    """A new user. Without a password only API tokens can be used."""

    name: Annotated[Name, Field(examples=["bob@example.com"])]
    role: Annotated[RoleName, Field(description="What they may do, everywhere or where grants say.")] = "viewer"
    password: Annotated[Secret, Field(description="10 characters at least; empty: only API tokens can be used.")] = ""


class ChangedUser(Body):
    """What to change of a user; what is left out stays."""

    role: Annotated[RoleName | None, Field(description="Another role.")] = None
    disabled: Annotated[bool | None, Field(description="Who is disabled is signed out, and their tokens are refused.")] = None


class NewPassword(Body):
    """A user's new password."""

    password: Secret


class NewGrant(Body):
    """What the user may in one parent segment, or in a folder of it and below."""

    parent: Annotated[Name, Field(description="A parent segment: slug or id.", examples=["all-customers"])]
    folder: Annotated[Folder, Field(description="A folder and those below; empty: all of it.", examples=["Marketing"])] = ""
    role: Annotated[RoleName, Field(description="What they may do there.")]


class Grants(Body):
    """All grants of a user; none: the role holds everywhere."""

    grants: Annotated[list[NewGrant], Field(max_length=500)]


class AddedToken(Body):
    """A new API token of one's own."""

    name: Annotated[Name, Field(description="What it is for.", examples=["nightly job"])]
    role: Annotated[RoleName | None, Field(description="What it may do; left out: as much as one may oneself.")] = None
    days: Annotated[int | None, Field(ge=1, le=3650, description="How long it holds; null: until it is revoked.")] = 90
