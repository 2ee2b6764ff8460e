"""JSON Schemas of segments and rules: kinds, types, operators and limits come from the tables that readers of definitions use.

They say what may be written where. Whether names exist, types fit and references lead somewhere is told by issues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kohort.rules.decode.behaviors import AGGREGATIONS
from kohort.rules.decode.conditions import GROUPS, REFERENCES
from kohort.rules.lint_codes import LINT_CODES
from kohort.rules.operators import OPERATORS
from kohort.segments.codec import KEPT_KEYS, KINDS, MAX_NAME, MAX_VARIANTS, TYPES

Schema = dict[str, Any]
TEXT: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": ["boolean", "null"]}
ANYTHING: Schema = {}
_LEAVES = ("Value", "include", "exclude", "Sequence", *REFERENCES)


def described(schema: Mapping[str, Any], text: str) -> Schema:
    """The same with words for people."""
    return {**schema, "description": text}


def one_of(names: Iterable[str]) -> Schema:
    """One of these words; null counts as left out."""
    return {"enum": [*names, None]}


def mapping(properties: Mapping[str, Schema], text: str, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A mapping that has no other keys."""
    found: Schema = {"type": "object", "description": text, "properties": dict(properties), "additionalProperties": False, **more}
    return {**found, "required": list(required)} if required else found


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def segment_shapes() -> dict[str, Schema]:
    """Name -> schema."""
    return {
        "SegmentDefinition": _segment(),
        "NewSegmentDefinition": {"allOf": [ref("SegmentDefinition"), {"required": ["name"]}], "description": "A segment with its name."},
        "ABTest": _ab_test(),
        "Rule": _rule(),
        "RuleNode": _node(),
        "RuleOperator": _operator(),
    }


def _segment() -> Schema:
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": "^[^/]+$"}
    properties = {
        "name": described(name, "Unique in its folder. When saving: left out, the name it has; another one takes a move."),
        "folder": described(TEXT, "Where it is: `Marketing/VIP`; empty: the root. When saving: left out, the folder it is in."),
        "description": described(TEXT, "For people; changing it makes no new version."),
        "rule": described(nullable(ref("Rule")), "Who is in it; left out: everybody."),
        "base": described(TEXT, "Another segment, inside which this one is evaluated: path, name or id."),
        "ab_test": described(nullable(ref("ABTest")), "Splits it into variants."),
        "kind": described(one_of(KINDS), "Kept and shown; all are evaluated alike."),
        "type": described(one_of(TYPES), "Of the file; without effect."),
        "visible": described(FLAG, "Kept as written, without effect."),
        "activations": described({"type": ["array", "null"], "items": {"type": "object"}}, "Kept as written, without effect."),
        "lint": described(nullable(_lint()), "Findings that are meant so."),
        "extras": described({"type": ["object", "null"]}, "What other tools wrote; kept, without effect."),
        **dict.fromkeys(sorted(KEPT_KEYS), described(ANYTHING, "Written by another system; kept, without effect.")),
    }
    example = {"name": "VIP", "folder": "Value", "rule": "lifetime_value > 1000 and purchase in last 30 days"}
    return mapping(properties, "A segment as its file has it.", examples=[example])


def _lint() -> Schema:
    code = {"enum": list(LINT_CODES)}
    ignored = {"anyOf": [code, {"type": "array", "items": code}, {"type": "null"}]}
    return mapping({"ignore": described(ignored, "Codes that `/lint` no longer tells.")}, "Findings that are silenced.")


def _ab_test() -> Schema:
    ratio = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
    control_ratio = {"type": "number", "minimum": 0, "maximum": 100}
    name = {"type": "string", "minLength": 1}
    variant = mapping({"name": name, "ratio": described(ratio, "A percentage.")}, "One variant.", ("name", "ratio"))
    control = mapping({"name": name, "ratio": control_ratio}, "The control group.", ("ratio",))
    properties = {
        "variants": {"type": "array", "items": variant, "minItems": 1, "maxItems": MAX_VARIANTS},
        "control": described({"anyOf": [control_ratio, control, {"type": "null"}]}, "Its percentage, or name and percentage."),
        "name": described(TEXT, "What is added to names of variants in paths: `A-Offer`."),
        "key_column": described(TEXT, "The attribute that decides where a customer falls; left out: the master key."),
        "id": described(TEXT, "Two tests with one id split alike."),
    }
    example = {"variants": [{"name": "A", "ratio": 45}, {"name": "B", "ratio": 45}], "control": 10}
    return mapping(properties, "A split into variants; percentages add up to 100 at most.", ("variants",), examples=[example])


def _rule() -> Schema:
    return {
        "description": "A rule: text such as `country = 'US' and purchase in last 30 days`, or a tree of conditions.",
        "anyOf": [{"type": "string", "examples": ["lifetime_value > 1000"]}, ref("RuleNode")],
    }


def _node() -> Schema:
    groups = "; ".join(f"`{key}`: {said}" for key, said in zip(GROUPS, ("all hold", "any holds", "as `expr` says"), strict=True))
    value = {"type": "Value", "attribute": "lifetime_value", "operator": {"type": "Greater", "value": 1000}}
    return {
        "type": "object",
        "description": (
            f"A group of conditions ({groups}) or one condition: `Value` tests an attribute, or with `source` the events of a behavior; "
            "`include` and `exclude` ask for members of another segment; `Sequence` for events in an order."
        ),
        "properties": rule_keys(),
        "additionalProperties": True,
        "examples": [{"type": "And", "conditions": [value, "purchase in last 30 days"]}],
    }


def rule_keys() -> dict[str, Schema]:
    """What groups and conditions are written with."""
    return {
        "type": described(one_of((*GROUPS, *_LEAVES)), "What it is."),
        "conditions": described({"type": "array", "items": ref("Rule")}, "Of a group: what is in it."),
        "expr": described(ANYTHING, "Of `Composite`: how conditions go together, named A, B, C in their order: `(A and B) or C`."),
        "attribute": described(TEXT, "What is tested; empty when `source` names a behavior."),
        "operator": described(ref("RuleOperator"), "How it is tested; of a behavior, its aggregate."),
        "arrayMatching": described(ANYTHING, "Of an attribute that is an array: how many of its elements must match."),
        "source": described(ANYTHING, "A behavior: `behavior_purchase`."),
        "aggregation": described(
            ANYTHING, f"What is made of the events: `{{type: Count}}`, `{{type: Sum, column: amount}}`; types: {', '.join(AGGREGATIONS)}."
        ),
        "filter": described(ANYTHING, "Which events are taken: a group of `Column` conditions, empty for all."),
        "timeWindow": described(ANYTHING, "Only the last ones: `{duration: 30, unit: day}`."),
        "window": described(ANYTHING, "Within any span: `{type: TimeSliding, duration: {day: 7}}`."),
        "steps": described(ANYTHING, "Of `Sequence`: behaviors in their order."),
        "segment": described(ANYTHING, "Of `include` and `exclude`: path, name or id."),
        "id": described(ANYTHING, "The same, of references as other systems write them."),
        "exclude": described(FLAG, "It must not hold."),
        "limit": described(ANYTHING, "Only so many: `{type: Count, number: 100, orderColumns: [...]}`."),
        "description": described(TEXT, "For people."),
        "leftValue": described(ANYTHING, "Attribute or behavior as other systems write it."),
        "customerGroup": described(TEXT, "Of systems with several groups of customers; there are none here."),
        "extras": described({"type": ["object", "null"]}, "What other tools wrote; kept, without effect."),
    }


def _operator() -> Schema:
    taken: dict[str, list[str]] = {"not": ["all"]}
    for row in OPERATORS.values():
        for key in dict.fromkeys((*row.yaml_keys, *row.json_keys)):
            taken.setdefault(key, []).append(row.key)
    said = "; ".join(f"`{row.key}` {row.label}" for row in OPERATORS.values())
    properties = {key: described(ANYTHING, f"Of {', '.join(names)}.") for key, names in taken.items()}
    properties["not"] = described(FLAG, "The opposite.")
    properties = {"type": described({"enum": list(OPERATORS)}, said), **properties}
    return {
        "type": "object",
        "description": "How a value is tested.",
        "required": ["type"],
        "properties": properties,
        "additionalProperties": True,
        "examples": [{"type": "Between", "min": 100, "max": 500}, {"type": "TimeWithinPast", "value": 30, "unit": "day"}],
    }
