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
    """One thing to do. role: the least that may; text: as it is said after "you may not"; to change is also to add, move and delete."""

    role: Role
    scope: Scope
    text: str


ACTIONS: Mapping[str, Action] = {
    "me.read": Action("viewer", "everywhere", "see who you are"),
    "me.change": Action("viewer", "everywhere", "change your password"),
    "parents.list": Action("viewer", "everywhere", "list parent segments"),
    "parents.read": Action("viewer", "part", "see parent segments, their fields, refreshes and runs"),
    "parents.write": Action("engineer", "parent", "change parent segments"),
    "parents.add": Action("engineer", "everywhere", "add parent segments"),
    "parents.refresh": Action("engineer", "parent", "refresh parent segments"),
    "parents.evaluate": Action("marketer", "parent", "evaluate segments"),
    "values.read": Action("viewer", "part", "see which values fields have"),
    "segments.list": Action("viewer", "part", "list segments and folders"),
    "segments.read": Action("viewer", "folder", "see segments, their versions, history and why somebody is in them"),
    "segments.write": Action("marketer", "folder", "change segments"),
    "rules.try": Action("viewer", "part", "try rules that are not saved"),
    "members.read": Action("viewer", "folder", "look at members of segments"),
    "members.export": Action("marketer", "folder", "download members of segments"),
    "profiles.read": Action("viewer", "parent", "look at profiles"),
    "pii.read": Action("engineer", "part", "see the values of columns marked pii"),
    "runs.list": Action("viewer", "everywhere", "list runs"),
    "sources.read": Action("viewer", "everywhere", "see sources and how they are doing"),
    "sources.write": Action("engineer", "everywhere", "change sources"),
    "settings.read": Action("engineer", "everywhere", "see the settings of the server and how it is doing"),
    "tokens.own": Action("viewer", "everywhere", "use API tokens of your own"),
    "tokens.all": Action("admin", "everywhere", "see API tokens of others"),
    "users.read": Action("admin", "everywhere", "see users and their grants"),
    "users.write": Action("admin", "everywhere", "change users and their grants"),
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
        if self.may(action, parent_id, folder):
            return
        needed = ACTIONS[action]
        if not _reaches(self.role, needed.role):
            raise UserError("FORBIDDEN", f"you may not {needed.text}", hint=f"it takes the role {needed.role}: ask an admin")
        place = " here" if parent_id is not None else ""
        if parent_id is not None and not self._roles(needed.scope, parent_id, folder):
            raise UserError("FORBIDDEN", f"you may not {needed.text} here", hint="your grants are for other places: ask an admin")
        hint = f"it takes the role {needed.role}{place}, and your grants give less: ask an admin"
        raise UserError("FORBIDDEN", f"you may not {needed.text}{place}", hint=hint)


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
