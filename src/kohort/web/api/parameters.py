"""Parameters of addresses: one that a route does not have is refused, for a misspelt filter would silently give everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from kohort.foundation.issues import Issues, did_you_mean

_LONGEST, _MOST = 100, 20


def parameters_of(route: APIRoute) -> tuple[str, ...]:
    """What a route takes behind the question mark, as its function declares it."""
    return tuple(dict.fromkeys(_names(route.dependant)))


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)


def require_known_parameters(sent: Collection[str], known: Sequence[str]) -> None:
    """Raises InvalidInput UNKNOWN_PARAMETER: each one with the nearest there is, and all there are."""
    issues = Issues()
    for name in [name for name in dict.fromkeys(sent) if name not in known][:_MOST]:
        shown = name[:_LONGEST]
        issues.error("UNKNOWN_PARAMETER", f'there is no parameter "{shown}"', ("query", shown), _hint(shown, known))
    issues.raise_if_errors()


def _hint(name: str, known: Sequence[str]) -> str:
    all_of_them = f"this route takes {', '.join(known)}" if known else "this route takes none"
    near = did_you_mean(name, known)
    return f"{near} {all_of_them}" if near.startswith("did you mean") else all_of_them
