"""Who may do what: one table of actions with the least role each needs, and what grants narrow it to.

Pages, fragments and the API all ask `require` here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kohort.foundation.errors import UserError
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.ports.users import ROLES, Grant, Role

Scope = Literal["everywhere", "parent", "part", "folder"]
"""Where a grant must be for somebody who has grants: everywhere: anywhere at all; parent: over the whole parent segment;
part: anywhere in it; folder: over the folder."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. role: the least that may."""

    role: Role
    scope: Scope
    text: str


ACTIONS: Mapping[str, Action] = {
    "me.read": Action("viewer", "everywhere", "see who one is, and sign out"),
    "me.change": Action("viewer", "everywhere", "change one's own password"),
    "parents.list": Action("viewer", "everywhere", "list the parent segments one may see"),
    "parents.read": Action("viewer", "part", "see a parent segment, its fields, refreshes and runs"),
    "parents.write": Action("engineer", "parent", "change the definition of a parent segment"),
    "parents.add": Action("engineer", "everywhere", "add a parent segment"),
    "parents.refresh": Action("engineer", "parent", "refresh a parent segment"),
    "parents.evaluate": Action("marketer", "parent", "evaluate all segments of a parent segment"),
    "values.read": Action("viewer", "part", "see which values fields have"),
    "segments.list": Action("viewer", "part", "list the segments and folders one may see"),
    "segments.read": Action("viewer", "folder", "see a segment, its versions, history and why somebody is in it"),
    "segments.write": Action("marketer", "folder", "create, change, move, revert and delete segments"),
    "rules.try": Action("viewer", "part", "preview, count and explain rules that are not saved"),
    "members.read": Action("viewer", "folder", "look at members of a segment"),
    "members.export": Action("marketer", "folder", "download all members of a segment"),
    "profiles.read": Action("viewer", "parent", "search and look at profiles"),
    "pii.read": Action("engineer", "part", "see the values of columns marked pii"),
    "runs.list": Action("viewer", "everywhere", "list the runs of the parent segments one may see"),
    "sources.read": Action("viewer", "everywhere", "see sources and how they are doing"),
    "sources.write": Action("engineer", "everywhere", "add, change, disable sources and rotate their keys"),
    "settings.read": Action("engineer", "everywhere", "see the settings of the server and how it is doing"),
    "tokens.own": Action("viewer", "everywhere", "see, add and revoke one's own API tokens"),
    "tokens.all": Action("admin", "everywhere", "see and revoke everybody's API tokens"),
    "users.read": Action("admin", "everywhere", "see users and their grants"),
    "users.write": Action("admin", "everywhere", "add and change users and their grants"),
    "warehouse.use": Action("admin", "everywhere", "use the warehouse as commands beside the server do"),
    "audit.read": Action("admin", "everywhere", "read the audit log"),
}


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may. role: at most; grants: none = everywhere. Grants do not narrow an admin."""

    role: Role
    grants: tuple[Grant, ...] = ()

    @property
    def is_limited(self) -> bool:
        """Whether there are places that are not for them."""
        return bool(self.grants) and self.role != "admin"

    def may(self, action: str, parent_id: int | None = None, folder: str = "") -> bool:
        """Whether an action is allowed: in general (no parent segment), or at a place."""
        needed = ACTIONS[action]
        if not self.is_limited:
            return _reaches(self.role, needed.role)
        if parent_id is None or needed.scope == "everywhere":
            return any(_reaches(lower(self.role, grant.role), needed.role) for grant in self.grants)
        return any(_reaches(lower(self.role, role), needed.role) for role in self._roles(needed.scope, parent_id, folder))

    def _roles(self, scope: Scope, parent_id: int, folder: str) -> Sequence[Role]:
        here = [grant for grant in self.grants if grant.parent_id == parent_id]
        match scope:
            case "part":
                return [grant.role for grant in here]
            case "parent":
                return [grant.role for grant in here if not grant.folder]
            case _:
                around = [grant for grant in here if not grant.folder or f"{folder}/".startswith(f"{grant.folder}/")]
                return [max(around, key=lambda grant: len(grant.folder)).role] if around else []

    def require(self, action: str, parent_id: int | None = None, folder: str = "") -> None:
        """Raises UserError FORBIDDEN."""
        if not self.may(action, parent_id, folder):
            needed = ACTIONS[action]
            granted = _reaches(self.role, needed.role)
            hint = "your grants are for other places: ask an admin" if granted else f"it takes the role {needed.role}: ask an admin"
            raise UserError("FORBIDDEN", f"you may not {needed.text}{' here' if granted else ''}", hint=hint)


def lower(first: Role, second: Role) -> Role:
    """The one of two roles that may less."""
    return min(first, second, key=ROLES.index)


def _reaches(role: Role, needed: Role) -> bool:
    return ROLES.index(role) >= ROLES.index(needed)


def is_hidden(field: Field, access: Access, parent_id: int) -> bool:
    """Whether the values of a field are not for somebody: blocked ones for nobody, personal data for those who may see it there."""
    return field.visibility == "blocked" or (field.visibility == "pii" and not access.may("pii.read", parent_id))


def hidden_attributes(catalog: FieldCatalog, access: Access, parent_id: int) -> frozenset[str]:
    """The attributes of a parent segment whose values are not for somebody."""
    return frozenset(field.name for field in catalog.attributes if is_hidden(field, access, parent_id))


def hidden_columns(behavior: Behavior, access: Access, parent_id: int) -> frozenset[str]:
    """The same of the columns of a behavior."""
    return frozenset(field.name for field in behavior.fields if is_hidden(field, access, parent_id))
