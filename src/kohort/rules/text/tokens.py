"""The words of the text form: names, texts, numbers, dates, signs and JSON objects, each with its place."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Literal

from kohort.foundation.fingerprints import canonical_json
from kohort.foundation.issues import Issue

Kind = Literal["name", "quoted", "text", "number", "date", "sign", "json", "end"]

SIGNS = ("::", "==", "!=", "<>", ">=", "<=", "(", ")", ",", "=", ">", "<", "*", "%")
RESERVED = frozenset(
    {"and", "or", "not", "in", "all", "any", "expr", "sequence", "everybody", "nobody", "where", "then", "beyond", "value"},
)
"""Words that a name must be put in double quotes to be used as; any case."""

NEVER_NAMES = frozenset({"and", "or", "not", "in", "where", "then"})
"""The reserved words that are never read as a name, even where only a name can stand."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?(?![\w-])"
)
_LETTERS = re.compile(r"\w*")
_MAX_DIGITS = 4000
_INSTEAD = {
    "&": 'write "and"',
    "|": 'write "or"',
    "!": 'write "not" or "!="',
    "~": "write matches '...'",
    "‘": "write texts between straight quotes: 'Gold'",
    "’": "write texts between straight quotes: 'Gold'",
    "“": "write names between straight quotes",
    "”": "write names between straight quotes",
    "`": "write names between double quotes",
    "$": "write amounts as plain numbers",
    "[": "write lists between ( and )",
    "]": "write lists between ( and )",
}


class TextError(Exception):
    """The text cannot be read any further; `issue` says where and why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.message)
        self.issue = issue


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `text` is its value without quotes, `shown` what stands in the source, `start` counts characters from 0.

    word: a bare word in lower case, a sign itself, "" for anything quoted or numeric.
    """

    kind: Kind
    text: str
    shown: str
    start: int
    word: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", self.text.lower() if self.kind in ("name", "sign") else "")

    @property
    def number(self) -> int | float:
        plain = self.text.replace("_", "")
        return float(plain) if any(mark in plain for mark in ".eE") else int(plain)


def syntax_error(source: str, start: int, message: str, hint: str = "") -> TextError:
    """The error at a character position, with line and column from 1."""
    return TextError(in_text(Issue("RULE_SYNTAX", message, hint=hint), source, start))


def in_text(issue: Issue, source: str, start: int) -> Issue:
    """An issue at a character position of a text, with that line of it."""
    line, column = place(source, start)
    return replace(issue, line=line, column=column, excerpt=source.split("\n")[line - 1], excerpt_column=column)


def place(source: str, start: int) -> tuple[int, int]:
    """Line and column (both from 1) of a character position.

    >>> place("a and\\n b", 7)
    (2, 2)
    """
    before = source[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1


def is_bare_name(name: str) -> bool:
    """True when a name can stand without double quotes."""
    return bool(name) and name.lower() not in RESERVED and _name_end(name, 0) == len(name)


def quote_name(name: str) -> str:
    """A name as it is written.

    >>> quote_name("lifetime_value"), quote_name("Lifetime Value"), quote_name("in")
    ('lifetime_value', '"Lifetime Value"', '"in"')
    """
    return name if is_bare_name(name) else '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text literal as it is written.

    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def tokenize(source: str) -> list[Token]:
    """All words of `source`, an "end" at last. Raises TextError."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        if source[position].isspace():
            position += 1
            continue
        token, position = _next_token(source, position)
        tokens.append(token)
    tokens.append(Token("end", "", "the end", len(source)))
    return tokens


def _next_token(source: str, start: int) -> tuple[Token, int]:
    first = source[start]
    if first == "'":
        return _quoted(source, start, "text")
    if first == '"':
        return _quoted(source, start, "quoted")
    if first == "{":
        return _json(source, start)
    end = _name_end(source, start)
    if end > start:
        text = source[start:end]
        return Token("name", text, text, start), end
    if date := _DATE.match(source, start):
        return Token("date", date[0], date[0], start), date.end()
    if number := _NUMBER.match(source, start):
        return _number(source, start, number.end())
    for sign in SIGNS:
        if source.startswith(sign, start):
            return Token("sign", sign, sign, start), start + len(sign)
    raise syntax_error(source, start, f"the character {first!r} has no meaning here", _INSTEAD.get(first, ""))


def _quoted(source: str, start: int, kind: Kind) -> tuple[Token, int]:
    quote = source[start]
    position = start + 1
    parts: list[str] = []
    while True:
        end = source.find(quote, position)
        if end < 0:
            what = "text" if kind == "text" else "name"
            raise syntax_error(
                source, start, f"the {what} that begins here has no closing {quote}", f"inside, write {quote}{quote} for {quote}"
            )
        parts.append(source[position:end])
        if source[end + 1 : end + 2] != quote:
            return Token(kind, quote.join(parts), source[start : end + 1], start), end + 1
        position = end + 2


def _number(source: str, start: int, end: int) -> tuple[Token, int]:
    text = source[start:end]
    after = end
    while after < len(source) and _continues_name(source[after]):
        after += 1
    if after > end:
        whole = source[start:after]
        raise syntax_error(
            source, start, f'"{whole}" is neither a number nor a name', f'a name that begins with a digit needs quotes: "{whole}"'
        )
    if len(text) > _MAX_DIGITS:
        raise syntax_error(source, start, "the number has too many digits")
    return Token("number", text, text, start), end


def _json(source: str, start: int) -> tuple[Token, int]:
    try:
        value, end = json.JSONDecoder().raw_decode(source, start)
        return Token("json", canonical_json(value), source[start:end], start), end
    except json.JSONDecodeError as problem:
        raise syntax_error(source, problem.pos, f"this is not a JSON object: {problem.msg}") from None
    except (ValueError, RecursionError):
        raise syntax_error(source, start, "this JSON object cannot be read") from None


def _name_end(source: str, start: int) -> int:
    """Where the name that begins at `start` ends; `start` when none begins there. A dot joins two parts of a name."""
    if start >= len(source) or not (source[start].isalpha() or source[start] == "_"):
        return start
    position = start
    while True:
        position = _LETTERS.match(source, position).end()  # type: ignore[union-attr]
        following = source[position : position + 2]
        if following[:1] == "." and _continues_name(following[1:]):
            position += 2
        elif _continues_name(following[:1]):
            position += 1
        else:
            return position


def _continues_name(character: str) -> bool:
    return character != "" and (character == "_" or character.isalnum() or unicodedata.category(character).startswith("M"))
