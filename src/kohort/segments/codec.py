"""Segment files: a name, a rule, perhaps a base, an A/B test and activations; read with every problem at once."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, get_args
from unicodedata import category

from kohort.documents.document import Document
from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.rules.ast import EVERYBODY, NO_EXTRAS, Extras
from kohort.rules.decode import is_sound, read_rule_value
from kohort.rules.decode.nodes import Node, kind_of
from kohort.rules.encode import rule_to_yaml
from kohort.rules.lint_codes import LINT_CODES
from kohort.segments.definition import ABTest, Kind, Segment, Variant

MAX_NAME = 200
DOTS = (".", "..")
MAX_VARIANTS = 8
KINDS: tuple[Kind, ...] = get_args(Kind)
TYPES = ("segment", "composable_segment")
_KEYS = ("name", "description", "kind", "type", "visible", "folder", "base", "rule", "ab_test", "activations", "lint", "extras")
_LINT_HINT = "write lint: { ignore: [LINT_SUBSUMED] }"
KEPT_KEYS = frozenset(
    {"id", "audienceId", "segmentFolderId", "segmentInsightDashboardId", "createdAt", "updatedAt", "createdBy", "updatedBy"}
)


def read_segment(document: Document, folder: str) -> tuple[Segment | None, Issues]:
    """The segment a file describes and every problem in it, placed; None when it has no usable name.

    folder: where the file stands; a key `folder` in it says otherwise. With errors the segment holds what could be read.
    """
    issues = Issues()
    if not is_sound(document.value, (), issues):
        return None, document.located(issues)
    if not isinstance(document.value, dict):
        issues.error("INVALID_SEGMENT", f"a segment must be a mapping, not {kind_of(document.value)}", (), "begin with name: ...")
        return None, document.located(issues)
    node = Node(document.value, (), issues, "yaml")
    name = _name(node)
    segment = Segment(
        name=name,
        folder=_folder(node, folder),
        rule=read_rule_value(node.get("rule"), ("rule",), issues, "yaml"),
        description=node.text("description"),
        kind=_kind(node),
        visible=node.flag("visible") if node.has("visible") else True,
        base=node.text("base"),
        ab_test=_ab_test(node),
        activations=_activations(node),
        extras=_extras(node),
        lint_ignore=_lint_ignore(node),
    )
    return (segment if name else None), document.located(issues)


def segment_to_document(segment: Segment) -> dict[str, Any]:
    """The canonical document of a segment: `read_segment` of it, in the segment's folder, gives the same segment.

    The folder is left out: where the file stands says it.
    """
    document: dict[str, Any] = {"name": segment.name}
    if segment.description:
        document["description"] = segment.description
    if segment.kind != "batch":
        document["kind"] = segment.kind
    if not segment.visible:
        document["visible"] = False
    if segment.base:
        document["base"] = segment.base
    if segment.rule != EVERYBODY:
        document["rule"] = rule_to_yaml(segment.rule)
    if segment.ab_test is not None:
        document["ab_test"] = _ab_test_to_document(segment.ab_test)
    document.update(segment.activations.values)
    if segment.lint_ignore:
        document["lint"] = {"ignore": list(segment.lint_ignore)}
    kept = segment.extras.values
    document.update({key: value for key, value in kept.items() if key in KEPT_KEYS})
    if others := {key: value for key, value in kept.items() if key not in KEPT_KEYS}:
        document["extras"] = others
    return document


def _name(node: Node) -> str:
    name = node.required("name", "MISSING_NAME", "the name of the segment", "add name: ...")
    if "/" in name:
        hint = "write the folder under folder: ..., or put the file into it"
        node.error("INVALID_NAME", f'a name cannot hold "/": "{name}"', "name", hint=hint)
        return ""
    if name in DOTS:
        node.error("INVALID_NAME", f'"{name}" means a folder in paths: it cannot be a name', "name", hint="choose another name")
        return ""
    if not _has_plain_signs(name):
        plain = " ".join("".join(" " if category(sign) in ("Cc", "Zl", "Zp") else sign for sign in name).split())
        message = "a name has no space around it and no line breaks or other control characters"
        node.error("INVALID_NAME", message, "name", hint=f'write "{plain}"' if plain else "")
        return ""
    if len(name) > MAX_NAME:
        node.error("NAME_TOO_LONG", f"the name has {len(name)} characters, at most {MAX_NAME} can be stored", "name", hint="shorten it")
        return ""
    return name


def is_plain_name(name: str) -> bool:
    """Whether a segment, a variant or a folder may be called so, apart from its length: it stands in paths, addresses and lists."""
    return bool(name) and "/" not in name and name not in DOTS and _has_plain_signs(name)


def _has_plain_signs(name: str) -> bool:
    """True without space around the name and without line breaks and other control characters in it."""
    return name == name.strip() and not any(category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)


def _folder(node: Node, folder: str) -> str:
    if not node.has("folder"):
        return folder
    parts = node.text("folder", "INVALID_FOLDER").strip("/").split("/")
    if parts == [""]:
        return ""
    for part in parts:
        if not is_plain_name(part):
            node.error("INVALID_FOLDER", f'"{part}" cannot be the name of a folder', "folder", hint="write folder: Marketing/VIP")
            return folder
    return "/".join(parts)


def _kind(node: Node) -> Kind:
    kind = node.get("type")
    if kind is not None and kind not in TYPES:
        hint = did_you_mean(kind, TYPES) if isinstance(kind, str) else f"known: {', '.join(TYPES)}"
        node.error("INVALID_SEGMENT_TYPE", f"{kind_of(kind)} is not a type of segment", "type", hint=hint)
    value = node.get("kind")
    for known in KINDS:
        if value == known:
            return known
    if value is not None:
        hint = did_you_mean(value, KINDS) if isinstance(value, str) else f"known: {', '.join(KINDS)}"
        node.error("INVALID_KIND", f"{kind_of(value)} is not a kind of segment", "kind", hint=hint)
    return "batch"


def _activations(node: Node) -> Extras:
    value = node.get("activations")
    if value in (None, []):
        return NO_EXTRAS
    if not isinstance(value, list):
        node.error("INVALID_ACTIVATIONS", f"activations must be a list, not {kind_of(value)}", "activations", hint="write - name: ...")
        return NO_EXTRAS
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            node.error("INVALID_ACTIVATIONS", f"an activation must be a mapping, not {kind_of(item)}", "activations", index)
    return Extras.of({"activations": value})


def _lint_ignore(node: Node) -> tuple[str, ...]:
    """The findings that are silenced, each once."""
    if not node.has("lint"):
        return ()
    value = node.get("lint")
    if not isinstance(value, dict):
        node.error("INVALID_LINT", f"lint must be a mapping, not {kind_of(value)}", "lint", hint=_LINT_HINT)
        return ()
    inner = node.shut(value, node.at("lint"))
    inner.close(("ignore",))
    listed = inner.get("ignore")
    if not isinstance(listed, list):
        listed = [] if listed is None else [listed]
    found = tuple(dict.fromkeys(code for code in listed if isinstance(code, str) and code in LINT_CODES))
    for index, code in enumerate(listed):
        if code not in found:
            place = ("ignore", index) if isinstance(inner.get("ignore"), list) else ("ignore",)
            shown = f'"{code}"' if isinstance(code, str) else kind_of(code)
            inner.error("INVALID_LINT", f"{shown} is not a code of a finding", *place, hint=_code_hint(code))
    return found


def _code_hint(code: object) -> str:
    if not isinstance(code, str):
        return _LINT_HINT
    return did_you_mean(code, LINT_CODES)


def _extras(node: Node) -> Extras:
    node.close((*_KEYS, *sorted(KEPT_KEYS)))
    node.kept.update({key: value for key, value in node.value.items() if key in KEPT_KEYS})
    return node.extras()


def _ab_test(node: Node) -> ABTest | None:
    if not node.has("ab_test"):
        return None
    value = node.get("ab_test")
    if not isinstance(value, dict):
        hint = "write ab_test: { variants: [{ name: A, ratio: 50 }, { name: B, ratio: 50 }] }"
        node.error("INVALID_AB_TEST", f"ab_test must be a mapping, not {kind_of(value)}", "ab_test", hint=hint)
        return None
    inner = node.shut(value, node.at("ab_test"))
    inner.close(("id", "name", "key_column", "variants", "control"))
    before = len(node.issues.errors)
    variants = _variants(inner)
    control_name, control = _control(inner)
    test_id, key_column, name = inner.text("id"), inner.text("key_column"), _variant_name(inner) if inner.has("name") else ""
    if len(node.issues.errors) == before:
        _check_split(inner, variants, control, control_name)
    return ABTest(variants, control, control_name, test_id, key_column, name) if len(node.issues.errors) == before else None


def _variants(node: Node) -> tuple[Variant, ...]:
    value = node.get("variants")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VARIANTS:
        found = f"not {len(value)}" if isinstance(value, list) else f"not {kind_of(value)}"
        message = f"an A/B test has a list of 1 to {MAX_VARIANTS} variants, {found}"
        node.error("INVALID_AB_TEST", message, *(("variants",) if "variants" in node.value else ()), hint="- { name: A, ratio: 50 }")
        return ()
    return tuple(_variant(node, item, node.at("variants", index)) for index, item in enumerate(value))


def _variant(node: Node, value: Any, path: Path) -> Variant:
    if not isinstance(value, dict):
        node.issues.error("INVALID_AB_TEST", f"a variant must be a mapping, not {kind_of(value)}", path, "- { name: A, ratio: 50 }")
        return Variant("", 0)
    inner = node.shut(value, path)
    inner.close(("name", "ratio"))
    return Variant(_variant_name(inner), _ratio(inner, allow_zero=False))


def _variant_name(node: Node) -> str:
    name = node.required("name", "INVALID_AB_TEST", "the name of the variant", "add name: A")
    if name and not is_plain_name(name):
        node.error("INVALID_AB_TEST", 'the name of a variant has no "/", no line breaks and no space around it', "name")
    return name


def _ratio(node: Node, *, allow_zero: bool) -> int | float:
    value = node.get("ratio")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        where = ("ratio",) if "ratio" in node.value else ()
        node.error("INVALID_AB_TEST", f"a ratio is a percentage, not {kind_of(value)}", *where, hint="write ratio: 50")
        return 0
    if value < 0 or value > 100 or (value == 0 and not allow_zero):
        node.error("INVALID_AB_TEST", f"a ratio is a percentage above 0 and up to 100, not {value}", "ratio")
    return value


def _control(node: Node) -> tuple[str, int | float]:
    """Name and ratio of the control group: a mapping, or only its ratio."""
    value = node.get("control")
    if value is None:
        return "Control", 0
    if isinstance(value, dict):
        inner = node.shut(value, node.at("control"))
        inner.close(("name", "ratio"))
        return (_variant_name(inner) if "name" in value else "Control"), _ratio(inner, allow_zero=True)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 <= value <= 100:
        hint = "write control: 10 or control: { name: Control, ratio: 10 }"
        node.error("INVALID_AB_TEST", f"the control is a percentage, not {kind_of(value)}", "control", hint=hint)
        return "Control", 0
    return "Control", value


def _check_split(node: Node, variants: tuple[Variant, ...], control: int | float, control_name: str) -> None:
    total = sum((Decimal(repr(variant.ratio)) for variant in variants), Decimal(repr(control)))
    if total > 100:
        node.error("INVALID_AB_TEST", f"the ratios add up to {total}, more than 100", "variants", hint="lower some of them")
    names = [variant.name for variant in variants] + ([control_name] if control else [])
    for index, name in enumerate(names):
        if name in names[:index]:
            where = ("variants", index, "name") if index < len(variants) else ("control",)
            node.error("DUPLICATE_NAME", f'two variants are called "{name}"', *where, hint="give each its own name")


def _ab_test_to_document(test: ABTest) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if test.test_id:
        document["id"] = test.test_id
    if test.name:
        document["name"] = test.name
    if test.key_column:
        document["key_column"] = test.key_column
    document["variants"] = [{"name": variant.name, "ratio": variant.ratio} for variant in test.variants]
    if test.control or test.control_name != "Control":
        document["control"] = {"name": test.control_name, "ratio": test.control}
    return document
