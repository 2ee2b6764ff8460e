"""YAML 1.2 (core schema) text to a `Document`, and values to YAML text that reads back as the same value.

`yes`, `no`, `on`, `off`, dates and 03:00:00 stay text: only null, true/false, integers and floats have types.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from kohort.documents.document import Document
from kohort.foundation.issues import Issue, Issues, Path

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TYPED_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
_MAX_DEPTH = 100
_MAX_VALUES = 500_000
_NESTED = "the document contains itself or is nested too deeply"
_NESTED_HINT = f"write at most {_MAX_DEPTH} levels; save a part of a rule as a segment of its own and refer to it"


def _scalar(text: str) -> Any:
    """The value of a plain scalar under the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        if len(text) > 400:
            return text
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        value = float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan"))
        return value
    return text


def read_yaml(text: str, file: str = "") -> tuple[Document, Issues]:
    """Parse one YAML document. Problems of syntax are issues with code YAML_SYNTAX; the value is then None."""
    issues = Issues()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = (error.problem or "this is not valid YAML").strip()
        hint = "check indentation, quotes and colons on this line and the one before"
        issues.add(Issue("YAML_SYNTAX", message, hint=hint, file=file, line=line, column=column))
        return Document(None, file), issues
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the character U+{ord(text[error.position]):04X} cannot stand in a YAML file"
        issues.add(Issue("YAML_SYNTAX", message, hint="remove it, or save the file as text", file=file, line=line, column=column))
        return Document(None, file), issues
    except RecursionError:
        issues.add(Issue("YAML_SYNTAX", _NESTED, hint=_NESTED_HINT, file=file, line=1))
        return Document(None, file), issues
    except (yaml.YAMLError, ValueError) as error:
        issues.add(Issue("YAML_SYNTAX", " ".join(str(error).split()), file=file))
        return Document(None, file), issues
    places: dict[Path, tuple[int, int]] = {}
    value = _value(node, (), places, issues, file, ()) if node is not None else None
    return Document(value, file, places), issues


def _value(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]], issues: Issues, file: str, above: tuple[int, ...]) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    places.setdefault(path, (line, column))

    def problem(code: str, message: str, hint: str = "") -> None:
        issues.add(Issue(code, message, path, hint=hint, file=file, line=line, column=column))

    if id(node) in above or len(above) > _MAX_DEPTH:
        problem("YAML_SYNTAX", _NESTED, _NESTED_HINT)
        return None
    if len(places) > _MAX_VALUES:
        if not any(issue.code == "YAML_TOO_LARGE" for issue in issues):
            problem(
                "YAML_TOO_LARGE", f"the document holds more than {_MAX_VALUES:,} values", "write a list out once instead of repeating it"
            )
        return None
    above = (*above, id(node))
    if isinstance(node, yaml.ScalarNode):
        quoted = node.style is not None or node.tag == "!"
        return node.value if quoted and node.tag not in _TYPED_TAGS else _scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(item, (*path, i), places, issues, file, above) for i, item in enumerate(node.value) if len(places) <= _MAX_VALUES + 1
        ]
    assert isinstance(node, yaml.MappingNode)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            problem("YAML_KEY", "a key must be plain text")
            continue
        key = key_node.value
        inner = (*path, key)
        if key in result:
            mark = key_node.start_mark
            issues.add(
                Issue(
                    "YAML_DUPLICATE_KEY",
                    f'the key "{key}" is written twice',
                    inner,
                    hint="remove one of them",
                    file=file,
                    line=mark.line + 1,
                    column=mark.column + 1,
                )
            )
            continue
        places[inner] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[key] = _value(value_node, inner, places, issues, file, above)
    return result


class _Dumper(yaml.SafeDumper):
    """Writes block style, keys in their order, text quoted whenever it would read back as something else."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag a plain scalar would get from `read_yaml`, or a YAML 1.1 reader would give it: text that either types is quoted."""
        if kind is yaml.ScalarNode and implicit[0]:
            name = {bool: "bool", int: "int", float: "float", type(None): "null"}.get(type(_scalar(value)))
            if name:
                return f"tag:yaml.org,2002:{name}"
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


def _represent_float(dumper: _Dumper, value: float) -> yaml.Node:
    if math.isfinite(value):
        text = repr(value)
    else:
        text = ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)


def write_yaml(value: Any) -> str:
    """YAML text of a value, such that `read_yaml(write_yaml(value)).value == value`."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False))
