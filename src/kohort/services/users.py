"""Users: add and change them, sign them in, and write down what they did.

Secrets are shown once and kept as hashes; every change is in the audit log.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, Protocol

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.fingerprints import fingerprint
from kohort.foundation.issues import did_you_mean
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import ROLES, AuditEntry, Grant, Role, UserRecord
from kohort.segments.codec import is_plain_name
from kohort.services.access import Access

SESSION = timedelta(hours=12)
SETUP_LINK = timedelta(hours=1)
PASSWORD_CHARACTERS = (10, 1000)
ACCOUNT_TRIES, ADDRESS_TRIES = 5, 20
FIRST_WAIT, LONGEST_WAIT, FORGOTTEN_AFTER = timedelta(seconds=15), timedelta(hours=1), timedelta(days=1)

Way = Literal["session", "token", "cli", "link"]


class Passwords(Protocol):
    """Keeps passwords so that nobody can read them. See `kohort.adapters.passwords.Argon2Passwords`."""

    def hash(self, password: str) -> str: ...
    def verify(self, kept: str, password: str) -> bool: ...
    def is_outdated(self, kept: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and how they were known. name "": nobody was recognised; address: "" on the command line.

    token_id: the token they came with.
    """

    name: str
    way: Way = "cli"
    address: str = ""
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was recognised. secret_hash: of the session or token they came with."""

    user: UserRecord
    access: Access
    actor: Actor
    secret_hash: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. secret: what the browser keeps."""

    user: UserRecord
    secret: str
    expires_at: datetime


class LockedOut(UserError):
    """Too many failed attempts; wait_seconds: until the next one is looked at."""

    def __init__(self, wait_seconds: int) -> None:
        hint = f"try again in {wait_seconds} seconds"
        super().__init__("LOCKED_OUT", "there were too many failed attempts", hint=hint)
        self.wait_seconds = wait_seconds


# --- secrets ------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    """43 random url-safe characters: 256 bits."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """What is kept of a random secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# --- users --------------------------------------------------------------------------------------------------------


def add_user(
    store: DefinitionStore, passwords: Passwords, name: str, role: str, password: str, *, actor: Actor, clock: Clock
) -> UserRecord:
    """A new user. password "": nobody can sign in until one is set.

    Raises UserError NAME_INVALID, NAME_TAKEN, NAME_TOO_LONG, ROLE_INVALID, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG.
    """
    name, checked = checked_name("user", name, "write an e-mail address, or a name"), checked_role(role)
    kept = passwords.hash(checked_password(password)) if password else ""
    with store.transaction():
        user = store.add_user(name, checked, kept, by=actor.name, at=clock.now())
        note_audit(store, actor, clock, "user.add", "user", user.name, after=user_fingerprint(user), detail=user.role)
    return user


def require_user(store: DefinitionStore, name: str) -> UserRecord:
    """The user of that name, or id. Raises UserError USER_NOT_FOUND with the nearest name."""
    user = store.user(name) or next((user for user in store.users() if str(user.id) == name), None)
    if user is None:
        hint = did_you_mean(name, [user.name for user in store.users()]) or "add one with: kohort user add NAME"
        raise UserError("USER_NOT_FOUND", f'there is no user "{name}"', hint=hint)
    return user


def change_user(
    store: DefinitionStore,
    name: str,
    *,
    role: str | None = None,
    disabled: bool | None = None,
    revision: str | None = None,
    actor: Actor,
    clock: Clock,
) -> UserRecord:
    """Give another role, disable or enable; None leaves as it is. Who is disabled is signed out.

    revision: see `user_revision`; None: it does not matter. Raises UserError USER_NOT_FOUND, ROLE_INVALID, LAST_ADMIN,
    CHANGED_MEANWHILE.
    """
    with store.transaction():
        user = require_user(store, name)
        require_user_revision(store, user, revision)
        wanted = replace(user, role=checked_role(role) if role is not None else user.role)
        wanted = replace(wanted, disabled=user.disabled if disabled is None else disabled)
        changed = store.update_user(wanted, by=actor.name, at=clock.now())
        if changed != user:
            if changed.disabled:
                store.end_sessions(user_id=user.id)
            before, after = user_fingerprint(user), user_fingerprint(changed)
            note_audit(store, actor, clock, "user.change", "user", user.name, before, after, _changes(user, changed))
    return changed


def _changes(before: UserRecord, after: UserRecord) -> str:
    """What became of a user, in words."""
    role = [f"{before.role} → {after.role}"] if after.role != before.role else []
    state = ["disabled" if after.disabled else "enabled"] if after.disabled != before.disabled else []
    return ", ".join(role + state)


def set_password(store: DefinitionStore, passwords: Passwords, name: str, password: str, *, actor: Actor, clock: Clock) -> UserRecord:
    """A new password; every session of the user ends. Raises UserError USER_NOT_FOUND, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG."""
    kept = passwords.hash(checked_password(password))
    with store.transaction():
        user = require_user(store, name)
        changed = store.update_user(replace(user, password_hash=kept), by=actor.name, at=clock.now())
        store.end_sessions(user_id=user.id)
        store.clear_failures(_account_key(user.name))
        note_audit(store, actor, clock, "user.password", "user", user.name)
    return changed


def change_own_password(store: DefinitionStore, passwords: Passwords, caller: Caller, old: str, new: str, *, clock: Clock) -> UserRecord:
    """The same by the user, who must know the old one. Raises UserError OLD_PASSWORD_WRONG, LockedOut, and as `set_password`."""
    checked_password(new)
    if not _knows_password(store, passwords, caller.user, caller.user.name, old, caller.actor, "password.refused", clock):
        hint = "if you do not know it, an admin can set a new one"
        raise UserError("OLD_PASSWORD_WRONG", "the old password is wrong", hint=hint)
    return set_password(store, passwords, caller.user.name, new, actor=caller.actor, clock=clock)


def set_grants(
    store: DefinitionStore, name: str, grants: Sequence[Grant], *, revision: str | None = None, actor: Actor, clock: Clock
) -> tuple[Grant, ...]:
    """Narrow a user to parent segments and folders; none: the role holds everywhere.

    revision: see `user_revision`; None: it does not matter. Raises UserError USER_NOT_FOUND, PARENT_NOT_FOUND, ROLE_INVALID,
    INVALID_FOLDER, GRANTED_TWICE, CHANGED_MEANWHILE.
    """
    wanted = _checked_grants(grants)
    with store.transaction():
        user = require_user(store, name)
        before = store.grants(user.id)
        require_user_revision(store, user, revision)
        store.set_grants(user.id, wanted)
        after = tuple(store.grants(user.id))
        names = {parent.id: parent.slug for parent in store.parents()}
        detail = "; ".join(f"{names[grant.parent_id]}:/{grant.folder} {grant.role}" for grant in after)
        if _marks(after) != _marks(before):
            note_audit(store, actor, clock, "user.grants", "user", user.name, _marks(before), _marks(after), detail or "no limits")
    return after


def _checked_grants(grants: Sequence[Grant]) -> Sequence[Grant]:
    """One for each place. A folder that cannot be is refused: what it should narrow would stay open."""
    found = dict[tuple[int, str], Grant]()
    for grant in grants:
        folder = grant.folder.strip("/")
        if folder and not all(is_plain_name(part) for part in folder.split("/")):
            raise UserError("INVALID_FOLDER", f'"{folder}" cannot be a folder', hint='write names joined by "/", such as Marketing/VIP')
        checked = Grant(grant.parent_id, folder, checked_role(grant.role))
        if found.setdefault((grant.parent_id, folder), checked) != checked:
            raise UserError("GRANTED_TWICE", f'there are two roles for "/{folder}"', hint="give one role for each place")
    return list(found.values())


def checked_name(what: str, name: str, hint: str) -> str:
    """The name without blanks around it. Raises UserError NAME_INVALID, with the hint when there is none."""
    name = name.strip()
    if not name:
        raise UserError("NAME_INVALID", f"a {what} needs a name", hint=hint)
    if not name.isprintable():
        hidden = next(f"U+{ord(char):04X}" for char in name if not char.isprintable())
        raise UserError("NAME_INVALID", f"the name of a {what} cannot have {hidden}, which nobody sees", hint="leave it out")
    return name


def checked_role(role: str) -> Role:
    """Raises UserError ROLE_INVALID."""
    for known in ROLES:
        if role == known:
            return known
    raise UserError("ROLE_INVALID", f'there is no role "{role}"', hint=f"roles are {', '.join(ROLES)}")


def checked_password(password: str) -> str:
    """Raises UserError PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG."""
    shortest, longest = PASSWORD_CHARACTERS
    if len(password) < shortest:
        raise UserError("PASSWORD_TOO_SHORT", f"a password needs at least {shortest} characters", hint="a few words are easy to remember")
    if len(password) > longest:
        raise UserError("PASSWORD_TOO_LONG", f"a password may have {longest} characters at most", hint="choose a shorter one")
    return password


def user_fingerprint(user: UserRecord) -> str:
    """A name for what the user is at present; the password is no part of it."""
    return fingerprint([user.name, user.role, user.disabled])


def user_revision(store: DefinitionStore, user: UserRecord) -> str:
    """A short name of what a user may at present: role, grants, disabled or not."""
    return fingerprint([user_fingerprint(user), _marks(store.grants(user.id))])[:16]


def require_user_revision(store: DefinitionStore, user: UserRecord, revision: str | None) -> None:
    """None: it does not matter. Raises UserError CHANGED_MEANWHILE."""
    if revision is not None and revision != user_revision(store, user):
        found = store.audit(limit=1, kind="user", object=user.name, actions=("user.add", "user.change", "user.grants"))
        who, at = (found[0].entry.who, found[0].entry.at) if found else (user.updated_by, user.updated_at)
        message = f'"{user.name}" is not as it was when you read it: {who} changed it at {at:%Y-%m-%d %H:%M:%S} GMT'
        raise UserError("CHANGED_MEANWHILE", message, hint="read it again, then change it")


def _marks(grants: Sequence[Grant]) -> str:
    return fingerprint([[grant.parent_id, grant.folder, grant.role] for grant in grants])


# --- signing in ---------------------------------------------------------------------------------------------------


def sign_in(store: DefinitionStore, passwords: Passwords, name: str, password: str, *, address: str, clock: Clock) -> SignedIn:
    """A session for whoever knows the password. Raises UserError WRONG_PASSWORD (whatever was wrong), LockedOut."""
    user = store.user(name)
    nobody = Actor("", "session", address)
    if not _knows_password(store, passwords, user, name, password, nobody, "session.refused", clock) or user is None:
        hint = "an admin can set a new password: kohort user passwd NAME"
        raise UserError("WRONG_PASSWORD", "the name or the password is wrong", hint=hint)
    if passwords.is_outdated(user.password_hash):
        user = store.update_user(replace(user, password_hash=passwords.hash(password)), by=user.updated_by, at=user.updated_at)
    return _new_session(store, user, address, clock, "session")


def sign_out(store: DefinitionStore, caller: Caller, *, clock: Clock) -> None:
    """End the session that the caller came with."""
    with store.transaction():
        store.end_sessions(token_hash=caller.secret_hash)
        note_audit(store, caller.actor, clock, "session.end", "user", caller.user.name)


def _new_session(store: DefinitionStore, user: UserRecord, address: str, clock: Clock, way: Way) -> SignedIn:
    now, secret = clock.now(), new_secret()
    with store.transaction():
        session = store.add_session(secret_hash(secret), user.id, at=now, expires_at=now + SESSION, address=address)
        note_audit(store, Actor(user.name, way, address), clock, "session.start", "user", user.name)
    return SignedIn(user, secret, session.expires_at)


def _knows_password(
    store: DefinitionStore, passwords: Passwords, user: UserRecord | None, name: str, password: str, actor: Actor, action: str, clock: Clock
) -> bool:
    """Whether it is the password of an account. A failure counts, and is in the audit log as action. Raises LockedOut."""
    name = user.name if user is not None else name
    account, source = _account_key(name), f"address:{actor.address}"
    with store.transaction():
        waits = _waits(store, account, source, clock.now())
        if not waits:
            store.add_failure(account, clock.now())  # counted before it is looked at: many attempts at once are not better than one
    if waits:
        raise LockedOut(max(waits.values()))
    kept = user.password_hash if user is not None and not user.disabled else ""
    if passwords.verify(kept, password):
        store.clear_failures(account)
        return True
    with store.transaction():
        store.add_failure(source, clock.now())
        locked = [f"the {what} is locked for {seconds} seconds" for what, seconds in _waits(store, account, source, clock.now()).items()]
        note_audit(store, actor, clock, action, "user", name[:200], detail="; ".join(locked))
    return False


def _waits(store: DefinitionStore, account: str, source: str, now: datetime) -> dict[str, int]:
    """What is locked, and for how many seconds more."""
    found = {"account": _wait(store, account, ACCOUNT_TRIES, now), "address": _wait(store, source, ADDRESS_TRIES, now)}
    return {what: ceil(wait.total_seconds()) for what, wait in found.items() if wait}


def _account_key(name: str) -> str:
    return f"account:{secret_hash(name.casefold())}"


def _wait(store: DefinitionStore, key: str, tries: int, now: datetime) -> timedelta:
    """How long attempts are not looked at: nothing for the first few failures, then twice as long after each; forgotten in time."""
    found = store.failures(key)
    if found is not None and now - found.last_at > FORGOTTEN_AFTER:
        store.clear_failures(key)
        found = None
    if found is None or found.failures < tries:
        return timedelta(0)
    length = min(FIRST_WAIT * 2.0 ** min(found.failures - tries, 12), LONGEST_WAIT)
    return max(found.last_at + length - now, timedelta(0))


# --- recognising --------------------------------------------------------------------------------------------------


def caller_of_session(store: DefinitionStore, secret: str, *, address: str, clock: Clock) -> Caller | None:
    """Who came with the secret of a session."""
    found = store.session(secret_hash(secret), clock.now())
    if found is None:
        return None
    user = found[1]
    return Caller(user, access_of(store, user, user.role), Actor(user.name, "session", address), secret_hash(secret))


def access_of(store: DefinitionStore, user: UserRecord, role: Role) -> Access:
    """What a user may with a role, where their grants let them."""
    return Access(role, tuple(store.grants(user.id)))


# --- the first start ----------------------------------------------------------------------------------------------


def new_setup_link(store: DefinitionStore, *, clock: Clock) -> str:
    """The secret of a link with which the first admin is made, or "" when there are users. It works once, for an hour."""
    if store.users():
        return ""
    secret, now = new_secret(), clock.now()
    store.add_setup_link(secret_hash(secret), at=now, expires_at=now + SETUP_LINK)
    return secret


def set_up(store: DefinitionStore, passwords: Passwords, secret: str, name: str, password: str, *, address: str, clock: Clock) -> SignedIn:
    """Make the first admin and sign them in. Raises UserError LINK_INVALID, and as `add_user`."""
    hint = "start the server again for a new link, or run: kohort user add NAME --role admin"
    refused = UserError("LINK_INVALID", "this link has been used or has expired", hint=hint)
    if not store.has_setup_link(secret_hash(secret), clock.now()):
        raise refused
    checked_password(password)
    actor = Actor(name.strip(), "link", address)
    with store.transaction():
        if store.users() or not store.use_setup_link(secret_hash(secret), clock.now()):
            raise refused
        user = add_user(store, passwords, name, "admin", password, actor=actor, clock=clock)
    return _new_session(store, user, address, clock, "link")


# --- the audit log ------------------------------------------------------------------------------------------------


def note_audit(
    store: DefinitionStore,
    actor: Actor,
    clock: Clock,
    action: str,
    kind: str,
    name: str,
    before: str = "",
    after: str = "",
    detail: str = "",
) -> None:
    """Write an entry; inside a transaction it is kept only with the change it is about."""
    store.add_audit(
        AuditEntry(clock.now(), actor.name, actor.way, action, kind, name, before, after, actor.address, detail, actor.token_id)
    )
