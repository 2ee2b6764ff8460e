"""API tokens: give them out, recognise who comes with one, revoke them with all that were made with them.

A token is shown once and kept as a hash; every change is in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import Role, TokenRecord, UserRecord
from kohort.services.access import lower
from kohort.services.users import Actor, Caller, access_of, checked_name, checked_role, new_secret, note_audit, secret_hash

LONGEST_TOKEN_DAYS = 3650
TOKEN_PREFIX = "kht_"

TokenState = Literal["valid", "disabled", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new API token: the only time that it is known itself."""

    record: TokenRecord
    token: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """A token that is refused from now on. with_it: valid ones that were made with it, directly or not, and ended with it."""

    token: TokenRecord
    with_it: tuple[TokenRecord, ...]


def caller_of_token(store: DefinitionStore, token: str, *, address: str, clock: Clock) -> Caller | None:
    """Who came with an API token; it may no more than its owner may today."""
    found = store.token(secret_hash(token), clock.now())
    if found is None:
        return None
    record, user = found
    access = access_of(store, user, lower(record.role, user.role))
    return Caller(user, access, Actor(user.name, "token", address, record.id), secret_hash(token))


def add_token(
    store: DefinitionStore,
    owner: UserRecord,
    name: str,
    *,
    role: str = "",
    days: int | None = 90,
    most: Role | None = None,
    used: TokenRecord | None = None,
    actor: Actor,
    clock: Clock,
) -> IssuedToken:
    """A new API token. role "": the owner's; days None: it does not expire; most: what the one who asks may at most.

    used: the token with which it is made: it ends no later than that, and is revoked with it.

    Raises UserError NAME_INVALID, ROLE_INVALID, ROLE_TOO_HIGH, DAYS_INVALID.
    """
    name = checked_name("token", name, "say what it is for")
    highest = lower(owner.role, most or owner.role)
    wanted = checked_role(role) if role else highest
    if lower(wanted, highest) != wanted:
        raise UserError("ROLE_TOO_HIGH", f"a token of {owner.name} may be {highest} at most, not {wanted}", hint="choose a lower role")
    if days is not None and not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise UserError("DAYS_INVALID", f"a token cannot be valid for {days} days", hint=f"write 1 to {LONGEST_TOKEN_DAYS}")
    now, token = clock.now(), TOKEN_PREFIX + new_secret()
    until = used.expires_at if used else None
    ends = min((end for end in (now + timedelta(days=days) if days is not None else None, until) if end is not None), default=None)
    with store.transaction():
        if used is not None:
            _require_valid(store, used, now)
        record = store.add_token(
            secret_hash(token),
            token[-4:],
            owner.id,
            name,
            wanted,
            by=actor.name,
            at=now,
            expires_at=ends,
            made_with=used.id if used else None,
        )
        detail = f"{owner.name}: {name}, {wanted}" + (f", made with token {used.id}" if used else "")
        note_audit(store, actor, clock, "token.add", "token", f"{record.id}", after=record.last_four, detail=detail)
    return IssuedToken(record, token)


def _require_valid(store: DefinitionStore, used: TokenRecord, now: datetime) -> None:
    """Nobody who revokes a token at this moment overlooks one that is being made with it. Raises UserError SIGN_IN_FIRST."""
    if not any(token.id == used.id and token.valid_at(now) for token in store.tokens(used.user_id)):
        raise UserError("SIGN_IN_FIRST", "this token is not valid any more", hint="send another one")


def revoke_token(
    store: DefinitionStore, token_id: int, *, owner: UserRecord | None = None, most: Role | None = None, actor: Actor, clock: Clock
) -> Revoked:
    """Refuse a token from now on, and those that were made with it. owner: only one of theirs; most: only one that may no more.

    Raises UserError TOKEN_NOT_FOUND, FORBIDDEN.
    """
    now = clock.now()
    with store.transaction():
        tokens = store.tokens(owner.id if owner else None)
        found = next((token for token in tokens if token.id == token_id), None)
        if found is None:
            raise UserError("TOKEN_NOT_FOUND", f"there is no token with id {token_id}", hint="list them with: kohort token list")
        if most is not None and lower(found.role, most) != found.role:
            hint = f"use one with the role {found.role}, or sign in"
            raise UserError("FORBIDDEN", "a token cannot revoke one that may more", hint=hint)
        names = {user.id: user.name for user in store.users()}
        revoked = _revoke(store, found, f"{names[found.user_id]}: {found.name}", actor, clock)
        others = tuple(
            _revoke(store, token, f"{names[token.user_id]}: {token.name}, made with token {token.made_with}", actor, clock)
            for token in made_with(token_id, tokens)
            if token.valid_at(now)
        )
    return Revoked(revoked, others)


def _revoke(store: DefinitionStore, token: TokenRecord, detail: str, actor: Actor, clock: Clock) -> TokenRecord:
    revoked = store.revoke_token(token.id, clock.now())
    if revoked != token:
        note_audit(store, actor, clock, "token.revoke", "token", str(token.id), before=token.last_four, detail=detail)
    return revoked


def state_of(token: TokenRecord, owner: UserRecord | None, now: datetime) -> TokenState:
    """Whether a token is taken at an instant, and why not. disabled: its user is."""
    if token.revoked_at is not None:
        return "revoked"
    if not token.valid_at(now):
        return "expired"
    return "disabled" if owner is not None and owner.disabled else "valid"


def made_with(token_id: int, tokens: Sequence[TokenRecord]) -> list[TokenRecord]:
    """Those of the tokens that were made with one, or with one that was, and so on; oldest first."""
    reached, found = {token_id}, list[TokenRecord]()
    for token in sorted(tokens, key=lambda token: token.id):
        if token.made_with in reached:
            reached.add(token.id)
            found.append(token)
    return found
