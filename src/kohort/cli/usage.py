"""Wrong usage of a command. The command-line framework carries its own copy of click, whose errors are the bases of its own."""

from __future__ import annotations

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
        error.message = said.removeprefix("Value error, ")  # type: ignore[attr-defined]
    return cast(ShownError, error)
