"""What a segment is: a rule over one parent segment, in a folder, perhaps inside another segment, perhaps split in variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kohort.rules.ast import EVERYBODY, NO_EXTRAS, Extras, Rule

Kind = Literal["batch", "realtime", "funnel_stage"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of an A/B test. `ratio` is a percentage of the segment, above 0."""

    name: str
    ratio: int | float


@dataclass(frozen=True, slots=True)
class ABTest:
    """Splits a segment by a stable hash of (test id, value of the key column).

    Up to 8 variants take the hash line from 0 upwards in order; `control` (0 = none) takes it from 100 downwards; what is
    between belongs to nobody. So a variant added at the end, or a changed name, moves nobody else.
    test_id "" means: the segment's name. key_column "" means: the master key. name: what the variants' names end with; "" means
    the segment's name.
    """

    variants: tuple[Variant, ...]
    control: int | float = 0
    control_name: str = "Control"
    test_id: str = ""
    key_column: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as written. `folder` is "" at the root, else names joined by "/"; `base` is the path or name of the
    segment inside which this one is evaluated and of which it shows its share. `lint_ignore`: codes of findings that are meant so."""

    name: str
    folder: str = ""
    rule: Rule = EVERYBODY
    description: str = ""
    kind: Kind = "batch"
    visible: bool = True
    base: str = ""
    ab_test: ABTest | None = None
    activations: Extras = NO_EXTRAS  # {"activations": [...]} as written; interpreted when activation lands
    extras: Extras = NO_EXTRAS
    lint_ignore: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def variant_paths(self) -> tuple[str, ...]:
        """Paths of the variants: `<path>/A-<test>`, ..., `<path>/Control-<test>`; the test has the segment's name if none of its own."""
        if self.ab_test is None:
            return ()
        names = [variant.name for variant in self.ab_test.variants]
        if self.ab_test.control:
            names.append(self.ab_test.control_name)
        return tuple(f"{self.path}/{name}-{self.ab_test.name or self.name}" for name in names)
