"""What a database driver complains about, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError, TimeoutError

from kohort.foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class _Failure:
    """`signs`: parts of the driver's message, or SQLSTATE codes, that tell this failure."""

    signs: tuple[str, ...]
    code: str
    message: str
    hint: str


_FAILURES = (
    _Failure(("disk is full", "53100"), "DISK_FULL", "there is no space left for {place}", "free some disk space and try again"),
    _Failure(
        ("database is locked", "table is locked", "55P03", "40P01", "QueuePool limit"),
        "STORE_LOCKED",
        "another program has been writing to {place} for too long",
        "wait for it to finish, or end it, and try again",
    ),
    _Failure(
        ("readonly database", "25006", "42501"),
        "STORE_READ_ONLY",
        "{place} cannot be written",
        "check the permissions of the file or the user",
    ),
    _Failure(
        ("not a database", "malformed"),
        "STORE_DAMAGED",
        "{place} is not a definition store, or it is damaged",
        "restore it from a copy, or move it away and push your files again",
    ),
    _Failure(("unable to open",), "STORE_UNREACHABLE", "{place} cannot be opened", "check that the folder exists and may be written"),
    _Failure(("disk I/O error", "58030"), "STORE_IO", "the disk failed while using {place}", "check the disk and try again"),
    _Failure(
        ("28P01", "28000", "password authentication failed", "no password supplied"),
        "STORE_UNREACHABLE",
        "{place} refused the user or the password",
        "check user and password in the store's URL",
    ),
    _Failure(("3D000",), "STORE_UNREACHABLE", "{place}: there is no such database", "create it, or check the store's URL"),
)


def place_of(url: URL) -> str:
    """What to call the store in messages; never with its password."""
    if url.get_backend_name() == "sqlite":
        return f"the store {url.database}"
    return f"the store {url.set(query={}).render_as_string(hide_password=True)}"


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turns driver errors inside the block into UserErrors: DISK_FULL, STORE_LOCKED, STORE_READ_ONLY, STORE_DAMAGED,
    STORE_UNREACHABLE, STORE_IO, STORE_VALUE, NAME_TAKEN, STORE_FAILED."""
    try:
        yield
    except (DBAPIError, TimeoutError) as error:
        raise explain(error, url) from error
    except StatementError as error:
        if isinstance(error.orig, UserError):
            raise error.orig from None
        raise
    except UnicodeEncodeError as error:
        raise UserError("STORE_VALUE", "a name holds characters that cannot be stored", hint="remove the broken characters") from error


def explain(error: DBAPIError | TimeoutError, url: URL) -> UserError:
    """The UserError for a driver's error."""
    original = error.orig if isinstance(error, DBAPIError) else error
    text = f"{getattr(original, 'sqlstate', None) or ''} {original}"
    place = place_of(url)
    for failure in _FAILURES:
        if any(sign in text for sign in failure.signs):
            return UserError(failure.code, failure.message.format(place=place), hint=failure.hint)
    if isinstance(error, IntegrityError):
        return UserError("NAME_TAKEN", "somebody else has just saved the same name", hint="look at what is stored and try again")
    reason = _reason(str(original), url)
    if isinstance(error, DataError):
        return UserError("STORE_VALUE", f"{place} refused a value: {reason}", hint="shorten the text or remove control characters")
    if isinstance(error, OperationalError | InterfaceError) and url.get_backend_name() != "sqlite":
        return UserError("STORE_UNREACHABLE", f"{place} does not answer: {reason}", hint="check that the server runs and the URL is right")
    return UserError("STORE_FAILED", f"{place} failed: {reason}", hint="the store may need an upgrade or a restored copy")


def _reason(text: str, url: URL) -> str:
    """The first line of a driver's message, without the password."""
    line = next(iter(text.strip().splitlines()), "")
    return line.replace(str(url.password), "***") if url.password else line
