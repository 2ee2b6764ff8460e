"""Wrong usage of a command. The command-line framework carries its own copy of click, whose errors are the bases of its own."""

from __future__ import annotations

import re
from typing import Protocol, cast

import typer


class ShownError(Protocol):
    """An error that can print itself with the usage line; `exit_code` is 2 for wrong usage."""

    exit_code: int

    def show(self) -> None:
        """Print it on standard error."""
        ...


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Raise with a sentence: the arguments of a command do not go together."""


def as_shown(error: Exception) -> ShownError:
    """A usage error as something that prints itself, without the words of the library that looked at the value."""
    said = getattr(error, "message", "")
    if isinstance(said, str):
        error.message = _in_plain_words(said.removeprefix("Value error, "))  # type: ignore[attr-defined]
    return cast(ShownError, error)


_PLAIN = (
    (re.compile(r"Input should be a valid integer\b.*"), "it is no whole number"),
    (re.compile(r"Input should be a valid number\b.*"), "it is no number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"it must be \1 or less"),
)


def _in_plain_words(said: str) -> str:
    """What was wrong with a value, as one would say it.

    >>> _in_plain_words("Invalid value for '--limit': Input should be greater than or equal to 1")
    "Invalid value for '--limit': it must be 1 or more"
    """
    for words, plain in _PLAIN:
        said = words.sub(plain, said)
    return said
