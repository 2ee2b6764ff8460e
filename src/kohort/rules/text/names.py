"""What the names in a text rule stand for, as far as a catalog tells."""

from __future__ import annotations

from dataclasses import dataclass

from kohort.foundation.issues import did_you_mean
from kohort.parent.catalog import FieldCatalog
from kohort.rules.text.cursor import Cursor
from kohort.rules.text.tokens import Token


@dataclass(frozen=True, slots=True)
class Names:
    """Attributes and behaviors by name. Without a catalog every name is accepted."""

    cursor: Cursor
    catalog: FieldCatalog | None

    def only_attribute(self, name: str) -> bool:
        """True when the catalog knows an attribute, and no behavior, of that name."""
        return self.catalog is not None and name in self.catalog.attribute and name not in self.catalog.behavior

    def only_behavior(self, name: str) -> bool:
        """True when the catalog knows a behavior, and no attribute, of that name."""
        return self.catalog is not None and name in self.catalog.behavior and name not in self.catalog.attribute

    def boolean_attribute(self, name: str) -> bool:
        return self.catalog is not None and self.only_attribute(name) and self.catalog.attribute[name].type == "boolean"

    def check_attribute(self, token: Token, name: str) -> None:
        """Report a name that is not an attribute."""
        catalog = self.catalog
        if catalog is None or name in catalog.attribute:
            return
        hint = did_you_mean(name, [*catalog.attribute, *catalog.behavior])
        if name in catalog.behavior:
            hint = f"it is a behavior: write {token.shown} count >= 1"
        self.cursor.report("UNKNOWN_ATTRIBUTE", token, f'there is no attribute "{name}"', hint)

    def check_behavior(self, token: Token, name: str) -> None:
        """Report a name that is not a behavior."""
        catalog = self.catalog
        if catalog is None or name in catalog.behavior:
            return
        hint = did_you_mean(name, [*catalog.behavior, *catalog.attribute])
        if name in catalog.attribute:
            hint = f"it is an attribute: write {token.shown} and a test such as = 'Gold' or is null"
        elif name.startswith("behavior_") and name.removeprefix("behavior_") in catalog.behavior:
            hint = f'write it without the prefix: "{name.removeprefix("behavior_")}"'
        self.cursor.report("UNKNOWN_BEHAVIOR", token, f'there is no behavior "{name}"', hint)

    def check_column(self, token: Token, behavior: str, name: str) -> None:
        """Report a name that is not a column of the behavior (a column of an unknown behavior is left alone)."""
        catalog = self.catalog
        if catalog is None or behavior not in catalog.behavior or name in catalog.behavior[behavior].by_name:
            return
        hint = did_you_mean(name, catalog.behavior[behavior].by_name)
        if name in catalog.attribute:
            hint = f"it is an attribute: close the behavior in parentheses first, like ({behavior} where ...) and {name} ..."
        self.cursor.report("UNKNOWN_COLUMN", token, f'the behavior "{behavior}" has no column "{name}"', hint)
